// @ts-check
// The picture of a schedule: a column for each client, and what is stored and in whose hand.
import { html, svg } from './words.js';

/** @typedef {import('./types').SteppedRun} SteppedRun */
/** @typedef {import('./types').SteppedStep} SteppedStep */

/** @param {string} letter */
function colour(letter) {
  return `client-${letter.toLowerCase()}`;
}

/** Columns of steps: those that ran, the one that ran last, and those to come. */
export class StepColumns {
  arrow = svg('svg', { class: 'sched-over', 'aria-hidden': 'true' });
  at = 0;

  /**
   * @param {SteppedRun} record
   * @param {(at: number) => void} go
   */
  constructor(record, go) {
    this.record = record;
    const letters = record.clients.map((it) => it.letter);
    this.node = html('div', {
      class: 'sched',
      role: 'graphics-document',
      'aria-roledescription': 'schedule',
      'aria-label': `${record.title || record.strategy}: schedule ${record.schedule}`,
      'aria-describedby': 'picture-keys',
      tabindex: 0,
    });
    for (const { letter, name } of record.clients) {
      const words = `Client ${letter}${name ? `, ${name}` : ''}`;
      this.node.append(html('div', { class: `client ${colour(letter)}` }, words));
    }
    this.boxes = record.steps.map((step, index) => {
      const box = html('div', { click: () => go(index + 1) });
      box.style.gridColumn = String(letters.indexOf(step.client) + 1);
      box.style.gridRow = String(index + 2);
      this.node.append(box);
      return box;
    });
    record.steps.forEach((step, index) => this.addWait(step, index));
    this.node.style.gridTemplateColumns = `repeat(${letters.length}, minmax(0, 1fr))`;
    this.node.append(this.arrow);
    new ResizeObserver(() => this.drawArrow()).observe(this.node);
  }

  /** A wait lasts until the step that goes on. @param {SteppedStep} step @param {number} index */
  addWait(step, index) {
    if (!step.waits) return;
    const { steps } = this.record;
    const end = steps.findIndex((it, at) => at > index && it.client === step.client);
    const until = end < 0 ? steps.length : end;
    if (until <= index + 1) return;
    const wait = html('div', { class: 'waiting', 'aria-hidden': 'true' });
    wait.style.gridColumn = this.boxes[index].style.gridColumn;
    wait.style.gridRow = `${index + 3} / ${until + 2}`;
    wait.dataset.from = String(index + 1);
    this.node.append(wait);
  }

  /** Shows the state after this number of steps. @param {number} at */
  show(at) {
    this.at = at;
    const { steps, loss, highlight } = this.record;
    this.boxes.forEach((box, index) => {
      const step = steps[index];
      const state = index < at - 1 ? 'past' : index === at - 1 ? 'now' : 'next';
      const isGone = loss !== null && index === loss.overwritten && at > loss.overwrite;
      const isWrong = highlight !== null && index === highlight.index && at > index;
      const result = step.result.replace(/^\s*→\s*/, '');
      const signs = [
        step.waits && state !== 'next' ? html('span', { class: 'tag' }, '⏳ waits') : null,
        step.refusal && state !== 'next' ? html('span', { class: 'lost' }, '✗ refused') : null,
        isGone ? html('span', { class: 'lost' }, '✗ overwritten') : null,
        isWrong ? html('span', { class: 'lost' }, `✗ ${highlight.words}`) : null,
      ];
      const label = step.resumes === null ? step.label : `… step ${step.resumes} goes on`;
      box.className = `box ${state} ${colour(step.client)}${isGone ? ' gone' : ''}`;
      box.replaceChildren(
        html('span', { class: 'number' }, index + 1),
        html('b', {}, label),
        ...(result && state !== 'next' ? [html('span', { class: 'result' }, ` → ${result}`)] : []),
        html('code', {}, step.text),
        ...signs.filter((it) => it !== null),
      );
    });
    for (const wait of this.node.querySelectorAll('.waiting')) {
      wait.toggleAttribute('hidden', Number(/** @type {HTMLElement} */ (wait).dataset.from) >= at);
    }
    this.drawArrow();
  }

  /** From the stale read to the overwrite, beside the column. */
  drawArrow() {
    const { loss } = this.record;
    const isReached = loss !== null && this.at > loss.overwrite;
    this.arrow.toggleAttribute('hidden', !isReached);
    if (!loss || !isReached) return;
    const [from, to] = [this.boxes[loss.read], this.boxes[loss.overwrite]];
    const isLeft = from.offsetLeft < this.node.clientWidth / 2;
    const edge = (/** @type {HTMLElement} */ it) => (isLeft ? it.offsetLeft : it.offsetLeft + it.offsetWidth);
    const [x, y] = [edge(from), from.offsetTop + from.offsetHeight / 2];
    const [end, low] = [edge(to), to.offsetTop + to.offsetHeight / 2];
    const side = isLeft ? -1 : 1;
    const far = (isLeft ? Math.min(x, end) : Math.max(x, end)) + side * 16;
    this.arrow.replaceChildren(
      svg('path', { class: 'arrow', d: `M${x} ${y}H${far}V${low}H${end + side * 6}` }),
      svg('path', { class: 'head', d: `M${end} ${low}l${side * 10} -7v14z` }),
    );
  }
}

/** What is stored, what each client has in hand, and who waits for whom. */
export class StateCards {
  node = html('div', { class: 'state' });

  /** @param {SteppedRun} record */
  constructor(record) {
    this.record = record;
  }

  /** @param {number} at */
  show(at) {
    const { clients, steps, start } = this.record;
    const step = steps[at - 1];
    const state = step ?? start;
    const before = (at > 1 ? steps[at - 2] : start).row;
    const cards = clients.map(({ letter }) => {
      const hand = state.hands[letter];
      const waits = step && letter in step.waiting;
      const whom = step?.waiting[letter];
      const isOpen = step?.open[letter];
      return html('div', { class: `card ${colour(letter)}` },
        html('h3', {}, letter),
        html('p', {}, 'has in hand: ', html('b', {}, hand ?? 'nothing'),
          step?.changed_hands.includes(letter) && changedTag()),
        html('p', { class: waits ? 'lost' : 'faint' }, waits
          ? `⏳ waits for ${whom ?? 'a lock'}`
          : isOpen ? 'transaction open' : 'no open transaction'),
      );
    });
    if (!start.row.length && !state.row.length) return this.node.replaceChildren(...cards);
    const list = state.row.map((cell) => {
      const old = before.find((it) => it.name === cell.name)?.value;
      const isOther = cell.changed && old !== undefined && old !== cell.value;
      return html('p', {}, `${cell.name}: `, isOther && html('s', {}, old), isOther && ' → ',
        html('b', {}, cell.value), cell.changed && changedTag());
    });
    const stored = list.length ? list : [html('p', { class: 'faint' }, 'not known')];
    this.node.replaceChildren(
      html('div', { class: 'card stored' }, html('h3', {}, 'Stored, for all to read'), ...stored), ...cards);
  }
}

function changedTag() {
  return html('span', { class: 'tag changed' }, 'changed');
}
