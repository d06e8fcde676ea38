// @ts-check
// What the page's address says: `?picture=` and `?reveal=` for all, and after `#` what is selected.

/** @returns {URLSearchParams} */
export function query() {
  return new URLSearchParams(location.search);
}

/**
 * Replaces one parameter of the query, and keeps what stands after `#`.
 * @param {string} name
 * @param {string | null} value
 */
export function setQuery(name, value) {
  const all = query();
  if (value === null) all.delete(name);
  else all.set(name, value);
  const text = all.toString();
  replace((text ? `?${text}` : location.pathname) + location.hash);
}

/**
 * Replaces what stands after `#`. An empty text removes it.
 * @param {string} text
 */
export function setHash(text) {
  if (location.hash !== text) replace(text || location.pathname + location.search);
}

/** @param {string} address */
function replace(address) {
  try {
    history.replaceState(history.state, '', address);
  } catch {
    // Browsers forbid too many changes in a short time, and some forbid all in a file.
  }
}

/** @typedef {import('./types').Place} Place */

/** The rows of a comparison's second run have another beginning. */
const BANDS = ['', 'a-', 'b-'];

/**
 * The place that `#s-6-2`, `#a-s-6-2` or `#b-s-6-2` names.
 * @param {string} hash
 * @returns {Place | null}
 */
export function placeIn(hash) {
  const found = /^#([ab]-)?s-(\d+)-(\d+)$/.exec(hash);
  if (!found) return null;
  return { band: found[1] === 'b-' ? 1 : 0, lane: Number(found[2]), step: Number(found[3]) };
}

/**
 * The number that `#loss=2` or `#s=6` gives to a name.
 * @param {string} hash
 * @param {string} name
 * @returns {number | null}
 */
export function numberIn(hash, name) {
  const found = new RegExp(`^#${name}[=-](\\d+)$`).exec(hash);
  return found ? Number(found[1]) : null;
}

/**
 * The id of a step's row in the table.
 * @param {Place} place
 * @param {number} bands
 */
export function rowId(place, bands) {
  return `${BANDS[bands > 1 ? place.band + 1 : 0]}s-${place.lane}-${place.step}`;
}

/** @type {HTMLElement[]} */
let lit = [];

/**
 * Marks rows and links as the selected ones, and no others.
 * @param {(HTMLElement | null)[]} nodes
 */
export function light(nodes) {
  for (const node of lit) {
    node.classList.remove('on');
    node.removeAttribute('aria-current');
  }
  lit = nodes.filter((it) => it !== null);
  for (const node of lit) {
    node.classList.add('on');
    node.setAttribute('aria-current', 'true');
  }
}

/**
 * Reads a setting that only this browser keeps.
 * @param {string} name
 */
export function remembered(name) {
  try {
    return localStorage.getItem(`racy.${name}`);
  } catch {
    return null;
  }
}

/**
 * Keeps a setting in this browser, if it lets itself be asked.
 * @param {string} name
 * @param {string} value
 */
export function remember(name, value) {
  try {
    localStorage.setItem(`racy.${name}`, value);
  } catch {
    // A browser without storage asks again.
  }
}
