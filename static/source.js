// @ts-check
// The source beside a schedule: the line that runs now, and where each client goes on.
import { html } from './words.js';

/** @typedef {import('./types').SteppedRun} SteppedRun */

export class SourceLines {
  /** @type {Map<number, HTMLElement>} */
  lines = new Map();
  /** @type {Map<number, HTMLElement>} */
  marks = new Map();
  /** @type {HTMLElement | null} */
  box = null;

  /**
   * @param {SteppedRun} record
   * @param {HTMLElement} host the listing comes after it if the page has none
   * @param {(line: number) => void} go
   */
  constructor(record, host, go) {
    this.steps = record.steps;
    if (!document.getElementById('source') && record.source) host.after(listing(record.source));
    const figure = document.getElementById('source');
    this.box = figure?.querySelector('.code') ?? null;
    for (const line of figure?.querySelectorAll('li') ?? []) this.lines.set(line.value, line);
    const used = new Set(this.steps.map((it) => it.line));
    for (const [number, line] of this.lines) {
      const label = `Line ${number}: go to the next step that runs it`;
      const mark = used.has(number)
        ? html('button', { type: 'button', class: 'mark', 'aria-label': label })
        : html('span', { class: 'mark' });
      if (used.has(number)) {
        line.classList.add('runs');
        line.addEventListener('click', () => go(number));
      }
      this.marks.set(number, mark);
      line.prepend(mark);
    }
  }

  /**
   * Marks the lines for the state after this number of steps.
   * @param {number} at
   */
  light(at) {
    /** @type {Map<number, Node[]>} */
    const words = new Map();
    const now = this.steps[at - 1];
    const mark = (/** @type {number | null} */ line, /** @type {string} */ sign, /** @type {string} */ letter) => {
      if (line === null) return;
      const client = html('span', { class: `client-${letter.toLowerCase()}` }, sign + letter);
      words.set(line, [...(words.get(line) ?? []), client]);
    };
    for (const letter of new Set(this.steps.map((it) => it.client))) {
      const done = this.steps.slice(0, at).findLast((it) => it.client === letter);
      const next = this.steps.slice(at).find((it) => it.client === letter);
      if (done) mark(done.line, '▶', letter);
      if (next) mark(next.line, '·', letter);
    }
    for (const [number, line] of this.lines) {
      const isNow = now?.line === number;
      line.classList.toggle('now', isNow);
      if (isNow) line.setAttribute('aria-current', 'step');
      else line.removeAttribute('aria-current');
      this.marks.get(number)?.replaceChildren(...(words.get(number) ?? []));
    }
    const line = this.lines.get(now?.line ?? -1) ?? this.lines.get([...words.keys()][0] ?? -1);
    if (!line || !this.box) return;
    const [top, height] = [line.offsetTop, this.box.clientHeight];
    const isSeen = top > this.box.scrollTop + 24 && top < this.box.scrollTop + height - 48;
    if (!isSeen) this.box.scrollTop = top - height / 2;
  }
}

/** @param {{file: string, first: number, lines: string[]}} source */
function listing({ file, first, lines }) {
  const list = html('ol', { start: first });
  lines.forEach((text, at) => {
    const number = first + at;
    list.append(html('li', { id: `L${number}`, value: number }, html('code', {}, text)));
  });
  const code = html('div', { class: 'code', role: 'region', 'aria-label': 'The source', tabindex: 0 }, list);
  return html('figure', { class: 'source', id: 'source' }, html('figcaption', {}, file), code);
}
