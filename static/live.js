// @ts-check
// A run that is under way. Events only tell how far it is; the page at the end is the server's.
import { html } from './words.js';

/** The waits between two attempts, in milliseconds. The last one is repeated. */
const WAITS = [1000, 2000, 4000, 8000];

/** Follows the run of this page, if one is under way. */
export function followRun() {
  const host = document.getElementById('live');
  const events = host?.dataset.events;
  if (host && events && location.protocol !== 'file:') new Live(host, events).connect();
}

class Live {
  last = '';
  attempts = 0;
  frame = 0;
  /** @type {any} */
  newest = null;

  /**
   * @param {HTMLElement} host
   * @param {string} events
   */
  constructor(host, events) {
    this.host = host;
    this.events = events;
    this.page = host.dataset.done ?? location.pathname;
    this.bar = host.querySelector('progress') ?? host.appendChild(html('progress', { 'aria-label': 'Progress' }));
    this.text = document.getElementById('said') ?? host.appendChild(html('p', { id: 'said', role: 'status' }));
    this.trouble = html('p', { class: 'trouble', role: 'alert', hidden: true });
    this.gaps = html('p', { class: 'faint', role: 'status' });
    host.append(this.trouble, this.gaps);
  }

  connect() {
    const mark = this.last ? `?last_event_id=${encodeURIComponent(this.last)}` : '';
    const source = new EventSource(this.events + mark);
    const on = (/** @type {string} */ name, /** @type {(data: any) => void} */ act) =>
      source.addEventListener(name, (event) => {
        this.last = event.lastEventId || this.last;
        act(JSON.parse(event.data || '{}'));
      });
    source.addEventListener('open', () => this.answers());
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
      this.trouble.textContent = 'The lab does not answer. Trying again…';
      this.trouble.hidden = false;
      if (source.readyState === EventSource.CLOSED) this.again();
    });
  }

  answers() {
    this.attempts = 0;
    this.trouble.hidden = true;
  }

  /** The browser has given up, because the answer was no stream. */
  again() {
    const wait = WAITS[Math.min(this.attempts, WAITS.length - 1)];
    this.attempts += 1;
    setTimeout(() => void this.look(), wait);
  }

  /** Looks whether the run's page says more than its stream. */
  async look() {
    try {
      const answer = await fetch(this.page, { headers: { accept: 'text/html' } });
      if (answer.status === 404) {
        this.trouble.textContent = 'The lab does not know this run any more.';
        return;
      }
      const page = answer.ok ? await answer.text() : '';
      if (answer.ok && !/id="?live\b/.test(page)) return location.replace(this.page);
      if (answer.ok) return this.connect();
    } catch {
      // It does not answer yet.
    }
    this.again();
  }

  draw() {
    this.frame = 0;
    const { done, of, text, verdicts } = this.newest;
    if (typeof of === 'number' && of > 0) this.bar.max = of;
    if (typeof done === 'number') this.bar.value = done;
    if (this.text.textContent !== text) this.text.textContent = text;
    const entries = Object.entries(verdicts ?? {});
    if (!entries.length) return;
    const list = document.getElementById('so-far') ?? html('dl', { class: 'facts', id: 'so-far' });
    list.replaceChildren(...entries.map(([name, number]) =>
      html('div', {}, html('dt', {}, name.replaceAll('_', ' ')), html('dd', {}, String(number)))));
    if (!list.isConnected) this.text.after(list);
  }
}
