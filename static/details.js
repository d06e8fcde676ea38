// @ts-check
// What is said of a selected step, or of a selected loss.
import { filled, html, time } from './words.js';

/** @typedef {import('./types').RunRecord} RunRecord */
/** @typedef {import('./types').StepPlace} StepPlace */

/**
 * @param {RunRecord} record
 * @param {StepPlace} place
 */
export function describeStep(record, place) {
  const lane = record.lanes[place.lane];
  const step = lane.steps[place.step];
  const number = `step ${place.step + 1} of ${lane.steps.length}`;
  const title = html('p', {}, html('b', {}, `Request ${lane.request}, ${number}: ${step.label}`));
  const facts = html('dl', { class: 'facts small' });
  const fact = (/** @type {string} */ name, /** @type {string} */ value) =>
    facts.append(html('div', {}, html('dt', {}, name), html('dd', {}, value)));
  if (step.value !== null) fact(step.kind === 'read' ? 'read' : 'wrote', String(step.value));
  fact('took', time(step.end_us - step.start_us));
  fact('from', time(step.start_us));
  fact('to', time(step.end_us));
  for (const wait of step.waits) {
    const holder = wait.for_lane === null ? null : record.lanes[wait.for_lane];
    const whom = holder ? ` for request ${holder.request}` : '';
    fact('waited for a lock', time(wait.to_us - wait.from_us) + whom);
  }
  const lines = [title];
  if (step.sql) lines.push(html('p', {}, html('code', {}, filled(step.sql, step.args))));
  if (step.matched_no_row) lines.push(html('p', {}, 'It changed no row.'));
  if (step.refusal) lines.push(html('p', { class: 'lost' }, `✗ Refused: ${step.refusal}`));
  return [...lines, facts];
}

/**
 * @param {RunRecord} record
 * @param {import('./types').Loss} loss
 */
export function describeLoss(record, loss) {
  const at = (/** @type {StepPlace | null} */ it) =>
    it && record.lanes[it.lane]?.steps[it.step]?.end_us;
  const name = (/** @type {number} */ lane) => `request ${record.lanes[lane]?.request}`;
  const facts = html('dl', { class: 'facts small' });
  const times = [
    [`${name(loss.by)} read at`, at(loss.read)],
    [`${name(loss.lost)} wrote at`, at(loss.written)],
    [`${name(loss.by)} wrote over it at`, at(loss.overwrite)],
  ];
  for (const [words, us] of times) {
    if (typeof us !== 'number') continue;
    facts.append(html('div', {}, html('dt', {}, String(words)), html('dd', {}, time(us))));
  }
  return [html('p', { class: 'story' }, loss.sentence), facts];
}
