// @ts-check
// What the page's address says: after `?` for all, and after `#` what is selected.

export function query() {
	return new URLSearchParams(location.search);
}

export function setQuery(name, value) {
	const all = query();
	if (value === null) all.delete(name);
	else all.set(name, value);
	const text = all.toString();
	replace((text ? `?${text}` : location.pathname) + location.hash);
}

export function setHash(text) {
	if (location.hash !== text) replace(text || location.pathname + location.search);
}

function replace(address) {
	try {
		history.replaceState(history.state, '', address);
	} catch {
		// Browsers forbid too many changes in a short time, and some forbid all in a file.
	}
}

/** The place that `#s-6-2` names, or in a comparison `#a-s-6-2`. @returns {Place | null} */
export function placeIn(hash) {
	const found = /^#([ab]-)?s-(\d+)-(\d+)$/.exec(hash);
	return found && { band: found[1] === 'b-' ? 1 : 0, lane: +found[2], step: +found[3] };
}

/** The number that `#loss=2` or `#s=6` gives to a name. */
export function numberIn(hash, name) {
	const found = new RegExp(`^#${name}[=-](\\d+)$`).exec(hash);
	return found ? +found[1] : null;
}

/** The id of a step's row in the table. */
export function rowId({ band, lane, step }, bands) {
	return `${bands > 1 ? ['a-', 'b-'][band] : ''}s-${lane}-${step}`;
}

let lit = [];

/** Marks rows and links as the selected ones, and no others. */
export function light(nodes) {
	for (const it of lit) it.removeAttribute('aria-current');
	for (const it of lit) it.classList.remove('on');
	lit = nodes.filter((it) => it);
	for (const it of lit) it.setAttribute('aria-current', 'true');
	for (const it of lit) it.classList.add('on');
}
