// @ts-check
// One request as a lane of bars. Elements are made once; a zoom only sets their geometry.
import { dress, svg } from './words.js';
import { isIdle } from './scale.js';

/** The least width of a bar, so that a short step is seen at all. */
const LEAST = 3;

export class LaneBars {
	constructor(lane, height) {
		/** @type {Bar[]} */
		this.bars = lane.steps.map((step, at) => barOf(step, at, height));
		// Time that passes is painted below what happens, and a begin below a read.
		const weight = ({ step }) => (isIdle(step) ? 0 : step.kind === 'begin' ? 1 : 2);
		const order = [...this.bars].sort((a, b) => weight(a) - weight(b));
		const nodes = order.flatMap(({ rect, cap, waits }) => [rect, cap, ...waits]);
		/** In the order of painting. Texts are apart: the browser spends time even on hidden ones. */
		this.nodes = [...nodes, ...this.bars.map((it) => it.cross)].filter((it) => it);
		this.texts = this.bars.map((it) => it.text).filter((it) => it);
	}

	/**
	 * Sets the geometry of all bars, in pixels.
	 * @param {(step: number) => number[]} span
	 * @param {number} letter the width of a letter
	 */
	place(span, letter) {
		this.bars.forEach((bar, index) => {
			const [from, to] = span(index);
			bar.from = from;
			bar.to = Math.max(to, from + (isIdle(bar.step) ? 0 : LEAST));
			put(bar.rect, from, bar.to);
			if (bar.cap) put(bar.cap, bar.to - 2, bar.to + 2);
			if (bar.cross) dress(bar.cross, { x: bar.to + letter });
			const { start_us, end_us, waits } = bar.step;
			const part = (us) => Math.min(1, Math.max(0, (us - start_us) / (end_us - start_us || 1)));
			const within = (us) => from + part(us) * (bar.to - from);
			bar.edges = waits.map((it) => [within(it.from_us), within(it.to_us)]);
			bar.edges.forEach(([start, end], at) => put(bar.waits[at], start, end));
		});
		this.placeTexts(letter);
	}

	placeTexts(letter) {
		const solid = this.bars.filter((it) => !isIdle(it.step));
		let taken = -Infinity;
		solid.forEach(({ text, step }, at) => {
			if (!text) return;
			const room = roomFor(solid, at, letter);
			const word = { read: 'reads ', write: 'writes ' }[step.kind] ?? '';
			const fits = (it) => room.from >= taken && room.width >= it.length * letter + 8;
			const said = [`${word}${step.value}`, `${step.value}`].find(fits) ?? '';
			text.textContent = said;
			dress(text, { class: `value${room.isInside ? ` in ${step.kind}` : ''}`, x: room.from + 4 });
			if (said) taken = room.from + said.length * letter + 8;
		});
	}
}

/** @returns {Bar} */
function barOf(step, at, height) {
	const isQueue = step.kind === 'worker' || step.kind === 'connection';
	const isEnd = step.kind === 'commit' || step.kind === 'rollback';
	const box = isQueue
		? { y: height * 0.3, height: height * 0.2 }
		: isIdle(step) ? { y: height * 0.4 - 1, height: 2 } : { y: height * 0.12, height: height * 0.56 };
	const y = height * 0.4;
	return {
		step,
		rect: svg(`rect.step.${step.kind}`, { ...box, 'data-step': at }),
		cap: isEnd ? svg(`rect.cap.${step.kind}`, { y: 1, height: height * 0.78 }) : null,
		waits: step.waits.map(() => svg('rect.wait', { fill: 'url(#hatch)', ...box })),
		text: step.value === null ? null : svg('text', { y }),
		cross: step.refusal === null ? null : svg('text.cross', { y }, '✗'),
		edges: [],
		from: 0,
		to: 0,
	};
}

/**
 * Where a bar's value is written: in the bar where it does not wait, or else behind it and behind
 * the bars that follow at once and have no value.
 * @param {Bar[]} solid
 */
function roomFor(solid, at, letter) {
	const bar = solid[at];
	const least = String(bar.step.value).length * letter + 8;
	const before = Math.min(bar.to, ...bar.edges.map(([from]) => from));
	const after = Math.max(bar.from, ...bar.edges.map(([, to]) => to));
	const [from, to] = before - bar.from >= bar.to - after ? [bar.from, before] : [after, bar.to];
	if (to - from >= least) return { from, width: to - from, isInside: true };
	for (let next = at; ; next += 1) {
		const { to, cap, cross } = solid[next];
		const end = to + (cap ? 3 : 0) + (cross ? letter * 2 : 0);
		const following = solid[next + 1];
		const width = (following?.from ?? Infinity) - end;
		if (width >= least || !following || following.text) return { from: end, width, isInside: false };
	}
}

function put(rect, from, to) {
	dress(rect, { x: from.toFixed(1), width: Math.max(0, to - from).toFixed(1) });
}
