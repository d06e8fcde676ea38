// @ts-check
// The picture of a burst, or of two on one axis: what is selected, and the buttons and keys for it.
import { button, byId, dress, group, html, renew } from './words.js';
import { light, numberIn, placeIn, query, rowId, setHash, setQuery } from './address.js';
import { Chart } from './chart.js';
import { legend } from './marks.js';
import { describeStep } from './details.js';

/** The number of lanes that are drawn at first. */
const FIRST = 200;

export class Timeline {
	which = html('span.which');
	detail = html('div.detail', { role: 'status' });
	more = html('p.row', { hidden: true });
	place = null;
	/** The place of a loss in `losses`. */
	at = null;
	isTable = false;

	/** @param {HTMLElement} host @param {RunRecord[]} records */
	constructor(host, records) {
		this.host = host;
		this.records = records;
		this.losses = records.flatMap((it, band) => it.losses.map((loss) => ({ ...loss, band })));
		this.chart = new Chart(records);
		this.modes = group('Show', ...['time', 'order', 'table'].map((mode) => {
			const label = mode[0].toUpperCase() + mode.slice(1);
			return button(label, () => this.setMode(mode, true), { 'data-mode': mode });
		}));
		this.zooms = group('Zoom',
			button('Fit', () => this.zoom(0)),
			button('−', () => this.zoom(1 / 1.6), { label: 'Zoom out' }),
			button('+', () => this.zoom(1.6), { label: 'Zoom in' }));
		const pairs = this.losses.length > 0 && group('Losses',
			button('‹', () => this.turn(-1), { label: 'Previous loss' }),
			this.which,
			button('›', () => this.turn(1), { label: 'Next loss' }),
			button('Clear', () => this.clear()));
		const keys = html('p.keys.faint', { id: 'picture-keys' },
			'Keys in the picture: ← → step, ↑ ↓ request, Home, End, + and − zoom, Enter to the table, Esc.');
		this.body = html('div', this.more, this.chart.scroller, this.detail, legend(records), keys);
		host.append(html('div.tools', this.modes, this.zooms, pairs), this.body);
		host.classList.add('picture');
		host.hidden = false;
		this.fill(FIRST);
		this.listen();
		this.setMode(query().get('picture'), false);
		if (!this.follow()) this.select(null, this.losses.length ? 0 : null);
		addEventListener('hashchange', () => {
			if (this.follow() && !this.isTable) host.scrollIntoView({ block: 'nearest' });
		});
	}

	zoom(factor) {
		this.chart.setZoom(this.chart.zoom * factor);
	}

	get loss() {
		return this.at === null ? null : this.losses[this.at];
	}

	listen() {
		const { figure, names } = this.chart;
		const findings = this.records.map((it) =>
			`${it.lanes.length} requests by ${it.plan.strategy}: ${it.verdict?.title ?? 'no verdict'}. `);
		dress(figure, {
			role: 'graphics-document',
			'aria-roledescription': 'timeline',
			label: `${findings.join('')}Marked pairs: ${this.losses.length}.`,
			'aria-describedby': 'picture-keys',
			tabindex: 0,
			keydown: (event) => this.key(event),
		});
		const click = (event) => {
			const place = this.chart.nearest(event);
			if (place) this.move(place);
		};
		for (const it of [figure, names]) dress(it, { click });
	}

	/** Draws at most this many lanes, and says how many are hidden. */
	fill(limit) {
		this.chart.fill(limit);
		const all = this.records.reduce((sum, it) => sum + it.lanes.length, 0);
		const drawn = this.chart.base.length;
		this.more.hidden = drawn === all;
		const show = button(`Show all ${all}`, () => {
			this.showAll();
			this.chart.figure.focus({ preventScroll: true });
		});
		renew(this.more,
			`${drawn} of ${all} requests are drawn, those that lost something first. `,
			`${all - drawn} are hidden.`, show);
	}

	showAll() {
		this.fill(Infinity);
		this.chart.refresh();
		this.select(this.place, this.at);
	}

	setMode(wanted, isAsked) {
		const mode = ['order', 'table'].includes(wanted) ? wanted : 'time';
		for (const it of this.modes.children) dress(it, { 'aria-pressed': String(it.dataset.mode === mode) });
		this.isTable = this.body.hidden = this.zooms.hidden = mode === 'table';
		const table = byId('table');
		if (table && (this.isTable || !isAsked)) {
			table.open = this.isTable || table.querySelectorAll('tbody > tr').length <= 100;
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
		const isPlace = place && this.records[place.band]?.lanes[place.lane]?.steps[place.step];
		if (isPlace) this.select(place, null);
		else if (loss && this.losses[loss - 1]) this.select(null, loss - 1);
		else return false;
		return true;
	}

	/** Selects a step or a loss or both. */
	select(place, at) {
		this.place = place;
		this.at = at;
		const { loss } = this;
		const wanted = loss ? [loss.lost, loss.by] : place ? [place.lane] : [];
		const band = loss?.band ?? place?.band;
		if (!wanted.every((lane) => this.chart.row(band, lane))) return this.showAll();
		this.lightRows();
		this.which.textContent = `Loss ${at === null ? '–' : at + 1} of ${this.losses.length}`;
		renew(this.detail, ...(
			place ? describeStep(this.records[place.band], place)
				: [loss ? html('p.story', loss.sentence) : 'Select a bar to see its statement.']));
		this.chart.mark(loss, place);
	}

	lightRows() {
		const { loss, place } = this;
		const row = (it) => byId(rowId(it, this.records.length));
		if (place || !loss) return light(place ? [row(place)] : []);
		const steps = [loss.read, loss.written, loss.overwrite].filter((it) => it);
		const link = document.querySelector(`a[href="#loss=${this.at + 1}"]`);
		light([link, ...steps.map((it) => row({ band: loss.band, ...it }))]);
	}

	turn(by) {
		const all = this.losses.length;
		const next = this.at === null ? (by > 0 ? 0 : all - 1) : (this.at + by + all) % all;
		this.select(null, next);
		setHash(`#loss=${next + 1}`);
	}

	clear() {
		this.select(null, null);
		setHash('');
	}

	/** Selects a step. The loss stays selected if the step is of its pair. */
	move(place) {
		const { loss } = this;
		const isOfPair = loss?.band === place.band && [loss.lost, loss.by].includes(place.lane);
		this.select(place, isOfPair ? this.at : null);
		setHash(`#${rowId(place, this.records.length)}`);
	}

	key(event) {
		if (event.altKey || event.metaKey || event.ctrlKey) return;
		const act = {
			ArrowRight: () => this.walk(0, 1),
			ArrowLeft: () => this.walk(0, -1),
			ArrowDown: () => this.walk(1, 0),
			ArrowUp: () => this.walk(-1, 0),
			Home: () => this.walk(0, -1e6),
			End: () => this.walk(0, 1e6),
			Escape: () => (this.place ? this.select(null, this.at) : this.clear()),
			'+': () => this.zoom(1.6),
			'-': () => this.zoom(1 / 1.6),
			Enter: () => this.toRow(),
		}[event.key];
		if (!act) return;
		event.preventDefault();
		act();
	}

	/** Moves the selection by lanes or by steps. The first move selects the stale read. */
	walk(down, right) {
		const { order } = this.chart;
		const { loss, place } = this;
		const from = place ?? (loss?.read && { band: loss.band, ...loss.read });
		const within = (number, last) => Math.max(0, Math.min(last, number));
		const at = order.findIndex((it) => it.band === from?.band && it.lane === from?.lane);
		const { band, lane } = order[within(at + (place ? down : 0), order.length - 1)];
		const last = this.records[band].lanes[lane].steps.length - 1;
		const step = within((from?.step ?? 0) + (place ? right : 0), last);
		if (last >= 0) this.move({ band, lane, step });
	}

	/** Moves the focus to the selected step's row in the table. */
	toRow() {
		const row = this.place && byId(rowId(this.place, this.records.length));
		if (byId('table')) byId('table').open = true;
		row?.querySelector('a')?.focus();
	}
}
