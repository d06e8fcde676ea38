// @ts-check
// Predict, then reveal: a question before the step that decides, and the gap afterwards.
import { html, svg } from './words.js';
import { query, remember, remembered } from './address.js';

/** @typedef {import('./types').SteppedRun} SteppedRun */
/** @typedef {{words: string, answer: string}} Question */

/** Whether this reader wants no questions. */
export function wantsNoQuestions() {
  return query().get('reveal') === '1' || remembered('reveal') === '1';
}

/** A box to tick for a reader who wants none. */
export function revealBox() {
  const box = html('input', { type: 'checkbox' });
  box.checked = wantsNoQuestions();
  box.addEventListener('change', () => remember('reveal', box.checked ? '1' : '0'));
  return { box, label: html('label', { class: 'choice' }, box, 'Do not ask me') };
}

/**
 * The questions of a schedule, by the place of the step that answers them.
 * @param {SteppedRun} record
 * @returns {Map<number, Question>}
 */
export function questionsOf({ loss, highlight, steps }) {
  const questions = new Map();
  const decisive = loss ? [loss.read, loss.overwrite] : highlight ? [highlight.index] : [];
  for (const index of decisive) {
    const step = steps[index];
    if (!step || step.refusal) continue;
    const result = step.result.replace(/^\s*→\s*/, '');
    const isOpen = steps.slice(0, index).some((it) => it.client !== step.client && it.action === 'write');
    if (step.action === 'read') {
      const words = `${step.client} reads now: ${step.text}. What does it return?`;
      if (isOpen && result) questions.set(index, { words, answer: result });
      continue;
    }
    const cell = steps.at(-1)?.row[0];
    if (!cell) continue;
    const words = `${step.client} is about to run: ${step.text}. What is ${cell.name} when all steps have run?`;
    questions.set(index, { words, answer: cell.value });
  }
  return questions;
}

/**
 * What may be answered: few numbers to choose from, or a field to type in.
 * @param {SteppedRun} record
 * @param {string} answer
 * @returns {string[]}
 */
function choices({ start, steps }, answer) {
  const seen = new Set([answer, ...[start, ...steps].flatMap((it) => it.row.slice(0, 1).map((cell) => cell.value))]);
  const numbers = [...seen].map(Number);
  if (!numbers.every(Number.isSafeInteger)) return [];
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  if (most > least) numbers.push(most + (most - least));
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  return sorted.length <= 5 ? sorted.map(String) : [];
}

/**
 * A form that asks, and then says what was predicted.
 * @param {SteppedRun} record
 * @param {Question} question
 * @param {(words: string) => void} answered
 */
export function askForm(record, question, answered) {
  const offered = choices(record, question.answer);
  const group = html('fieldset', { class: 'field' }, html('legend', {}, 'First: what do you expect?'));
  group.append(html('p', {}, question.words));
  const row = html('div', { class: 'row' });
  const radio = (/** @type {string} */ value, /** @type {string} */ label) =>
    html('label', { class: 'choice' }, html('input', { type: 'radio', name: 'predicted', value, required: true }), label);
  if (offered.length) row.append(...offered.map((it) => radio(it, it)), radio('', "I don't know"));
  else row.append(html('label', { class: 'choice' }, 'Value', html('input', { name: 'predicted', autocomplete: 'off' })));
  const submit = html('button', { class: 'primary' }, 'Show what happens');
  const hint = offered.length ? null : html('p', { class: 'hint' }, "Empty means: I don't know.");
  group.append(row, ...(hint ? [hint] : []));
  const form = html('form', { class: 'ask' }, group, submit);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const said = String(new FormData(form).get('predicted') ?? '').trim();
    answered(gap(said, question.answer));
  });
  return form;
}

/** @param {string} said @param {string} actual */
function gap(said, actual) {
  if (!said) return `It is ${actual}.`;
  if (said === actual) return `You said ${said}, and so it is.`;
  const away = Number(actual) - Number(said);
  if (!Number.isFinite(away)) return `You said ${said}. It is ${actual}.`;
  return `You said ${said}. It is ${actual}: ${Math.abs(away)} ${away < 0 ? 'less' : 'more'}.`;
}

/** Draws bars for what was predicted and what is there, if the page has a prediction. */
export function drawPrediction() {
  const host = document.getElementById('prediction');
  if (!host) return;
  const values = ['expected', 'predicted', 'actual'].map((name) => [name, Number(host.dataset[name] ?? NaN)]);
  const known = /** @type {[string, number][]} */ (values.filter(([, it]) => Number.isFinite(it)));
  const most = Math.max(...known.map(([, it]) => it));
  if (known.length < 2 || most <= 0) return;
  const box = html('div', { class: 'gap', 'aria-hidden': 'true' });
  for (const [name, value] of known) {
    const width = `${(Math.max(0, value) / most) * 99}%`;
    const bar = svg('rect', { class: name, x: 1, y: 2, width, height: '75%' });
    box.append(html('span', {}, name), svg('svg', {}, bar), html('span', {}, value));
  }
  host.append(box);
}
