// @ts-check
// Steps through a schedule, forward and back. Every state is in the record, so a step is an index.
import { button, byId, copy, dress, html, renew } from './words.js';
import { light, numberIn, query, setHash } from './address.js';
import { SourceLines } from './source.js';
import { StateCards, StepColumns } from './steps.js';
import { askForm, questionsOf, revealBox } from './predict.js';

const SPEEDS = { slow: 4000, normal: 2200, fast: 900 };

export class Stepper {
	at = 0;
	timer = 0;
	say = html('p.say', { role: 'status' });
	asked = html('div');
	reveal = revealBox();

	/** @param {HTMLElement} host @param {SteppedRun} record */
	constructor(host, record) {
		this.record = record;
		this.last = record.steps.length;
		this.questions = questionsOf(record);
		this.columns = new StepColumns(record, (at) => this.jump(at));
		this.cards = new StateCards(record);
		const link = () => `${location.href.split('#')[0]}#s=${this.at}`;
		const links = html('div.row.take',
			button('Copy the link', (event) => void copy(event.currentTarget, link())),
			this.questions.size > 0 && this.reveal.label);
		const keys = html('p.keys.faint', { id: 'picture-keys' }, 'Keys in the picture: ← → step, Home, End.');
		host.append(this.controls(), this.say, this.asked, this.cards.node, this.columns.node, keys, links);
		host.classList.add('stepper');
		host.hidden = false;
		this.source = new SourceLines(record, host, (line) => this.toLine(line));
		dress(this.columns.node, { keydown: (event) => this.key(event) });
		addEventListener('hashchange', () => this.follow());
		this.show(0, true);
		this.follow();
	}

	controls() {
		this.first = button('«', () => this.jump(0), { label: 'First' });
		this.previous = button('‹ Back', () => this.jump(this.at - 1));
		this.next = button('Next ›', () => this.forward(), { class: 'primary' });
		this.end = button('»', () => this.jump(this.last), { label: 'Last' });
		this.playing = button('Play', () => (this.timer ? this.pause() : this.play()), { class: 'play' });
		const options = Object.entries(SPEEDS).map(([name, value]) =>
			html('option', { value, selected: name === 'normal' }, name));
		this.speed = html('select', { label: 'Speed', change: () => this.timer && this.play() }, ...options);
		this.range = html('input', { type: 'range', min: 0, max: this.last, label: 'Step' });
		dress(this.range, { input: () => this.jump(+this.range.value) });
		return html('div.controls',
			html('div.tools',
				html('div.cluster', this.first, this.previous, this.next, this.end),
				html('div.cluster', this.playing, this.speed)),
			this.range);
	}

	/** Goes where the address says: `#s=6` and `?step=6` are after the sixth step. */
	follow() {
		const at = numberIn(location.hash, 's') ?? +(query().get('step') ?? 0);
		if (at <= this.last && at !== this.at) this.jump(at, true);
	}

	/** One step on. Before a step that decides something, it asks. */
	forward() {
		if (this.at >= this.last) return;
		const question = this.questions.get(this.at);
		if (!question || this.reveal.box.checked) return this.show(this.at + 1);
		this.pause();
		if (!this.asked.firstChild) {
			this.asked.append(askForm(this.record, question, (words) => {
				this.questions.delete(this.at);
				this.show(this.at + 1);
				this.asked.append(html('p.answer', words));
				this.say.prepend(html('span.hidden', `${words} `));
				this.next.focus();
			}));
		}
		this.range.value = this.at;
		this.asked.querySelector('input').focus();
	}

	/** Goes to a state. A single step on asks, a leap does not: what it passes is not asked later. */
	jump(at, isLeap = false) {
		this.pause();
		const to = Math.max(0, Math.min(this.last, at));
		if (to === this.at + 1 && !isLeap) return this.forward();
		for (const index of this.questions.keys()) if (index < to) this.questions.delete(index);
		this.show(to);
	}

	show(at, isFirst = false) {
		this.at = at;
		const { steps, loss } = this.record;
		const count = at ? `Step ${at} of ${this.last}` : 'Start';
		const sentence = steps[at - 1]?.sentence ?? 'Before the first step.';
		const isLost = loss && at === loss.overwrite + 1;
		renew(this.asked);
		renew(this.say, html('span.count', count), ' ', html('span', sentence),
			isLost && html('b.lost', ` ✗ ${loss.sentence}`));
		this.range.value = at;
		dress(this.range, { 'aria-valuetext': `${count}: ${sentence}` });
		// Not disabled, because a disabled button would lose the focus.
		for (const it of [this.first, this.previous]) dress(it, { 'aria-disabled': String(at === 0) });
		for (const it of [this.next, this.end]) dress(it, { 'aria-disabled': String(at === this.last) });
		this.cards.show(at);
		this.columns.show(at);
		this.source.light(at);
		light([byId(`s-${at}`), document.querySelector(`#steps a[href="#s=${at}"]`)]);
		if (!isFirst) setHash(`#s=${at}`);
	}

	play() {
		this.pause();
		if (this.at === this.last) this.show(0);
		this.say.setAttribute('aria-live', 'off');
		this.playing.textContent = 'Pause';
		this.timer = window.setInterval(() => {
			this.forward();
			if (this.at === this.last) this.pause();
		}, +this.speed.value);
		this.forward();
	}

	/** Stops playing. Only then a sentence is said again, so that none is said in between. */
	pause() {
		if (!this.timer) return;
		clearInterval(this.timer);
		this.timer = 0;
		this.playing.textContent = 'Play';
		this.say.removeAttribute('aria-live');
		this.say.append(' ');
	}

	toLine(line) {
		const { steps } = this.record;
		const next = steps.findIndex((it, index) => index >= this.at && it.line === line);
		this.jump((next >= 0 ? next : steps.findIndex((it) => it.line === line)) + 1);
	}

	key(event) {
		if (event.altKey || event.metaKey || event.ctrlKey) return;
		const to = { ArrowRight: this.at + 1, ArrowLeft: this.at - 1, Home: 0, End: this.last }[event.key];
		if (to === undefined) return;
		event.preventDefault();
		this.jump(to);
	}
}
