// @ts-check
// Steps through a schedule, forward and back. Every state is in the record, so a step is an index.
import { button, copy, html } from './words.js';
import { light, numberIn, setHash } from './address.js';
import { SourceLines } from './source.js';
import { StateCards, StepColumns } from './steps.js';
import { askForm, questionsOf, revealBox } from './predict.js';

/** @typedef {import('./types').SteppedRun} SteppedRun */

const SPEEDS = [['slow', 4000], ['normal', 2200], ['fast', 900]];

export class Stepper {
  at = 0;
  timer = 0;
  say = html('p', { class: 'say', role: 'status' });
  asked = html('div', {});

  /**
   * @param {HTMLElement} host
   * @param {SteppedRun} record
   */
  constructor(host, record) {
    this.record = record;
    this.last = record.steps.length;
    this.questions = questionsOf(record);
    this.columns = new StepColumns(record, (at) => this.jump(at));
    this.cards = new StateCards(record);
    this.reveal = revealBox();
    this.range = html('input', { type: 'range', min: 0, max: this.last, value: 0, 'aria-label': 'Step' });
    this.range.addEventListener('input', () => this.jump(Number(this.range.value)));
    this.speed = html('select', { 'aria-label': 'Speed', change: () => this.timer && this.play() },
      ...SPEEDS.map(([name, every]) => html('option', { value: every, selected: name === 'normal' }, name)));
    this.playing = button('Play', () => (this.timer ? this.pause() : this.play()), { class: 'play' });
    this.first = button('⏮', () => this.jump(0), { 'aria-label': 'First' });
    this.previous = button('‹ Back', () => this.jump(this.at - 1), { 'aria-label': 'Previous step' });
    this.next = button('Next ›', () => this.forward(), { class: 'primary', 'aria-label': 'Next step' });
    this.end = button('⏭', () => this.jump(this.last), { 'aria-label': 'Last' });
    const move = html('div', { class: 'group' }, this.first, this.previous, this.next, this.end);
    const run = html('div', { class: 'group' }, this.playing, this.speed);
    const keys = html('p', { class: 'keys faint', id: 'picture-keys' },
      'Keys in the picture: ← → step, Home, End.');
    const controls = html('div', { class: 'controls' },
      html('div', { class: 'tools' }, move, run, this.questions.size > 0 && this.reveal.label), this.range);
    host.append(controls, this.say, this.asked, this.cards.node, this.columns.node, keys, this.copies());
    host.classList.add('stepper');
    host.hidden = false;
    this.source = new SourceLines(record, host, (line) => this.toLine(line));
    this.columns.node.addEventListener('keydown', (event) => this.key(event));
    addEventListener('hashchange', () => this.follow());
    this.show(0, true);
    this.follow();
  }

  /** Goes where the address says: `#s=6` is after the sixth step. */
  follow() {
    const at = numberIn(location.hash, 's');
    if (at !== null && at <= this.last && at !== this.at) this.jump(at);
  }

  copies() {
    const { record } = this;
    const here = () => `${location.href.split('#')[0]}#s=${this.at}`;
    const texts = /** @type {[string, () => string][]} */ ([
      ['Copy the link', here],
      ['Copy as SQL', () => sqlOf(record)],
      ['Copy the command', () => record.replay],
    ]);
    const buttons = texts.map(([label, text]) => button(label, (event) =>
      void copy(/** @type {HTMLElement} */ (event.currentTarget), text())));
    return html('div', { class: 'row take' }, ...buttons.filter((_, at) => at !== 2 || record.replay));
  }

  /** One step on. Before a step that decides something, it asks. */
  forward() {
    if (this.at >= this.last) return;
    const question = this.questions.get(this.at);
    if (!question || this.reveal.box.checked) return this.show(this.at + 1);
    this.pause();
    if (this.asked.firstChild) return;
    const form = askForm(this.record, question, (words) => {
      this.questions.delete(this.at);
      this.show(this.at + 1);
      this.asked.replaceChildren(html('p', { class: 'answer' }, words));
      this.say.prepend(html('span', { class: 'hidden' }, `${words} `));
      this.next.focus();
    });
    this.asked.replaceChildren(form);
    form.querySelector('input')?.focus();
  }

  /** Goes to a state at once. What lies between is not asked any more. @param {number} at */
  jump(at) {
    this.pause();
    const to = Math.max(0, Math.min(this.last, at));
    if (to === this.at + 1) return this.forward();
    for (const index of this.questions.keys()) if (index < to) this.questions.delete(index);
    this.show(to);
  }

  /** @param {number} at @param {boolean} [isFirst] */
  show(at, isFirst = false) {
    this.at = at;
    const { record } = this;
    const step = record.steps[at - 1];
    const loss = record.loss;
    this.asked.replaceChildren();
    const parts = step ? [`Step ${at} of ${this.last}`, step.sentence] : ['Start', 'Before the first step.'];
    const isLost = loss !== null && at === loss.overwrite + 1;
    this.say.replaceChildren(html('span', { class: 'count' }, parts[0]), ' ', html('span', {}, parts[1]),
      ...(isLost ? [' ', html('b', { class: 'lost' }, `✗ ${loss.sentence}`)] : []));
    this.range.value = String(at);
    this.range.setAttribute('aria-valuetext', `${parts[0]}: ${parts[1]}`);
    this.disable(this.first, at === 0);
    this.disable(this.previous, at === 0);
    this.disable(this.next, at === this.last);
    this.disable(this.end, at === this.last);
    this.cards.show(at);
    this.columns.show(at);
    this.source.light(at);
    light([document.getElementById(`s-${at}`), document.querySelector(`#steps a[href="#s=${at}"]`)]);
    if (!isFirst) setHash(`#s=${at}`);
  }

  /** A disabled button would lose the focus. @param {HTMLElement} it @param {boolean} isOff */
  disable(it, isOff) {
    it.setAttribute('aria-disabled', String(isOff));
  }

  play() {
    this.pause();
    if (this.at === this.last) this.show(0);
    this.say.setAttribute('aria-live', 'off');
    this.playing.textContent = 'Pause';
    this.timer = window.setInterval(() => {
      this.forward();
      if (this.at === this.last) this.pause();
    }, Number(this.speed.value));
    this.forward();
  }

  /** Stops playing. Only now the sentence is said, so that none is said in between. */
  pause() {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = 0;
    this.playing.textContent = 'Play';
    this.say.removeAttribute('aria-live');
    this.say.append(' ');
  }

  /** Goes to the next step that runs a line. @param {number} line */
  toLine(line) {
    const { steps } = this.record;
    const next = steps.findIndex((it, index) => index >= this.at && it.line === line);
    const at = next >= 0 ? next : steps.findIndex((it) => it.line === line);
    if (at >= 0) this.jump(at + 1);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.altKey || event.metaKey || event.ctrlKey) return;
    const to = /** @type {Record<string, number>} */ ({
      ArrowRight: this.at + 1,
      ArrowLeft: this.at - 1,
      Home: 0,
      End: this.last,
    })[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.jump(to);
  }
}

/** The schedule as SQL to paste: which client types which statement. @param {SteppedRun} record */
function sqlOf(record) {
  const lines = [`-- ${record.strategy}: ${record.schedule}`, `-- ${record.engine}`, '', record.setup_sql, ''];
  for (const step of record.steps) {
    if (step.resumes === null) lines.push(`/* ${step.client} */ ${step.sql ? `${step.text};` : `-- ${step.text}`}`);
  }
  return [...lines, '', record.inspect_sql, ''].join('\n');
}
