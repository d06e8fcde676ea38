// @ts-check
// One request as a lane of bars. Elements are made once; a zoom only sets their geometry.
import { svg } from './words.js';
import { isIdle } from './scale.js';

/** @typedef {import('./types').Lane} Lane */
/** @typedef {import('./types').Step} Step */

/** The least width of a bar, so that a short step is seen at all. */
const LEAST = 3;

/** @typedef {import('./types').Bar} Bar */

/** What is drawn of a lane, without a place yet. */
export class LaneBars {
  /**
   * @param {Lane} lane
   * @param {number} height of the lane
   */
  constructor(lane, height) {
    this.height = height;
    /** @type {Bar[]} */
    this.bars = lane.steps.map((step) => this.barOf(step));
    const order = [...this.bars].sort((a, b) => weight(a.step) - weight(b.step));
    const nodes = [
      ...order.flatMap(({ rect, cap, waits, cross }) => [rect, cap, ...waits, cross]),
      ...this.bars.map((it) => it.text),
    ];
    /** All that is drawn, in the order of painting. */
    this.nodes = nodes.filter((it) => it !== null);
  }

  /** @param {Step} step @returns {Bar} */
  barOf(step) {
    const height = this.height;
    const [y, h] = isIdle(step) ? idleBox(step, height) : [height * 0.12, height * 0.56];
    const box = { y: y.toFixed(1), height: h.toFixed(1) };
    const rect = svg('rect', { class: `step ${step.kind}`, ...box });
    const isEnd = step.kind === 'commit' || step.kind === 'rollback';
    const cap = isEnd ? svg('rect', { class: `cap ${step.kind}`, y: 1, height: height * 0.78 }) : null;
    const waits = step.waits.map(() => svg('rect', { class: 'wait', fill: 'url(#hatch)', ...box }));
    const middle = (height * 0.4).toFixed(1);
    const text = step.value === null ? null : svg('text', { y: middle, class: 'value' });
    const cross = step.refusal === null ? null : svg('text', { y: middle, class: 'cross' }, '✗');
    return { step, rect, cap, waits, text, cross, from: 0, to: 0 };
  }

  /**
   * Sets the geometry of all bars.
   * @param {(step: number) => [number, number]} span in pixels
   * @param {(step: number, us: number) => number} within a step, in pixels
   * @param {number} letter the width of a letter
   */
  place(span, within, letter) {
    this.bars.forEach((bar, index) => {
      const [from, to] = span(index);
      bar.from = from;
      bar.to = Math.max(to, from + (isIdle(bar.step) ? 0 : LEAST));
      put(bar.rect, from, bar.to);
      if (bar.cap) put(bar.cap, bar.to - 2, bar.to + 2);
      bar.cross?.setAttribute('x', (bar.to + letter).toFixed(1));
      bar.step.waits.forEach((wait, at) => {
        const start = Math.max(from, within(index, wait.from_us));
        put(bar.waits[at], start, Math.min(bar.to, Math.max(start, within(index, wait.to_us))));
      });
    });
    this.placeTexts(letter);
  }

  /** @param {number} letter */
  placeTexts(letter) {
    const solid = this.bars.filter((it) => !isIdle(it.step));
    let taken = -Infinity;
    solid.forEach((bar, at) => {
      if (!bar.text) return;
      const word = bar.step.kind === 'read' ? 'reads' : bar.step.kind === 'write' ? 'writes' : '';
      const texts = [`${word} ${bar.step.value}`.trim(), String(bar.step.value)];
      const room = roomFor(bar, solid, at, letter);
      const fits = (/** @type {string} */ it) => room.width >= it.length * letter + 8;
      const text = room.from >= taken ? texts.find(fits) : undefined;
      bar.text.textContent = text ?? '';
      bar.text.setAttribute('class', `value${room.isInside ? ` in ${bar.step.kind}` : ''}`);
      bar.text.setAttribute('x', (room.from + 4).toFixed(1));
      if (text) taken = room.from + text.length * letter + 8;
    });
  }
}

/**
 * Where a bar's value is written: in the bar where it does not wait, or else in the free room behind
 * it and behind the bars that follow it at once and have no value.
 * @param {Bar} bar
 * @param {Bar[]} solid
 * @param {number} at
 * @param {number} letter
 */
function roomFor(bar, solid, at, letter) {
  const least = String(bar.step.value).length * letter + 8;
  const edges = bar.waits.map((it) => [it.x.baseVal.value, it.x.baseVal.value + it.width.baseVal.value]);
  const before = Math.min(bar.to, ...edges.map(([from]) => from));
  const after = Math.max(bar.from, ...edges.map(([, to]) => to));
  const [from, to] = before - bar.from >= bar.to - after ? [bar.from, before] : [after, bar.to];
  if (to - from >= least) return { from, width: to - from, isInside: true };
  for (let next = at; next < solid.length; next += 1) {
    const end = solid[next].to + (solid[next].cap ? 3 : 0) + (solid[next].cross ? letter * 2 : 0);
    const following = solid[next + 1];
    const width = (following?.from ?? Infinity) - end;
    if (width >= least || !following || following.text) return { from: end, width, isInside: false };
  }
  return { from: bar.to, width: 0, isInside: false };
}

/**
 * @param {SVGRectElement} rect
 * @param {number} from
 * @param {number} to
 */
function put(rect, from, to) {
  rect.setAttribute('x', from.toFixed(1));
  rect.setAttribute('width', Math.max(0, to - from).toFixed(1));
}

/** Time that passes is painted below what happens, and a begin below a read. @param {Step} step */
function weight(step) {
  return isIdle(step) ? 0 : step.kind === 'begin' ? 1 : 2;
}

/**
 * @param {Step} step
 * @param {number} height
 * @returns {[number, number]}
 */
function idleBox(step, height) {
  const isQueue = step.kind === 'worker' || step.kind === 'connection';
  return isQueue ? [height * 0.3, height * 0.2] : [height * 0.4 - 1, 2];
}
