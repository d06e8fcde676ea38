// @ts-check
// The picture of a burst, or of two on one axis: what is selected, and the buttons and keys for it.
import { button, counted, html } from './words.js';
import { light, numberIn, placeIn, query, rowId, setHash, setQuery } from './address.js';
import { Chart } from './chart.js';
import { legend } from './marks.js';
import { describeLoss, describeStep } from './details.js';

/** @typedef {import('./types').RunRecord} RunRecord */
/** @typedef {import('./types').Place} Place */

/** The number of lanes that are drawn at first. */
const FIRST = 200;

export class Timeline {
  which = html('span', { class: 'which' });
  detail = html('div', { class: 'detail', role: 'status' });
  more = html('p', { class: 'row', hidden: true });
  /** @type {Place | null} */
  place = null;
  /** @type {number | null} */
  loss = null;
  isTable = false;

  /**
   * @param {HTMLElement} host
   * @param {RunRecord[]} records
   */
  constructor(host, records) {
    this.host = host;
    this.records = records;
    this.losses = records.flatMap((it, band) => it.losses.map((loss) => ({ ...loss, band })));
    this.chart = new Chart(records);
    this.modes = html('div', { class: 'group', role: 'group', 'aria-label': 'Show' });
    for (const mode of ['time', 'order', 'table']) {
      const label = mode[0].toUpperCase() + mode.slice(1);
      this.modes.append(button(label, () => this.setMode(mode, true), { 'data-mode': mode }));
    }
    this.zooms = this.zoomButtons();
    const keys = html('p', { class: 'keys faint', id: 'picture-keys' },
      'Keys in the picture: ← → step, ↑ ↓ request, Home, End, + and − zoom, Enter to the table, Esc.');
    const tools = html('div', { class: 'tools' }, this.modes, this.zooms, this.lossButtons());
    this.body = html('div', {}, this.more, this.chart.scroller, this.detail, legend(records), keys);
    host.append(tools, this.body);
    host.classList.add('picture');
    host.hidden = false;
    this.fill(FIRST);
    this.listen();
    this.setMode(query().get('picture') ?? 'time', false);
    if (!this.follow()) this.select(null, this.losses.length ? 0 : null);
    addEventListener('hashchange', () => {
      if (this.follow() && !this.isTable) host.scrollIntoView({ block: 'nearest' });
    });
  }

  zoomButtons() {
    const by = (/** @type {number} */ factor) => () => this.chart.setZoom(this.chart.zoom * factor);
    return html('div', { class: 'group', role: 'group', 'aria-label': 'Zoom' },
      button('Fit', by(0)),
      button('−', by(1 / 1.6), { 'aria-label': 'Zoom out' }),
      button('+', by(1.6), { 'aria-label': 'Zoom in' }),
    );
  }

  lossButtons() {
    if (!this.losses.length) return null;
    return html('div', { class: 'group', role: 'group', 'aria-label': 'Losses' },
      button('‹', () => this.turn(-1), { 'aria-label': 'Previous loss' }),
      this.which,
      button('›', () => this.turn(1), { 'aria-label': 'Next loss' }),
      button('Clear', () => this.clear(), { 'aria-label': 'Clear the selection' }),
    );
  }

  listen() {
    const { figure, names } = this.chart;
    const finding = this.records.map((it) =>
      `${counted(it.lanes.length, 'request')} by ${it.plan.strategy}: ${it.verdict?.title ?? 'no verdict'}`);
    for (const [name, value] of Object.entries({
      role: 'graphics-document',
      'aria-roledescription': 'timeline',
      'aria-label': `${finding.join('. Below: ')}. Marked pairs: ${this.losses.length}.`,
      'aria-describedby': 'picture-keys',
      tabindex: '0',
    })) figure.setAttribute(name, value);
    figure.addEventListener('keydown', (event) => this.key(event));
    for (const it of [figure, names]) {
      it.addEventListener('click', (event) => {
        const place = this.chart.nearest(/** @type {MouseEvent} */ (event));
        if (place) this.move(place);
      });
    }
  }

  /** Draws at most this many lanes, and says how many are hidden. @param {number} limit */
  fill(limit) {
    this.chart.fill(limit);
    const all = this.records.reduce((sum, it) => sum + it.lanes.length, 0);
    const drawn = this.chart.rows.length;
    this.more.hidden = drawn === all;
    const words = `${drawn} of ${all} requests are drawn, those that lost something first. `;
    const show = button(`Show all ${all}`, () => {
      this.showAll();
      this.chart.figure.focus({ preventScroll: true });
    });
    this.more.replaceChildren(`${words}${all - drawn} are hidden.`, show);
  }

  showAll() {
    this.fill(Infinity);
    this.chart.refresh();
    this.select(this.place, this.loss);
  }

  /** @param {string} wanted @param {boolean} isAsked */
  setMode(wanted, isAsked) {
    const mode = ['order', 'table'].includes(wanted) ? wanted : 'time';
    for (const it of this.modes.querySelectorAll('button')) {
      it.setAttribute('aria-pressed', String(it.dataset.mode === mode));
    }
    this.isTable = this.body.hidden = this.zooms.hidden = mode === 'table';
    const table = document.querySelector('details#table');
    if (table instanceof HTMLDetailsElement) {
      if (this.isTable) table.open = true;
      else if (!isAsked && table.querySelectorAll('tbody > tr').length > 100) table.open = false;
    }
    if (isAsked) setQuery('picture', mode === 'time' ? null : mode);
    if (this.isTable) return;
    this.chart.setAxis(mode === 'order');
    this.chart.show();
  }

  /** Selects what the address names. Returns whether it names anything. */
  follow() {
    const place = placeIn(location.hash);
    const loss = numberIn(location.hash, 'loss');
    if (place && this.records[place.band]?.lanes[place.lane]?.steps[place.step]) {
      this.select(place, null);
    } else if (loss && this.losses[loss - 1]) {
      this.select(null, loss - 1);
    } else {
      return false;
    }
    return true;
  }

  /**
   * Selects a step or a loss or both.
   * @param {Place | null} place
   * @param {number | null} loss
   */
  select(place, loss) {
    this.place = place;
    this.loss = loss;
    const it = loss === null ? null : this.losses[loss];
    const wanted = it ? [it.lost, it.by] : place ? [place.lane] : [];
    const band = it?.band ?? place?.band ?? 0;
    if (!wanted.every((lane) => this.chart.row(band, lane))) return this.showAll();
    this.lightRows();
    const all = this.losses.length;
    this.which.textContent = `Loss ${loss === null ? '–' : loss + 1} of ${all}`;
    const hint = html('p', { class: 'faint' }, 'Select a bar to see its statement.');
    this.detail.replaceChildren(...(
      place ? describeStep(this.records[place.band], place)
        : it ? describeLoss(this.records[it.band], it)
          : [hint]));
    this.chart.mark(it, place);
  }

  /** Marks the rows and the link of what is selected. */
  lightRows() {
    const row = (/** @type {Place} */ it) => document.getElementById(rowId(it, this.records.length));
    const loss = this.loss === null ? null : this.losses[this.loss];
    if (this.place) return light([row(this.place)]);
    if (!loss) return light([]);
    const steps = [loss.read, loss.written, loss.overwrite].filter((it) => it !== null);
    const link = document.querySelector(`a[href="#loss=${(this.loss ?? 0) + 1}"]`);
    const rows = steps.map((it) => row({ band: loss.band, ...it }));
    light([/** @type {HTMLElement | null} */ (link), ...rows]);
  }

  /** @param {number} by */
  turn(by) {
    const all = this.losses.length;
    const next = this.loss === null ? (by > 0 ? 0 : all - 1) : (this.loss + by + all) % all;
    this.select(null, next);
    setHash(`#loss=${next + 1}`);
  }

  clear() {
    this.select(null, null);
    setHash('');
  }

  /** @param {Place} place */
  move(place) {
    const loss = this.loss === null ? null : this.losses[this.loss];
    const isOfPair = loss?.band === place.band && [loss.lost, loss.by].includes(place.lane);
    this.select(place, isOfPair ? this.loss : null);
    setHash(`#${rowId(place, this.records.length)}`);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.altKey || event.metaKey || event.ctrlKey) return;
    const { chart } = this;
    const acts = /** @type {Record<string, () => void>} */ ({
      ArrowRight: () => this.walk(0, 1),
      ArrowLeft: () => this.walk(0, -1),
      ArrowDown: () => this.walk(1, 0),
      ArrowUp: () => this.walk(-1, 0),
      Home: () => this.walk(0, -Infinity),
      End: () => this.walk(0, Infinity),
      Escape: () => (this.place ? this.select(null, this.loss) : this.clear()),
      '+': () => chart.setZoom(chart.zoom * 1.6),
      '-': () => chart.setZoom(chart.zoom / 1.6),
      Enter: () => this.toRow(),
    });
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }

  /** Moves the selection by lanes or by steps. @param {number} down @param {number} right */
  walk(down, right) {
    const { order } = this.chart;
    const loss = this.loss === null ? null : this.losses[this.loss];
    const from = this.place ?? (loss?.read ? { band: loss.band, ...loss.read } : null);
    const isMove = this.place !== null;
    const at = order.findIndex((it) => it.band === from?.band && it.lane === from?.lane);
    const next = Math.max(0, Math.min(order.length - 1, at + (isMove ? down : 0)));
    const { band, lane } = order[next];
    const last = this.records[band].lanes[lane].steps.length - 1;
    const step = (from?.step ?? 0) + (isMove ? right : 0);
    if (last >= 0) this.move({ band, lane, step: Math.max(0, Math.min(last, step)) });
  }

  /** Moves the focus to the selected step's row in the table. */
  toRow() {
    const row = this.place && document.getElementById(rowId(this.place, this.records.length));
    const details = row?.closest('details');
    if (details) details.open = true;
    row?.querySelector('a')?.focus();
  }
}
