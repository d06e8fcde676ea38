// @ts-check
// Forms that are sent once, and buttons that copy.
import { byId, copy } from './words.js';

export function prepareForms() {
	const all = (selector, act) => document.querySelectorAll(selector).forEach(act);
	document.addEventListener('submit', ({ target, defaultPrevented }) => {
		const form = /** @type {HTMLFormElement} */ (target);
		if (!defaultPrevented && form.method !== 'get') setTimeout(() => setBusy(form, true));
	});
	addEventListener('pageshow', ({ persisted }) => {
		all('form', (it) => setBusy(it, false));
		// A page that comes back is another wish. Its old token would lead to the old run.
		if (persisted || performance.getEntriesByType('navigation')[0]?.type === 'back_forward') {
			all('[name="token"]', (it) => { it.value = drawn(); });
		}
	});
	all('[data-clears]', prepareUnsure);
	all('[data-copy]', (it) => {
		it.hidden = false;
		it.addEventListener('click', () => void copy(it, textOf(it.dataset.copy)));
	});
}

function drawn() {
	const letters = 'abcdefghijkmnpqrstuvwxyz23456789';
	return [...crypto.getRandomValues(new Uint8Array(26))].map((it) => letters[it % 32]).join('');
}

function setBusy(form, isBusy) {
	for (const it of form.querySelectorAll('button')) {
		if (isBusy === 'was' in it.dataset) continue;
		it.disabled = isBusy;
		if (isBusy) it.dataset.was = it.textContent;
		it.textContent = (isBusy && it.dataset.busy) || it.dataset.was;
		if (!isBusy) delete it.dataset.was;
	}
}

/** "I don't know" empties the field and takes it out. */
function prepareUnsure(box) {
	const field = byId(box.dataset.clears);
	const apply = () => {
		field.disabled = box.checked;
		if (box.checked) field.value = '';
	};
	box.addEventListener('change', apply);
	apply();
}

function textOf(what) {
	if (what === 'link') return location.href;
	const node = document.querySelector(what);
	return node?.value ?? node?.textContent ?? '';
}
