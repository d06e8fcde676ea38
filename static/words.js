// @ts-check
// Elements and words that all modules use. Foreign text becomes text nodes only, never markup.

const LONG = { label: 'aria-label', silent: 'aria-hidden' };

/** Sets attributes. A function is a listener; `null` and `false` remove the attribute. */
export function dress(node, attributes) {
	for (const [short, value] of Object.entries(attributes)) {
		const name = LONG[short] ?? short;
		if (typeof value === 'function') node.addEventListener(name, value);
		else if (value == null || value === false) node.removeAttribute(name);
		else node.setAttribute(name, value);
	}
	return node;
}

/**
 * Makes an HTML element: `html('p.faint', { id: 'x' }, 'text', node)`. Attributes are optional, and
 * children that are `null` or `false` are left out.
 * @returns {any}
 */
export function html(tag, ...rest) {
	return make('http://www.w3.org/1999/xhtml', tag, rest);
}

/** @returns {any} */
export function svg(tag, ...rest) {
	return make('http://www.w3.org/2000/svg', tag, rest);
}

function make(space, tag, rest) {
	const [name, ...classes] = tag.split('.');
	const node = document.createElementNS(space, name);
	if (classes.length) node.setAttribute('class', classes.join(' '));
	if (rest[0]?.constructor === Object) dress(node, rest.shift());
	node.append(...rest.filter(isThere));
	return node;
}

const isThere = (it) => it != null && it !== false;

export function renew(node, ...children) {
	node.replaceChildren(...children.filter(isThere));
}

/** @returns {any} */
export function byId(id) {
	return document.getElementById(id);
}

export function button(label, click, attributes = {}) {
	return html('button', { type: 'button', click, ...attributes }, label);
}

export function group(label, ...children) {
	return html('div.cluster', { role: 'group', label }, ...children);
}

/** A figure with its name, for a list of facts. */
export function fact(name, value) {
	return html('div', html('dt', name), html('dd', value));
}

/** A time in words: `0.4 ms`, `152 ms`, `1.04 s`. */
export function time(us) {
	return us < 999_500 ? `${+(us / 1000).toPrecision(3)} ms` : `${+(us / 1e6).toPrecision(3)} s`;
}

/** A statement with its values in place of `?` or `$1`. */
export function filled(sql, args) {
	let next = 0;
	return sql.replace(/'(?:[^']|'')*'|\?|\$(\d+)/g, (mark, number) => {
		if (mark[0] === "'") return mark;
		const place = number ? number - 1 : next++;
		if (place >= args.length) return mark;
		const value = args[place];
		return typeof value === 'number' ? value : `'${value.replaceAll("'", "''")}'`;
	});
}

/** Copies a text, and says so on the button for two seconds. */
export async function copy(from, text) {
	const label = (from.dataset.label ??= from.textContent);
	let isCopied = false;
	try {
		await navigator.clipboard.writeText(text);
		isCopied = true;
	} catch {
		// Pages without a secure origin have no clipboard, but an old command.
		const area = html('textarea.hidden', { silent: true });
		area.value = text;
		document.body.append(area);
		area.select();
		isCopied = document.execCommand('copy');
		area.remove();
		from.focus();
	}
	from.textContent = isCopied ? 'Copied' : 'Not copied: the browser forbids it';
	setTimeout(() => (from.textContent = label), 2000);
}
