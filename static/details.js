// @ts-check
// What is said of a selected step.
import { fact, filled, html, time } from './words.js';

/** @param {RunRecord} record @param {StepPlace} place */
export function describeStep({ lanes }, place) {
	const lane = lanes[place.lane];
	const step = lane.steps[place.step];
	const title = `Request ${lane.request}, step ${place.step + 1} of ${lane.steps.length}: ${step.label}`;
	const waits = step.waits.map((it) => {
		const holder = lanes[it.for_lane ?? -1];
		const whom = holder ? ` for request ${holder.request}` : '';
		return fact('waited for a lock', time(it.to_us - it.from_us) + whom);
	});
	return [
		html('p', html('b', title)),
		step.sql && html('p', html('code', filled(step.sql, step.args))),
		step.matched_no_row && html('p', 'It changed no row.'),
		step.refusal && html('p.lost', `✗ Refused: ${step.refusal}`),
		html('dl.facts.small',
			step.value !== null && fact(step.kind === 'read' ? 'read' : 'wrote', step.value),
			fact('took', time(step.end_us - step.start_us)),
			fact('from', time(step.start_us)),
			fact('to', time(step.end_us)),
			...waits),
	];
}
