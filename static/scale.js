// @ts-check
// Two axes for the same steps: real time, and the order in which they began.

/** @typedef {import('./types').RunRecord} RunRecord */
/** @typedef {import('./types').Step} Step */
/** @typedef {import('./types').Axis} Axis */

const IDLE = new Set(['worker', 'connection', 'think', 'pause']);

/**
 * Whether a step is a mere passing of time, drawn as a line.
 * @param {Step} step
 */
export function isIdle(step) {
  return IDLE.has(step.kind);
}

/**
 * Microseconds as units.
 * @param {RunRecord[]} records
 * @returns {Axis}
 */
export function timeAxis(records) {
  const ends = records.flatMap((it) => [it.took_us, ...it.lanes.map((lane) => lane.answered_us)]);
  const length = Math.max(1, ...ends.filter(Number.isFinite));
  return {
    length,
    span(band, lane, step) {
      const it = records[band].lanes[lane].steps[step];
      return [it.start_us, it.end_us];
    },
    within: (_band, _lane, _step, us) => us,
    ticks(pixels, from, to) {
      const every = round((length * 90) / pixels);
      return multiples(every, from, Math.min(to, length)).map((at) => ({ at, text: tickText(at, every) }));
    },
  };
}

/**
 * @param {number} every
 * @param {number} from
 * @param {number} to
 */
function multiples(every, from, to) {
  const first = Math.max(0, Math.ceil(from / every));
  const count = Math.max(0, Math.floor(to / every) - first + 1);
  return Array.from({ length: count }, (_, at) => (first + at) * every).filter((it) => it >= from);
}

/** @param {number} us @param {number} every */
function tickText(us, every) {
  if (us === 0) return '0 ms';
  const digits = every >= 1000 ? 0 : every >= 100 ? 1 : 2;
  return every >= 1e6 ? `${us / 1e6} s` : `${(us / 1000).toFixed(digits)} ms`;
}

/**
 * The next of 1, 2, 5, 10, 20, …
 * @param {number} least
 */
function round(least) {
  const ten = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return ten * ([1, 2, 5].find((it) => it * ten >= least) ?? 10);
}

/**
 * A column for each step in the order of beginning. A step that outlasts the beginning of others
 * reaches over their columns, so overlaps stay visible. Idle time has no column of its own.
 * @param {RunRecord[]} records
 * @returns {Axis}
 */
export function orderAxis(records) {
  const bands = records.map(columnsOf);
  const length = Math.max(1, ...bands.map((it) => it.starts.length));
  return {
    length,
    span(band, lane, step) {
      const { starts, columns } = bands[band];
      const it = records[band].lanes[lane].steps[step];
      const column = columns[lane][step];
      if (column === undefined) return [rank(starts, it.start_us), rank(starts, it.end_us)];
      return [column, Math.max(column + 1, rank(starts, it.end_us))];
    },
    within(band, lane, step, us) {
      const [from, to] = this.span(band, lane, step);
      const it = records[band].lanes[lane].steps[step];
      const part = (us - it.start_us) / Math.max(1, it.end_us - it.start_us);
      return from + Math.min(1, Math.max(0, part)) * (to - from);
    },
    ticks(pixels, from, to) {
      const every = round((length * 60) / pixels);
      return multiples(every, from + 1, Math.min(to, length)).map((at) => ({ at: at - 1, text: `${at}.` }));
    },
  };
}

/** @param {RunRecord} record */
function columnsOf(record) {
  /** @type {{lane: number, step: number, at: number}[]} */
  const all = [];
  record.lanes.forEach((it, lane) =>
    it.steps.forEach((step, index) => {
      if (!isIdle(step)) all.push({ lane, step: index, at: step.start_us });
    }),
  );
  all.sort((a, b) => a.at - b.at || a.lane - b.lane || a.step - b.step);
  /** @type {(number | undefined)[][]} */
  const columns = record.lanes.map(() => []);
  all.forEach((it, column) => (columns[it.lane][it.step] = column));
  return { starts: all.map((it) => it.at), columns };
}

/**
 * How many of the sorted numbers are smaller.
 * @param {number[]} sorted
 * @param {number} value
 */
function rank(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The lanes of a record in the order of the picture: those of a loss first, each beside the one that
 * overwrote it, then the others in the order of their requests.
 * @param {RunRecord} record
 * @returns {number[]}
 */
export function lanesInOrder(record) {
  const seen = new Set();
  /** @type {Map<number, number>} */
  const overwriter = new Map();
  for (const loss of record.losses) if (!overwriter.has(loss.lost)) overwriter.set(loss.lost, loss.by);
  const overwriters = new Set(overwriter.values());
  const heads = record.losses.map((it) => it.lost).filter((it) => !overwriters.has(it));
  for (const head of [...heads, ...record.losses.map((it) => it.lost)]) {
    for (let at = /** @type {number | undefined} */ (head); at !== undefined && !seen.has(at); ) {
      seen.add(at);
      at = overwriter.get(at);
    }
  }
  record.lanes.forEach((lane, index) => lane.lost && seen.add(index));
  record.lanes.forEach((_, index) => seen.add(index));
  return [...seen];
}
