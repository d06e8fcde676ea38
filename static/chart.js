// @ts-check
// Lanes on a scale: where they are, how wide, and which of them are drawn. It selects nothing.
import { dress, html, renew, svg } from './words.js';
import { isIdle, lanesInOrder, orderAxis, timeAxis } from './scale.js';
import { LaneBars } from './lanes.js';
import { drawLoss, hatch } from './marks.js';

/** In the order view a column is at least this wide at first. */
const COLUMN = 22;
/** The number of lanes outside the view that one frame makes. */
const CHUNK = 60;

export class Chart {
	size = parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
	laneHeight = Math.max(26, Math.round(this.size * 1.85));
	letter = this.size * 0.56;
	axis = svg('svg.tl-axis', { silent: true, height: Math.round(this.size * 1.7) });
	names = svg('svg.tl-names', { silent: true });
	ring = svg('rect.ring', { rx: 3, visibility: 'hidden' });
	over = svg('g.over');
	lanes = svg('g');
	figure = svg('svg.tl-bars', hatch(), this.lanes, this.over, this.ring);
	scroller = html('div.tl', html('div.tl-corner', { silent: true }, 'Request'), this.axis, this.names, this.figure);
	/** The rows in the order without a selection. @type {Row[]} */
	base = [];
	loss = null;
	place = null;
	isOrder = false;
	version = 0;
	zoom = 1;
	unit = 1;
	width = 0;
	height = 0;
	axisAt = 0;
	dragged = 0;
	frame = 0;

	/** @param {RunRecord[]} records */
	constructor(records) {
		this.records = records;
		this.scale = timeAxis(records);
		/** Of two records, each has its name above its lanes. */
		this.headHeight = records.length > 1 ? Math.round(this.size * 1.9) : 0;
		new ResizeObserver(() => {
			const width = this.scroller.clientWidth;
			if (width && width !== this.width) this.refresh();
		}).observe(this.scroller);
		dress(this.scroller, {
			scroll: () => this.later(),
			pointerdown: () => (this.dragged = 0),
			pointermove: (event) => this.drag(event),
		});
	}

	fill(limit) {
		const share = Math.ceil(limit / this.records.length);
		this.base = this.records.flatMap((record, band) =>
			lanesInOrder(record).slice(0, share).map((lane) => rowOf(record, band, lane)));
		this.rows = this.records.map(() => []);
		for (const it of this.base) this.rows[it.band][it.lane] = it;
		renew(this.lanes, ...this.base.map((it) => it.group), ...this.headings());
		renew(this.names, ...this.base.map((it) => it.name));
		this.loss = null;
		this.arrange();
	}

	row(band, lane) {
		return this.rows[band]?.[lane];
	}

	headings() {
		if (!this.headHeight) return [];
		return this.records.map(({ plan, engine, verdict }, band) => {
			const before = this.base.filter((row) => row.band < band).length;
			const y = before * this.laneHeight + band * this.headHeight + this.size * 1.3;
			const words = `${'AB'[band]}: ${plan.strategy}, ${engine?.isolation ?? ''}. ${verdict?.title ?? ''}`;
			return svg('text.lane-head', { x: 6, y }, words);
		});
	}

	/** Gives each lane its place. The pair of a loss comes together. */
	arrange() {
		const { loss } = this;
		const order = [...this.base];
		const at = (lane) => order.indexOf(this.row(loss.band, lane));
		if (loss) {
			const [by, lost] = [at(loss.by), at(loss.lost)];
			if (Math.abs(by - lost) > 1) order.splice(lost + (by > lost ? 1 : 0), 0, ...order.splice(by, 1));
		}
		this.order = order;
		order.forEach((row, slot) => {
			const y = slot * this.laneHeight + (row.band + 1) * this.headHeight;
			if (row.y === y) return;
			row.y = y;
			dress(row.group, { transform: `translate(0 ${y})` });
			dress(row.name, { y: y + this.laneHeight * 0.4 });
		});
		this.later();
		const height = order.length * this.laneHeight + this.records.length * this.headHeight + 8;
		if (height === this.height) return;
		// Setting it, even to the same height, lays out the whole picture anew.
		this.height = height;
		for (const it of [this.figure, this.names]) dress(it, { height });
	}

	setAxis(isOrder) {
		this.isOrder = isOrder;
		this.scale = isOrder ? orderAxis(this.records) : timeAxis(this.records);
		this.width = this.scroller.clientWidth;
		this.zoom = isOrder ? Math.max(1, (this.scale.length * COLUMN) / this.room()) : 1;
		this.refresh();
	}

	/** The width that is free for bars. Behind the last one there is room for its value. */
	room() {
		return Math.max(160, this.width - this.gutter() - this.size * 7);
	}

	gutter() {
		return Math.round(this.size * (this.width < 600 ? 3.4 : 6.6));
	}

	setZoom(zoom) {
		const room = this.room();
		const middle = (this.scroller.scrollLeft + room / 2) / this.unit;
		const largest = this.isOrder ? (this.scale.length * 160) / room : 400;
		this.zoom = Math.max(1, Math.min(zoom, largest));
		this.refresh((unit) => middle * unit - room / 2);
	}

	/**
	 * Draws everything anew at the present scale, and scrolls to `left`. All is measured before
	 * anything is changed, so that the browser lays the page out once.
	 * @param {(unit: number) => number} [left]
	 */
	refresh(left) {
		const { scrollTop, scrollLeft, clientWidth, clientHeight } = this.scroller;
		this.width = clientWidth;
		this.version += 1;
		const bars = this.room() * this.zoom;
		this.unit = bars / this.scale.length;
		this.scroller.classList.toggle('narrow', clientWidth < 600);
		for (const it of [this.figure, this.axis]) dress(it, { width: Math.ceil(bars + this.size * 7) });
		if (this.names.width.baseVal.value !== this.gutter()) dress(this.names, { width: this.gutter() });
		this.drawVisible(scrollTop, clientHeight);
		this.drawAxis(left?.(this.unit) ?? scrollLeft);
		this.drawOver();
		if (left) this.scroller.scrollLeft = left(this.unit);
		this.later();
	}

	/** Draws the marks of the axis in view, and a view to each side. */
	drawAxis(left) {
		const { unit, size, width } = this;
		const height = Math.round(size * 1.7);
		const middle = this.isOrder ? unit / 2 : 0;
		const [from, to] = [(left - width) / unit, (left + 2 * width) / unit];
		const ticks = this.scale.ticks(unit * this.scale.length, from, to);
		renew(this.axis, ...ticks.flatMap(({ at, text }) => {
			const x = (at * unit + middle).toFixed(1);
			const anchor = at > 0 || this.isOrder ? 'middle' : 'start';
			return [
				svg('line', { x1: x, x2: x, y1: height - 6, y2: height }),
				svg('text', { x, y: height - 9, 'text-anchor': anchor }, text),
			];
		}));
		this.axisAt = left;
	}

	/** Draws the lanes in view, and takes the others out of the layout. */
	drawVisible(scrollTop, height) {
		const [top, bottom] = [scrollTop - height / 2, scrollTop + 1.5 * height];
		for (const row of this.base) {
			const isNear = row.y >= top && row.y <= bottom;
			if (isNear) this.drawRow(row);
			if (row.isShown === isNear) continue;
			row.isShown = isNear;
			for (const it of [row.group, row.name]) dress(it, { display: isNear ? null : 'none' });
			if (isNear) row.group.append(...row.bars.texts);
			else row.bars?.texts.forEach((it) => it.remove());
		}
	}

	drawRow(row) {
		if (row.drawn === this.version) return;
		row.drawn = this.version;
		const { band, lane } = row;
		if (!row.bars) {
			row.bars = new LaneBars(this.records[band].lanes[lane], this.laneHeight);
			const ground = svg('rect.ground', { width: 1e5, height: this.laneHeight });
			row.group.append(ground, ...row.bars.nodes);
		}
		const { scale, unit } = this;
		row.bars.place((step) => scale.span(band, lane, step).map((it) => it * unit), this.letter);
	}

	/** In the next frame: draws the lanes that have come into view, and makes a few others. */
	later() {
		this.frame ||= requestAnimationFrame(() => {
			this.frame = 0;
			const { scrollTop, scrollLeft, clientHeight } = this.scroller;
			this.drawVisible(scrollTop, clientHeight);
			if (Math.abs(scrollLeft - this.axisAt) > this.width / 2) this.drawAxis(scrollLeft);
			const rest = this.base.filter((it) => !it.bars);
			rest.slice(0, CHUNK).forEach((it) => this.drawRow(it));
			if (rest.length > CHUNK) this.later();
		});
	}

	/** Marks a pair of lanes, or none. */
	mark(loss, place) {
		this.loss = loss;
		this.place = place;
		this.arrange();
		for (const it of [this.figure, this.names]) it.classList.toggle('picked', loss !== null);
		for (const { band, lane, group, name } of this.base) {
			// A loss in one of two records leaves the other as it is.
			const isOn = loss && (band !== loss.band || lane === loss.lost || lane === loss.by);
			for (const it of [group, name]) it.classList.toggle('on', isOn ?? false);
		}
		this.drawOver();
		this.show();
	}

	box(band, place) {
		const row = place && this.row(band, place.lane);
		if (!row) return null;
		this.drawRow(row);
		const bar = row.bars.bars[place.step];
		return bar ? { from: bar.from, to: bar.to, y: row.y } : null;
	}

	drawOver() {
		const { loss, place, laneHeight } = this;
		const box = (name) => this.box(loss.band, loss[name]);
		const [read, written, overwrite] = loss ? ['read', 'written', 'overwrite'].map(box) : [];
		renew(this.over, ...(loss ? drawLoss({ read, written, overwrite }, laneHeight) : []));
		const at = place && this.box(place.band, place);
		dress(this.ring, { visibility: at ? 'visible' : 'hidden' });
		if (!at) return;
		dress(this.ring, { x: at.from - 4, y: at.y, width: at.to - at.from + 8, height: laneHeight * 0.8 });
	}

	/** Scrolls the picture, not the page, to what is marked. */
	show() {
		const { loss, place, scroller, laneHeight } = this;
		const box = place ? this.box(place.band, place) : loss && this.box(loss.band, loss.overwrite);
		if (!box) return;
		const { scrollTop, scrollLeft, clientHeight } = scroller;
		const view = clientHeight - this.axis.clientHeight;
		const [top, bottom] = [box.y - laneHeight, box.y + 2 * laneHeight];
		scroller.scrollTop = Math.min(top, Math.max(scrollTop, bottom - view));
		const room = this.room();
		if (box.from < scrollLeft || box.to > scrollLeft + room) scroller.scrollLeft = box.from - room / 2;
	}

	/** Lets a mouse draw the picture along. Scroll bars and buttons do the same. */
	drag({ buttons, pointerType, movementX, movementY }) {
		if (buttons !== 1 || pointerType !== 'mouse') return;
		this.dragged += Math.hypot(movementX, movementY);
		if (this.dragged > 5) this.scroller.scrollBy(-movementX, -movementY);
	}

	/** The nearest step at a point: a thin bar needs no exact aim. @returns {Place | null} */
	nearest({ clientX, clientY }) {
		if (this.dragged > 5) return null;
		const box = this.figure.getBoundingClientRect();
		const [x, y] = [clientX - box.left, clientY - box.top];
		const row = this.base.find((it) => y >= it.y && y < it.y + this.laneHeight);
		const away = (bar) => Math.max(bar.from - x, x - bar.to, 0) + (isIdle(bar.step) ? 6 : 0);
		const bars = (row?.bars?.bars ?? []).map((bar, step) => ({ step, away: away(bar) }));
		const best = bars.sort((a, b) => a.away - b.away)[0];
		return best ? { band: row.band, lane: row.lane, step: best.step } : null;
	}
}

/** @param {RunRecord} record @returns {Row} */
function rowOf(record, band, lane) {
	const it = record.lanes[lane];
	const state = it.lost ? 'lost' : it.outcome === 'applied' ? '' : it.outcome.replace('_', ' ');
	const sign = it.lost ? '✗ ' : state ? '! ' : '';
	const kind = it.lost ? '.is-lost' : '';
	const name = svg(`text.name${kind}`, { x: 6, display: 'none' }, sign + it.request,
		state && svg('tspan.state', ` ${state}`));
	const group = svg(`g.lane${kind}`, { display: 'none', 'data-band': band, 'data-lane': lane });
	return { band, lane, y: -1, group, name, bars: null, drawn: -1, isShown: false };
}
