// @ts-check
// The source beside a schedule: the line that runs now, and where each client goes on.
import { byId, dress, html, renew } from './words.js';

export class SourceLines {
	/** Without a listing on the page, one comes after the host. @param {SteppedRun} record */
	constructor({ source, steps }, host, go) {
		this.steps = steps;
		if (!byId('source') && source) host.after(listing(source));
		const list = byId('source');
		this.box = list?.querySelector('.code');
		this.lines = new Map();
		for (const line of list?.querySelectorAll('li') ?? []) {
			const number = line.value;
			const isRun = steps.some((it) => it.line === number);
			line.prepend(html(isRun ? 'button.mark' : 'span.mark', isRun ? { type: 'button' } : {}));
			if (isRun) dress(line, { class: 'runs', click: () => go(number) });
			this.lines.set(number, line);
		}
	}

	/** Marks the lines for the state after this number of steps. @param {number} at */
	light(at) {
		const { steps, box } = this;
		const now = steps[at - 1]?.line;
		const signs = [...new Set(steps.map((it) => it.client))].flatMap((client) => [
			{ client, sign: '▶', line: steps.slice(0, at).reverse().find((it) => it.client === client)?.line },
			{ client, sign: '·', line: steps.slice(at).find((it) => it.client === client)?.line },
		]);
		for (const [number, line] of this.lines) {
			const marks = signs.filter((it) => it.line === number).map(({ client, sign }) =>
				html(`span.client-${client.toLowerCase()}`, sign + client));
			const isButton = line.classList.contains('runs');
			const words = isButton && html('span.hidden', `Line ${number}: go to its next step. `);
			renew(line.firstElementChild, words, ...marks);
			line.classList.toggle('now', number === now);
			dress(line, { 'aria-current': number === now && 'step' });
		}
		const line = this.lines.get(now ?? signs.find((it) => it.line)?.line);
		if (!line || !box) return;
		const [top, height] = [line.offsetTop - box.scrollTop, box.clientHeight];
		if (top < 24 || top > height - 48) box.scrollTop += top - height / 2;
	}
}

function listing({ file, first, lines }) {
	const items = lines.map((text, at) =>
		html('li', { id: `L${first + at}`, value: first + at }, html('code', text)));
	return html('figure.source', { id: 'source' }, html('figcaption', file),
		html('div.code', { role: 'region', label: 'The source', tabindex: 0 }, html('ol', ...items)));
}
