// @ts-check
// Lanes on a scale: where they are, how wide, and which of them are drawn. It selects nothing.
import { dress, fontSize, html, svg } from './words.js';
import { lanesInOrder, orderAxis, timeAxis } from './scale.js';
import { LaneBars } from './lanes.js';
import { drawLoss, hatch } from './marks.js';

/** @typedef {import('./types').RunRecord} RunRecord */
/** @typedef {import('./types').Row} Row */
/** @typedef {import('./types').StepPlace} StepPlace */
/** @typedef {import('./types').Place} Place */
/** @typedef {import('./types').Loss & {band: number}} BandLoss */

/** In the order view a column is at least this wide at first. */
const COLUMN = 22;
/** The number of lanes outside the view that one frame makes. */
const CHUNK = 60;

export class Chart {
  size = fontSize();
  laneHeight = Math.max(26, Math.round(this.size * 1.85));
  letter = this.size * 0.56;
  axis = svg('svg', { class: 'tl-axis', 'aria-hidden': 'true' });
  names = svg('svg', { class: 'tl-names', 'aria-hidden': 'true' });
  ring = svg('rect', { class: 'ring', rx: 3, visibility: 'hidden' });
  over = svg('g', { class: 'over' });
  lanes = svg('g');
  figure = svg('svg', { class: 'tl-bars' }, hatch(), this.lanes, this.over, this.ring);
  corner = html('div', { class: 'tl-corner', 'aria-hidden': 'true' }, 'Request');
  scroller = html('div', { class: 'tl' }, this.corner, this.axis, this.names, this.figure);
  /** @type {Row[]} */
  rows = [];
  /** @type {Row[]} */
  order = [];
  /** @type {Map<string, Row>} */
  places = new Map();
  version = 0;
  zoom = 1;
  unit = 1;
  width = 0;
  height = 0;
  axisAt = 0;
  frame = 0;
  isOrder = false;

  /** @param {RunRecord[]} records */
  constructor(records) {
    this.records = records;
    this.scale = timeAxis(records);
    this.scroller.addEventListener('scroll', () => this.later());
    new ResizeObserver(() => {
      const width = this.scroller.clientWidth;
      if (width && width !== this.width) this.refresh();
    }).observe(this.scroller);
    letMouseDrag(this.scroller);
  }

  /** Makes rows for at most this many lanes, the lost ones first. @param {number} limit */
  fill(limit) {
    const share = Math.ceil(limit / this.records.length);
    this.rows = this.records.flatMap((record, band) =>
      lanesInOrder(record).slice(0, share).map((lane, base) => this.rowOf(record, band, lane, base)),
    );
    this.places = new Map(this.rows.map((it) => [`${it.band} ${it.lane}`, it]));
    this.lanes.replaceChildren(...this.rows.map((it) => it.group), ...this.headings());
    this.names.replaceChildren(...this.rows.map((it) => it.name));
    this.arrange(null);
  }

  /** @param {RunRecord} record @param {number} band @param {number} lane @param {number} base */
  rowOf(record, band, lane, base) {
    const it = record.lanes[lane];
    const state = it.lost ? 'lost' : it.outcome === 'applied' ? '' : it.outcome.replace('_', ' ');
    const sign = it.lost ? '✗ ' : state ? '! ' : '';
    const kind = it.lost ? ' is-lost' : '';
    const name = svg('text', { class: `name${kind}`, x: 6 }, `${sign}${it.request}`);
    if (state) name.append(svg('tspan', { class: 'state' }, ` ${state}`));
    const group = svg('g', { class: `lane${kind}` });
    return { band, lane, base, y: -1, group, name, bars: null, drawn: -1, isShown: true };
  }

  /** @param {number} band @param {number} lane */
  row(band, lane) {
    return this.places.get(`${band} ${lane}`);
  }

  get headHeight() {
    return this.records.length > 1 ? Math.round(this.size * 1.9) : 0;
  }

  /** Of two records, each has its name above its lanes. */
  headings() {
    if (!this.headHeight) return [];
    return this.records.map((it, band) => {
      const before = this.rows.filter((row) => row.band < band).length;
      const y = before * this.laneHeight + band * this.headHeight + this.size * 1.3;
      const words = `${'AB'[band]}: ${it.plan.strategy}, ${it.engine?.isolation ?? ''}. `;
      return svg('text', { class: 'lane-head', x: 6, y }, words + (it.verdict?.title ?? ''));
    });
  }

  /** Gives each lane its place. The pair of a loss comes together. @param {BandLoss | null} loss */
  arrange(loss) {
    const order = [...this.rows];
    if (loss) {
      const by = order.findIndex((it) => it.band === loss.band && it.lane === loss.by);
      const lost = order.findIndex((it) => it.band === loss.band && it.lane === loss.lost);
      if (Math.abs(by - lost) > 1) order.splice(lost + (by > lost ? 1 : 0), 0, ...order.splice(by, 1));
    }
    order.forEach((row, slot) => {
      const y = slot * this.laneHeight + (row.band + 1) * this.headHeight;
      if (row.y === y) return;
      row.y = y;
      row.group.setAttribute('transform', `translate(0 ${y})`);
      row.name.setAttribute('y', String(y + this.laneHeight * 0.4));
    });
    this.order = order;
    this.later();
    const height = order.length * this.laneHeight + this.records.length * this.headHeight + 8;
    if (height === this.height) return;
    // Setting it, even to the same height, lays out the whole picture anew.
    this.height = height;
    for (const it of [this.figure, this.names]) dress(it, { height });
  }

  /** @param {boolean} isOrder */
  setAxis(isOrder) {
    this.isOrder = isOrder;
    this.scale = isOrder ? orderAxis(this.records) : timeAxis(this.records);
    this.width = this.scroller.clientWidth;
    this.zoom = isOrder ? Math.max(1, (this.scale.length * COLUMN) / this.room()) : 1;
    this.refresh();
  }

  /** The width that is free for bars. Behind the last one there is room for its value. */
  room() {
    return Math.max(160, this.width - this.gutter() - this.size * 6);
  }

  /** The width of the lanes' names. */
  gutter() {
    return Math.round(this.size * (this.width < 600 ? 3.4 : 6.6));
  }

  /** Zooms around the middle of the view. @param {number} zoom */
  setZoom(zoom) {
    const room = this.room();
    const middle = (this.scroller.scrollLeft + room / 2) / this.unit;
    const largest = this.isOrder ? (this.scale.length * 160) / room : 400;
    this.zoom = Math.max(1, Math.min(zoom, largest));
    this.refresh((unit) => middle * unit - room / 2);
  }

  /**
   * Draws everything anew at the present scale: the lanes in view at once, the others later. All is
   * measured before anything is changed, so that the browser lays the page out once.
   * @param {(unit: number) => number} [left] where it scrolls to
   */
  refresh(left) {
    const { scrollTop, scrollLeft, clientWidth, clientHeight } = this.scroller;
    this.width = clientWidth;
    this.version += 1;
    const bars = this.room() * this.zoom;
    this.unit = bars / this.scale.length;
    this.scroller.classList.toggle('narrow', clientWidth < 600);
    const width = Math.ceil(bars + this.size * 6);
    for (const it of [this.figure, this.axis]) dress(it, { width });
    dress(this.names, { width: this.gutter() });
    dress(this.axis, { height: Math.round(this.size * 1.7) });
    this.drawVisible(scrollTop, clientHeight);
    this.drawAxis(left?.(this.unit) ?? scrollLeft);
    this.drawOver();
    if (left) this.scroller.scrollLeft = left(this.unit);
    this.later();
  }

  /** Draws the marks of the axis in view, and a view to each side. @param {number} left */
  drawAxis(left) {
    const { unit, size } = this;
    const height = Math.round(size * 1.7);
    const middle = this.isOrder ? unit / 2 : 0;
    const [from, to] = [(left - this.width) / unit, (left + 2 * this.width) / unit];
    const ticks = this.scale.ticks(unit * this.scale.length, from, to);
    this.axis.replaceChildren(
      ...ticks.flatMap(({ at, text }) => {
        const x = (at * unit + middle).toFixed(1);
        const anchor = at > 0 || this.isOrder ? 'middle' : 'start';
        return [
          svg('line', { x1: x, x2: x, y1: height - 6, y2: height }),
          svg('text', { x, y: height - 9, 'text-anchor': anchor }, text),
        ];
      }),
    );
    this.axisAt = left;
  }

  /**
   * Draws the lanes in view, and takes the others out of the layout.
   * @param {number} scrollTop
   * @param {number} height
   */
  drawVisible(scrollTop, height) {
    const [top, bottom] = [scrollTop - height / 2, scrollTop + 1.5 * height];
    for (const row of this.rows) {
      const isNear = row.y >= top && row.y <= bottom;
      if (isNear) this.drawRow(row);
      if (row.isShown === isNear) continue;
      row.isShown = isNear;
      for (const it of [row.group, row.name]) dress(it, { display: isNear ? null : 'none' });
    }
  }

  /** @param {Row} row */
  drawRow(row) {
    if (row.drawn === this.version) return;
    row.drawn = this.version;
    if (!row.bars) {
      row.bars = new LaneBars(this.records[row.band].lanes[row.lane], this.laneHeight);
      const ground = { class: 'ground', width: 1e5, height: this.laneHeight };
      row.group.append(svg('rect', ground), ...row.bars.nodes);
    }
    const { scale, unit } = this;
    const { band, lane } = row;
    row.bars.place(
      (step) => {
        const [from, to] = scale.span(band, lane, step);
        return [from * unit, to * unit];
      },
      (step, us) => scale.within(band, lane, step, us) * unit,
      this.letter,
    );
  }

  /** Draws the lanes that have come into view, and makes a few of the others in each frame. */
  later() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      const { scrollTop, scrollLeft, clientHeight } = this.scroller;
      this.drawVisible(scrollTop, clientHeight);
      if (Math.abs(scrollLeft - this.axisAt) > this.width / 2) this.drawAxis(scrollLeft);
      const rest = this.rows.filter((it) => !it.bars);
      rest.slice(0, CHUNK).forEach((it) => this.drawRow(it));
      if (rest.length > CHUNK) this.later();
    });
  }

  /** @type {BandLoss | null} */
  loss = null;
  /** @type {Place | null} */
  place = null;

  /** Marks a pair of lanes, or none. @param {BandLoss | null} loss @param {Place | null} place */
  mark(loss, place) {
    this.loss = loss;
    this.place = place;
    this.arrange(loss);
    this.figure.classList.toggle('picked', loss !== null);
    this.names.classList.toggle('picked', loss !== null);
    for (const it of this.scroller.querySelectorAll('.on')) it.classList.remove('on');
    for (const lane of loss ? [loss.lost, loss.by] : []) {
      const row = this.row(loss?.band ?? 0, lane);
      row?.group.classList.add('on');
      row?.name.classList.add('on');
    }
    this.drawOver();
    this.show();
  }

  /** Where a step is drawn. @param {number} band @param {StepPlace | null} it */
  box(band, it) {
    const row = it && this.row(band, it.lane);
    if (!it || !row) return null;
    this.drawRow(row);
    const bar = row.bars?.bars[it.step];
    return bar ? { from: bar.from, to: bar.to, y: row.y } : null;
  }

  /** Draws the ring around the selected step, and the arrows of the selected loss. */
  drawOver() {
    const { loss, place, ring } = this;
    const nodes = loss && drawLoss({
      read: this.box(loss.band, loss.read),
      written: this.box(loss.band, loss.written),
      overwrite: this.box(loss.band, loss.overwrite),
    }, this.laneHeight);
    this.over.replaceChildren(...(nodes ?? []));
    const box = place && this.box(place.band, place);
    ring.setAttribute('visibility', box ? 'visible' : 'hidden');
    if (!box) return;
    const [width, height] = [box.to - box.from + 8, this.laneHeight * 0.8];
    const geometry = { x: box.from - 4, y: box.y, width, height };
    for (const [name, value] of Object.entries(geometry)) ring.setAttribute(name, String(value));
  }

  /** Scrolls the picture, not the page, to what is marked. */
  show() {
    const { loss, place, scroller, laneHeight } = this;
    const focus = place ?? (loss?.overwrite ? { band: loss.band, ...loss.overwrite } : null);
    const box = focus && this.box(focus.band, focus);
    if (!box) return;
    const view = scroller.clientHeight - this.axis.clientHeight;
    const [top, bottom] = [box.y - laneHeight, box.y + 2 * laneHeight];
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (bottom > scroller.scrollTop + view) scroller.scrollTop = bottom - view;
    const [left, room] = [scroller.scrollLeft, this.room()];
    if (box.from < left || box.to > left + room) scroller.scrollLeft = box.from - room / 2;
  }

  /** The nearest step at a point: a thin bar needs no exact aim. @param {MouseEvent} event */
  nearest(event) {
    const box = this.figure.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const row = this.rows.find((it) => y >= it.y && y < it.y + this.laneHeight);
    let best = -1;
    let least = Infinity;
    row?.bars?.bars.forEach((bar, step) => {
      const isThin = bar.rect.height.baseVal.value < this.laneHeight / 2;
      const away = Math.max(bar.from - x, x - bar.to, 0) + (isThin ? 6 : 0);
      if (away < least) [best, least] = [step, away];
    });
    return row && best >= 0 ? { band: row.band, lane: row.lane, step: best } : null;
  }
}

/** Lets a mouse draw the picture along. Buttons do the same. @param {HTMLElement} node */
function letMouseDrag(node) {
  let isDragged = false;
  node.addEventListener('pointerdown', (down) => {
    isDragged = false;
    if (down.pointerType !== 'mouse' || down.button !== 0) return;
    const [left, top] = [node.scrollLeft, node.scrollTop];
    const stop = new AbortController();
    const { signal } = stop;
    const move = (/** @type {PointerEvent} */ event) => {
      const [x, y] = [event.clientX - down.clientX, event.clientY - down.clientY];
      isDragged ||= Math.hypot(x, y) > 5;
      if (isDragged) node.scrollTo(left - x, top - y);
    };
    addEventListener('pointermove', move, { signal });
    addEventListener('pointerup', () => stop.abort(), { signal });
  });
  const swallow = (/** @type {Event} */ event) => isDragged && event.stopPropagation();
  node.addEventListener('click', swallow, { capture: true });
}
