// @ts-check
// A run that is under way. Events only tell how far it is; the page at the end is the server's.
import { byId, fact, html, renew } from './words.js';

export function followRun() {
	const host = byId('live');
	if (host?.dataset.events && location.protocol !== 'file:') new Live(host).connect();
}

const AWAY = 'The lab does not answer. Trying again…';

class Live {
	last = '';
	attempts = 0;
	frame = 0;
	trouble = html('p.trouble', { role: 'alert', hidden: true });
	gaps = html('p.faint', { role: 'status' });

	constructor(host) {
		this.events = host.dataset.events;
		this.page = host.dataset.done ?? location.pathname;
		this.bar = host.querySelector('progress') ?? html('progress', { label: 'Progress' });
		this.text = byId('said') ?? html('p', { id: 'said', role: 'status' });
		for (const it of [this.bar, this.text]) if (!it.isConnected) host.append(it);
		host.append(this.trouble, this.gaps);
	}

	connect() {
		const mark = this.last && `?last_event_id=${encodeURIComponent(this.last)}`;
		const source = new EventSource(this.events + mark);
		const on = (name, act) => source.addEventListener(name, (event) => {
			this.last = event.lastEventId || this.last;
			this.watch(source);
			act(JSON.parse(event.data || '{}'));
		});
		this.watch(source);
		source.addEventListener('open', () => {
			this.attempts = 0;
			this.trouble.hidden = true;
		});
		on('progress', (data) => {
			this.newest = data;
			this.frame ||= requestAnimationFrame(() => this.draw());
		});
		on('gap', ({ missed }) => {
			const words = missed === 1 ? '1 update was missed.' : `${missed} updates were missed.`;
			this.gaps.textContent = `${words} The figures are right again.`;
		});
		on('ended', () => {
			source.close();
			location.replace(this.page);
		});
		source.addEventListener('error', () => {
			this.tell(AWAY);
			if (source.readyState === EventSource.CLOSED) this.again();
		});
	}

	/** A connection may die without a sign. After half a minute of silence it is made anew. */
	watch(source) {
		clearTimeout(this.silence);
		this.silence = setTimeout(() => {
			source.close();
			this.again();
		}, 30_000);
	}

	tell(words) {
		this.trouble.textContent = words;
		this.trouble.hidden = false;
	}

	/** The browser has given up, because the answer was no stream. The page may say more. */
	again() {
		clearTimeout(this.silence);
		const seconds = Math.min(8, 2 ** this.attempts++);
		setTimeout(async () => {
			const answer = await fetch(this.page).catch(() => null);
			const page = answer?.ok && await answer.text().catch(() => '');
			if (answer?.status === 404) this.tell('The lab does not know this run any more.');
			else if (!page) this.tell(AWAY), this.again();
			else if (/id="?live\b/.test(page)) this.connect();
			else location.replace(this.page);
		}, seconds * 1000);
	}

	draw() {
		this.frame = 0;
		const { done, of, text, verdicts } = this.newest;
		if (of > 0) this.bar.max = of;
		if (done >= 0) this.bar.value = done;
		if (text && this.text.textContent !== text) this.text.textContent = text;
		const entries = Object.entries(verdicts ?? {});
		if (!entries.length) return;
		const list = byId('so-far') ?? html('dl.facts', { id: 'so-far' });
		renew(list, ...entries.map(([name, number]) => fact(name.replaceAll('_', ' '), number)));
		if (!list.isConnected) this.text.after(list);
	}
}
