// The forms of the records, for editors and for `tsc`. Browsers do not load this file.
// src/console/record.rs and src/console/stepped/mod.rs say what each field means.

interface LockWait { from_us: number; to_us: number; for_lane: number | null }
interface Step {
  kind: string;
  label: string;
  sql: string | null;
  args: (number | string)[];
  start_us: number;
  end_us: number;
  value: number | null;
  matched_no_row: boolean;
  refusal: string | null;
  waits: LockWait[];
}
interface Lane {
  request: number;
  outcome: string;
  answered_us: number;
  lost: boolean;
  title: string;
  problem: { title: string; detail: string } | null;
  steps: Step[];
}
interface StepPlace { lane: number; step: number }
interface Place extends StepPlace { band: number }
interface Loss {
  lost: number;
  by: number;
  read: StepPlace | null;
  written: StepPlace | null;
  overwrite: StepPlace | null;
  sentence: string;
}
interface BandLoss extends Loss { band: number }
interface RunRecord {
  kind: 'run';
  plan: any;
  engine: any;
  verdict: any;
  took_us: number;
  lanes: Lane[];
  losses: Loss[];
}

/** The place of each step, in units, and how many units there are. */
interface Axis {
  length: number;
  span(band: number, lane: number, step: number): [number, number];
  ticks(pixels: number, from: number, to: number): { at: number; text: string }[];
}
interface Box { from: number; to: number; y: number }
interface Bar {
  step: Step;
  rect: SVGRectElement;
  cap: SVGRectElement | null;
  waits: SVGRectElement[];
  text: SVGTextElement | null;
  cross: SVGTextElement | null;
  /** Where its waits are, in pixels. */
  edges: [number, number][];
  from: number;
  to: number;
}
/** A lane of the picture. `drawn` is the version of the geometry that it was drawn with. */
interface Row {
  band: number;
  lane: number;
  y: number;
  group: SVGGElement;
  name: SVGTextElement;
  bars: import('./lanes.js').LaneBars | null;
  drawn: number;
  isShown: boolean;
}

interface Cell { name: string; value: string; changed: boolean }
interface SteppedStep {
  number: number | null;
  client: string;
  action: string;
  label: string;
  text: string;
  result: string;
  sql: string | null;
  line: number | null;
  sentence: string;
  waits: boolean;
  resumes: number | null;
  refusal: string | null;
  row: Cell[];
  hands: Record<string, string | null>;
  changed_hands: string[];
  open: Record<string, boolean>;
  waiting: Record<string, string | null>;
}
interface SteppedRun {
  kind: 'schedule';
  strategy: string;
  title: string;
  engine: string;
  schedule: string;
  safe: boolean;
  clients: { letter: string; name: string | null }[];
  source: { file: string; first: number; lines: string[] } | null;
  setup_sql: string;
  inspect_sql: string;
  replay: string;
  start: { row: Cell[]; hands: Record<string, string | null> };
  steps: SteppedStep[];
  highlight: { index: number; words: string } | null;
  loss: { read: number; overwritten: number; overwrite: number; sentence: string } | null;
}
