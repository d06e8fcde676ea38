// @ts-check
// Two axes for the same steps: real time, and the order in which they began.

/** Whether a step is a mere passing of time, drawn as a line. */
export function isIdle({ kind }) {
	return ['worker', 'connection', 'think', 'pause'].includes(kind);
}

/** A unit is a microsecond. @param {RunRecord[]} records @returns {Axis} */
export function timeAxis(records) {
	const ends = records.flatMap((it) => [it.took_us, ...it.lanes.map((lane) => lane.answered_us)]);
	const length = Math.max(1, ...ends);
	return {
		length,
		span(band, lane, step) {
			const it = records[band].lanes[lane].steps[step];
			return [it.start_us, it.end_us];
		},
		ticks(pixels, from, to) {
			const every = round((length * 90) / pixels);
			const text = (at) => (every < 1e6 ? `${+(at / 1000).toFixed(2)} ms` : `${at / 1e6} s`);
			return multiples(every, from, Math.min(to, length)).map((at) => ({ at, text: text(at) }));
		},
	};
}

/**
 * A unit is a step, in the order of beginning. A step that outlasts the beginning of others reaches
 * over their columns, so overlaps stay visible. Idle time has no column of its own.
 * @param {RunRecord[]} records
 * @returns {Axis}
 */
export function orderAxis(records) {
	const bands = records.map(columnsOf);
	const length = Math.max(1, ...bands.map((it) => it.starts.length));
	return {
		length,
		span(band, lane, step) {
			const { starts, columns } = bands[band];
			const it = records[band].lanes[lane].steps[step];
			const column = columns[lane][step];
			if (column === undefined) return [rank(starts, it.start_us), rank(starts, it.end_us)];
			return [column, Math.max(column + 1, rank(starts, it.end_us))];
		},
		ticks(pixels, from, to) {
			const every = round((length * 60) / pixels);
			const marks = multiples(every, Math.max(1, from + 1), Math.min(to, length));
			return marks.map((at) => ({ at: at - 1, text: `${at}.` }));
		},
	};
}

/** The next of 1, 2, 5, 10, 20, … */
function round(least) {
	const ten = 10 ** Math.floor(Math.log10(Math.max(1, least)));
	return ten * ([1, 2, 5].find((it) => it * ten >= least) ?? 10);
}

function multiples(every, from, to) {
	const all = [];
	for (let at = Math.ceil(Math.max(0, from) / every) * every; at <= to; at += every) all.push(at);
	return all;
}

function columnsOf({ lanes }) {
	const all = lanes.flatMap(({ steps }, lane) =>
		steps.map((it, step) => ({ lane, step, at: it.start_us, isIdle: isIdle(it) })));
	const busy = all.filter((it) => !it.isIdle).sort((a, b) => a.at - b.at || a.lane - b.lane);
	const columns = lanes.map(() => []);
	busy.forEach((it, column) => (columns[it.lane][it.step] = column));
	return { starts: busy.map((it) => it.at), columns };
}

/** How many of the sorted numbers are smaller. */
function rank(sorted, value) {
	let [low, high] = [0, sorted.length];
	while (low < high) {
		const middle = (low + high) >> 1;
		if (sorted[middle] < value) low = middle + 1;
		else high = middle;
	}
	return low;
}

/**
 * The lanes of a record in the order of the picture: those of a loss first, each above the one that
 * overwrote it, then the others in the order of their requests.
 * @param {RunRecord} record
 */
export function lanesInOrder({ lanes, losses }) {
	const overwriter = new Map([...losses].reverse().map((it) => [it.lost, it.by]));
	const overwriters = new Set(overwriter.values());
	const lost = losses.map((it) => it.lost);
	const order = new Set();
	for (const first of [...lost.filter((it) => !overwriters.has(it)), ...lost]) {
		for (let at = first; at !== undefined && !order.has(at); at = overwriter.get(at)) order.add(at);
	}
	lanes.forEach((lane, at) => lane.lost && order.add(at));
	lanes.forEach((_, at) => order.add(at));
	return [...order];
}
