// @ts-check
// The picture of a schedule: a column for each client, and what is stored and in whose hand.
import { dress, html, renew, svg } from './words.js';
import { resultOf } from './predict.js';

const colour = (letter) => `client-${letter.toLowerCase()}`;

/** Columns of steps: those that ran, the one that ran last, and those to come. */
export class StepColumns {
	arrow = svg('svg.sched-over', { silent: true });
	at = 0;

	constructor(record, go) {
		this.record = record;
		const letters = record.clients.map((it) => it.letter);
		const heads = record.clients.map(({ letter, name }) =>
			html(`div.client.${colour(letter)}`, `Client ${letter}${name ? `, ${name}` : ''}`));
		this.boxes = record.steps.map((step, index) => {
			const box = html('div', { click: () => go(index + 1) });
			box.style.gridArea = `${index + 2} / ${letters.indexOf(step.client) + 1}`;
			return box;
		});
		this.waits = record.steps.map((_, index) => this.waitOf(index)).filter((it) => it);
		this.node = html('div.sched', {
			role: 'graphics-document',
			'aria-roledescription': 'schedule',
			label: `${record.title || record.strategy}: schedule ${record.schedule}`,
			'aria-describedby': 'picture-keys',
			tabindex: 0,
		}, ...heads, ...this.boxes, ...this.waits.map((it) => it.node), this.arrow);
		this.node.style.gridTemplateColumns = `repeat(${letters.length}, minmax(0, 1fr))`;
		new ResizeObserver(() => this.drawArrow()).observe(this.node);
	}

	/** A wait lasts until its client's next step. */
	waitOf(index) {
		const { steps } = this.record;
		const end = steps.findIndex((it, at) => at > index && it.client === steps[index].client);
		const rows = (end < 0 ? steps.length : end) - index - 1;
		if (!steps[index].waits || rows < 1) return null;
		const node = html('div.waiting', { silent: true });
		node.style.gridArea = `${index + 3} / ${this.boxes[index].style.gridColumnStart} / span ${rows}`;
		return { node, index };
	}

	show(at) {
		this.at = at;
		const { steps, loss, highlight } = this.record;
		this.boxes.forEach((box, index) => {
			const step = steps[index];
			const isDone = index < at;
			const state = index === at - 1 ? 'now' : isDone ? 'past' : 'next';
			const isGone = loss && index === loss.overwritten && at > loss.overwrite;
			const isWrong = highlight && index === highlight.index && isDone;
			const sign = (words) => html('span.lost', `✗ ${words}`);
			dress(box, { class: `box ${state} ${colour(step.client)}${isGone ? ' gone' : ''}` });
			renew(box,
				html('span.number', index + 1),
				html('b', step.resumes === null ? step.label : `… step ${step.resumes} goes on`),
				isDone && resultOf(step) && html('span.result', `→ ${resultOf(step)}`),
				isDone && step.waits && html('span.tag', '… waits'),
				isDone && step.refusal && sign('refused'),
				isGone && sign('overwritten'),
				isWrong && sign(highlight.words),
				html('code', step.text),
			);
		});
		for (const { node, index } of this.waits) node.hidden = index >= at;
		this.drawArrow();
	}

	/** From the stale read to the overwrite, beside the column. */
	drawArrow() {
		const { loss } = this.record;
		const isReached = loss && this.at > loss.overwrite;
		dress(this.arrow, { hidden: !isReached });
		if (!isReached) return;
		const [from, to] = [this.boxes[loss.read], this.boxes[loss.overwrite]];
		const isLeft = from.offsetLeft < this.node.clientWidth / 2;
		const side = isLeft ? -1 : 1;
		const [start, end] = [from, to].map((it) => ({
			x: it.offsetLeft + (isLeft ? 0 : it.offsetWidth),
			y: it.offsetTop + it.offsetHeight / 2,
		}));
		const far = side * (Math.max(side * start.x, side * end.x) + 15);
		renew(this.arrow,
			svg('path.arrow', { d: `M${start.x} ${start.y}H${far}V${end.y}H${end.x + side * 6}` }),
			svg('path.head', { d: `M${end.x} ${end.y}l${side * 10} -7v14z` }));
	}
}

/** What is stored, what each client has in hand, and who waits for whom. */
export class StateCards {
	node = html('div.state');

	/** @param {SteppedRun} record */
	constructor(record) {
		this.record = record;
	}

	show(at) {
		const { clients, steps, start } = this.record;
		const step = steps[at - 1];
		const { row, hands } = step ?? start;
		const before = (steps[at - 2] ?? start).row;
		const changed = () => html('span.tag.changed', 'changed');
		const cells = row.map(({ name, value, changed: isChanged }) => {
			const old = before.find((it) => it.name === name)?.value;
			const isOther = isChanged && old !== undefined && old !== value;
			return html('p', `${name}: `, isOther && html('s', old), isOther && ' → ',
				html('b', value), isChanged && changed());
		});
		if (!cells.length) cells.push(html('p.faint', 'not known'));
		const stored = html('div.card.stored', html('p.head', 'Stored'), ...cells);
		const isKnown = [start, ...steps].some((it) => it.row.length);
		renew(this.node, isKnown && stored, ...clients.map(({ letter }) => {
			const waits = step && letter in step.waiting;
			const open = step?.open[letter] ? 'transaction open' : 'no transaction';
			return html(`div.card.${colour(letter)}`,
				html('p.head', `Client ${letter}`),
				html('p', 'in hand: ', html('b', hands[letter] ?? 'nothing'),
					step?.changed_hands.includes(letter) && changed()),
				waits ? html('p.lost', `… waits for ${step.waiting[letter] ?? 'a lock'}`) : html('p.faint', open));
		}));
	}
}
