// @ts-check
// Signs that stand for kinds of steps, and for a loss.
import { html, svg } from './words.js';

/** @typedef {import('./types').Box} Box */

/** The pattern of a wait for a lock. */
export function hatch() {
  const line = svg('path', { d: 'M-2 2 2 -2M0 8 8 0M6 10 10 6', class: 'hatching' });
  const ground = svg('rect', { width: 8, height: 8, class: 'hatch-ground' });
  const pattern = { id: 'hatch', width: 8, height: 8, patternUnits: 'userSpaceOnUse' };
  return svg('defs', {}, svg('pattern', pattern, ground, line));
}

const KINDS = [
  ['connection', 'waits for a worker or a connection', ['worker', 'connection']],
  ['begin', 'begins', ['begin']],
  ['read', 'reads', ['read']],
  ['think', 'thinks', ['think', 'pause']],
  ['wait', 'waits for a lock', []],
  ['write', 'writes', ['write']],
  ['lock', 'locks or unlocks', ['lock', 'unlock']],
  ['commit', 'commits', ['commit']],
  ['rollback', 'rolls back', ['rollback']],
];

/**
 * What the signs mean: only those that occur.
 * @param {import('./types').RunRecord[]} records
 */
export function legend(records) {
  const steps = records.flatMap((it) => it.lanes.flatMap((lane) => lane.steps));
  const kinds = new Set(steps.map((it) => it.kind));
  const hasWait = steps.some((it) => it.waits.length > 0);
  const isRefused = steps.some((it) => it.refusal !== null);
  const list = html('ul', { class: 'legend', 'aria-label': 'Signs' });
  for (const [kind, words, of] of KINDS) {
    const occurs = kind === 'wait' ? hasWait : /** @type {string[]} */ (of).some((it) => kinds.has(it));
    if (occurs) list.append(html('li', {}, sample(String(kind)), String(words)));
  }
  if (isRefused) list.append(html('li', {}, html('span', { class: 'cross' }, '✗'), 'refused'));
  return list;
}

/** @param {string} kind */
function sample(kind) {
  const picture = svg('svg', { width: 30, height: 18, 'aria-hidden': 'true' });
  const isThin = kind === 'think';
  const [y, height] = isThin ? [8, 2] : kind === 'connection' ? [6, 6] : [2, 14];
  const box = { x: 2, y, width: 25, height };
  if (kind === 'wait') picture.append(hatch(), svg('rect', { class: 'wait', fill: 'url(#hatch)', ...box }));
  else picture.append(svg('rect', { class: `step ${kind}`, ...box }));
  if (kind === 'commit' || kind === 'rollback') {
    picture.append(svg('rect', { class: `cap ${kind}`, x: 25, y: 0, width: 4, height: 18 }));
  }
  return picture;
}

/**
 * A loss: from the stale read to the overwrite, and a cross on what was overwritten.
 * @param {{read: Box | null, written: Box | null, overwrite: Box | null}} parts
 * @param {number} height of a lane
 * @returns {SVGElement[]}
 */
export function drawLoss({ read, written, overwrite }, height) {
  const nodes = /** @type {SVGElement[]} */ ([]);
  const middle = (/** @type {Box} */ it) => (it.from + it.to) / 2;
  if (read && overwrite) {
    const [from, to] = [middle(read), middle(overwrite)];
    if (read.y === overwrite.y) {
      const [top, low] = [read.y + height * 0.7, read.y + height * 0.93];
      nodes.push(...arrow(`M${from} ${top}V${low}H${to}V${top + 4}`, to, top, 'up'));
    } else {
      const side = overwrite.y > read.y ? 1 : -1;
      const [start, end] = [read.y + height * (side > 0 ? 0.7 : 0.1), overwrite.y + height * (side > 0 ? 0.1 : 0.7)];
      const bend = (start + end) / 2;
      const path = `M${from} ${start}C${from} ${bend} ${to} ${bend} ${to} ${end - side * 6}`;
      nodes.push(...arrow(path, to, end, side > 0 ? 'down' : 'up'));
    }
  }
  if (written) {
    const end = Math.max(middle(written), written.to - height * 0.5);
    const [x, y] = [end, written.y + height * 0.4];
    if (overwrite && overwrite.y !== written.y) {
      const side = overwrite.y > written.y ? 1 : -1;
      const start = overwrite.y + height * (side > 0 ? 0.08 : 0.72);
      const path = `M${middle(overwrite)} ${start}L${x} ${y + side * height * 0.3}`;
      nodes.push(svg('path', { class: 'halo', d: path }), svg('path', { class: 'strike', d: path }));
    }
    nodes.push(svg('circle', { class: 'gone', cx: x, cy: y, r: height * 0.3 }));
    const r = height * 0.14;
    const cross = `M${x - r} ${y - r}L${x + r} ${y + r}M${x - r} ${y + r}L${x + r} ${y - r}`;
    nodes.push(svg('path', { class: 'gone-cross', d: cross }));
  }
  return nodes;
}

/**
 * @param {string} path
 * @param {number} x of the head
 * @param {number} y of the head
 * @param {'up' | 'down'} way
 */
function arrow(path, x, y, way) {
  const back = way === 'up' ? 8 : -8;
  return [
    svg('path', { class: 'halo', d: path }),
    svg('path', { class: 'arrow', d: path }),
    svg('path', { class: 'head', d: `M${x} ${y}l-6 ${back}h12z` }),
  ];
}
