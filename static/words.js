// @ts-check
// Elements and words that all modules use. Foreign text becomes text nodes only, never markup.

/** @typedef {Record<string, any>} Attributes */
/** @typedef {Node | string | number | null | undefined | false} Child */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Sets attributes. A function is a listener, `null` and `false` leave the attribute out.
 * @template {Element} E
 * @param {E} node
 * @param {Attributes} attributes
 * @returns {E}
 */
export function dress(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (value == null || value === false) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  return node;
}

/**
 * Makes an HTML element.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function html(tag, attributes = {}, ...children) {
  const node = dress(document.createElement(tag), attributes);
  node.append(...said(children));
  return node;
}

/**
 * Makes an SVG element.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function svg(tag, attributes = {}, ...children) {
  const node = dress(document.createElementNS(SVG, tag), attributes);
  node.append(...said(children));
  return /** @type {any} */ (node);
}

/** @param {Child[]} children */
function said(children) {
  return children
    .filter((it) => it != null && it !== false)
    .map((it) => (typeof it === 'number' ? String(it) : /** @type {Node | string} */ (it)));
}

/**
 * Makes a button.
 * @param {Child} label
 * @param {(event: Event) => void} act
 * @param {Attributes} [attributes]
 */
export function button(label, act, attributes = {}) {
  return html('button', { type: 'button', click: act, ...attributes }, label);
}

/**
 * A time in words: `0.4 ms`, `152 ms`, `1.04 s`.
 * @param {number} us
 */
export function time(us) {
  const size = Math.abs(us);
  if (size >= 999_500) return `${(us / 1e6).toFixed(size < 9.995e6 ? 2 : 1)} s`;
  if (size >= 9950) return `${Math.round(us / 1000)} ms`;
  return `${(us / 1000).toFixed(size < 995 ? 2 : 1)} ms`;
}

/**
 * A statement with its values in place of `?` or `$1`.
 * @param {string} sql
 * @param {(number | string)[]} args
 */
export function filled(sql, args) {
  let next = 0;
  return sql.replace(/'(?:[^']|'')*'|\?|\$(\d+)/g, (mark, number) => {
    if (mark[0] === "'") return mark;
    const place = number ? Number(number) - 1 : next++;
    if (place >= args.length) return mark;
    const value = args[place];
    return typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`;
  });
}

/**
 * A number of things: `1 lane`, `3 lanes`.
 * @param {number} number
 * @param {string} one
 */
export function counted(number, one) {
  return `${number} ${one}${number === 1 ? '' : 's'}`;
}

/** The size of the root's font, from which pictures take theirs. */
export function fontSize() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
}

/**
 * Copies a text, and says so on the button for two seconds.
 * @param {HTMLElement} from
 * @param {string} text
 */
export async function copy(from, text) {
  const label = (from.dataset.label ??= from.textContent ?? '');
  let isCopied = false;
  try {
    await navigator.clipboard.writeText(text);
    isCopied = true;
  } catch {
    isCopied = copyTheOldWay(text);
    from.focus();
  }
  from.textContent = isCopied ? 'Copied' : 'Not copied: the browser forbids it';
  setTimeout(() => (from.textContent = label), 2000);
}

/**
 * For pages without a secure origin, where the clipboard's interface is missing.
 * @param {string} text
 */
function copyTheOldWay(text) {
  const area = html('textarea', { class: 'hidden', 'aria-hidden': 'true' });
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  return isCopied;
}
