// @ts-check
// Forms that are sent once, filters that apply at once, and buttons that copy.
import { copy } from './words.js';

/** Prepares all forms and copy buttons of the page. */
export function prepareForms() {
  document.addEventListener('submit', (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (event.defaultPrevented || form.method === 'get') return;
    setTimeout(() => setBusy(form, true));
  });
  addEventListener('pageshow', () => document.querySelectorAll('form').forEach((it) => setBusy(it, false)));
  for (const box of document.querySelectorAll('[data-clears]')) prepareUnsure(/** @type {any} */ (box));
  for (const form of document.querySelectorAll('form[data-auto]')) {
    form.addEventListener('change', () => /** @type {HTMLFormElement} */ (form).requestSubmit());
  }
  for (const node of document.querySelectorAll('[data-copy]')) {
    const from = /** @type {HTMLElement} */ (node);
    from.hidden = false;
    from.addEventListener('click', () => void copy(from, textOf(from.dataset.copy ?? '')));
  }
}

/** @param {HTMLFormElement} form @param {boolean} isBusy */
function setBusy(form, isBusy) {
  for (const it of form.querySelectorAll('button')) {
    if (isBusy === it.hasAttribute('data-was')) continue;
    if (isBusy) {
      it.dataset.was = it.textContent ?? '';
      it.disabled = true;
      it.textContent = it.dataset.busy ?? it.dataset.was;
    } else {
      it.disabled = false;
      it.textContent = it.dataset.was ?? '';
      delete it.dataset.was;
    }
  }
}

/** "I don't know" empties the field and takes it out. @param {HTMLInputElement} box */
function prepareUnsure(box) {
  const field = /** @type {HTMLInputElement | null} */ (document.getElementById(box.dataset.clears ?? ''));
  const apply = () => {
    if (!field) return;
    field.disabled = box.checked;
    if (box.checked) field.value = '';
  };
  box.addEventListener('change', apply);
  apply();
}

/** @param {string} what */
function textOf(what) {
  if (what === 'link') return location.href;
  const node = document.querySelector(what);
  return (node instanceof HTMLTextAreaElement ? node.value : node?.textContent) ?? '';
}
