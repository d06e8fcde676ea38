// @ts-check
// Signs that stand for kinds of steps, and for a loss.
import { html, svg } from './words.js';

export function hatch() {
	const pattern = { id: 'hatch', width: 8, height: 8, patternUnits: 'userSpaceOnUse' };
	return svg('defs', svg('pattern', pattern,
		svg('rect.hatch-ground', { width: 8, height: 8 }),
		svg('path.hatching', { d: 'M-2 2 2 -2M0 8 8 0M6 10 10 6' })));
}

/** A kind, its words, and another kind that looks the same. */
const KINDS = [
	['connection', 'waits for a worker or a connection', 'worker'],
	['begin', 'begins'],
	['read', 'reads'],
	['think', 'thinks', 'pause'],
	['wait', 'waits for a lock'],
	['write', 'writes'],
	['lock', 'locks or unlocks', 'unlock'],
	['commit', 'commits'],
	['rollback', 'rolls back'],
];

/** What the signs mean: only those that occur. @param {RunRecord[]} records */
export function legend(records) {
	const steps = records.flatMap((it) => it.lanes.flatMap((lane) => lane.steps));
	const kinds = new Set(steps.map((it) => it.kind));
	if (steps.some((it) => it.waits.length)) kinds.add('wait');
	const items = KINDS.filter(([kind, , other]) => kinds.has(kind) || kinds.has(other))
		.map(([kind, words]) => html(`li.kind.${kind}`, words));
	if (steps.some((it) => it.refusal)) items.push(html('li', '✗ refused'));
	return html('ul.legend', { label: 'Signs' }, ...items);
}

/**
 * A loss: from the stale read to the overwrite, and a cross on what was overwritten.
 * @param {Record<string, Box | null>} parts
 */
export function drawLoss({ read, written, overwrite }, height) {
	const nodes = [];
	// A step takes effect at its end, after its waits.
	const point = ({ from, to }) => Math.max((from + to) / 2, to - height * 0.5);
	if (read && overwrite) {
		const [from, to] = [point(read), point(overwrite)];
		const isSame = read.y === overwrite.y;
		const isDown = overwrite.y > read.y;
		const start = read.y + height * (isSame || isDown ? 0.7 : 0.1);
		const end = overwrite.y + height * (isDown ? 0.1 : 0.7);
		const [low, bend] = [read.y + height * 0.93, (start + end) / 2];
		const path = isSame
			? `M${from} ${start}V${low}H${to}V${end + 4}`
			: `M${from} ${start}C${from} ${bend} ${to} ${bend} ${to} ${end}`;
		nodes.push(svg('path.halo', { d: path }), svg('path.arrow', { d: path }));
		nodes.push(svg('path.head', { d: `M${to} ${end}l-6 ${isDown ? -8 : 8}h12z` }));
	}
	if (written) {
		const x = point(written);
		const y = written.y + height * 0.4;
		if (overwrite) {
			const edge = Math.max(overwrite.y, written.y);
			const d = `M${point(overwrite)} ${overwrite.y + height * 0.4}V${edge}H${x}V${y}`;
			nodes.unshift(svg('path.halo', { d }), svg('path.strike', { d }));
		}
		const r = height * 0.14;
		const d = `M${x - r} ${y - r}l${2 * r} ${2 * r}M${x - r} ${y + r}l${2 * r} ${-2 * r}`;
		nodes.push(svg('circle.gone', { cx: x, cy: y, r: 2 * r }), svg('path.gone-cross', { d }));
	}
	return nodes;
}
