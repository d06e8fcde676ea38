// @ts-check
// Predict, then reveal: a question before the step that decides, and the gap afterwards.
import { byId, html } from './words.js';
import { query } from './address.js';

const KEY = 'racy.reveal';

/** A box for a reader who wants no questions. This browser keeps it. */
export function revealBox() {
	const box = html('input', { type: 'checkbox' });
	try {
		box.checked = query().get('reveal') === '1' || localStorage.getItem(KEY) === '1';
		box.addEventListener('change', () => localStorage.setItem(KEY, box.checked ? '1' : '0'));
	} catch {
		// A browser without storage asks again.
	}
	return { box, label: html('label.choice', box, 'Do not ask me') };
}

export function resultOf({ result }) {
	return result.replace(/^\s*→\s*/, '');
}

/**
 * The questions of a schedule, by the place of the step that answers them.
 * @param {SteppedRun} record
 * @returns {Map<number, {words: string, answer: string}>}
 */
export function questionsOf({ loss, highlight, steps }) {
	const questions = new Map();
	const last = steps.at(-1)?.row[0];
	for (const index of loss ? [loss.read, loss.overwrite] : highlight ? [highlight.index] : []) {
		const step = steps[index];
		if (!step || step.refusal) continue;
		const run = `${step.client} is about to run: ${step.text}.`;
		const isOther = (it) => it.client !== step.client && it.action === 'write';
		if (step.action !== 'read' && last) {
			const words = `${run} What is ${last.name} when all steps have run?`;
			questions.set(index, { words, answer: last.value });
		} else if (step.action === 'read' && resultOf(step) && steps.slice(0, index).some(isOther)) {
			questions.set(index, { words: `${run} What does it return?`, answer: resultOf(step) });
		}
	}
	return questions;
}

/** The numbers to choose from. None if they are too many, or no numbers. @returns {number[]} */
function choices({ start, steps }, answer) {
	const cells = [start, ...steps].flatMap((it) => it.row.slice(0, 1).map((cell) => +cell.value));
	const seen = [...new Set([+answer, ...cells])].sort((a, b) => a - b);
	if (!seen.every(Number.isSafeInteger)) return [];
	const [least, most] = [seen[0], seen[seen.length - 1]];
	if (most > least) seen.push(2 * most - least);
	return seen.length <= 5 ? seen : [];
}

/** A form that asks, and then tells `answered` in words how far the prediction was off. */
export function askForm(record, { words, answer }, answered) {
	const numbers = choices(record, answer);
	const radio = (value, label) => html('label.choice',
		html('input', { type: 'radio', name: 'predicted', value, required: true }), label);
	const fields = numbers.length
		? [...numbers.map((it) => radio(it, it)), radio('', "I don't know")]
		: [html('label.choice', 'Value (empty: I don’t know)', html('input', { name: 'predicted' }))];
	const form = html('form.ask',
		html('fieldset.field', html('legend', 'First: what do you expect?'),
			html('p', words), html('div.row', ...fields)),
		html('button.primary', 'Show what happens'));
	form.addEventListener('submit', (event) => {
		event.preventDefault();
		answered(gap(String(new FormData(form).get('predicted') ?? '').trim(), answer));
	});
	return form;
}

function gap(said, actual) {
	if (!said) return `It is ${actual}.`;
	if (said === actual) return `You said ${said}, and so it is.`;
	const away = actual - said;
	const words = Number.isFinite(away) ? `: ${Math.abs(away)} ${away < 0 ? 'less' : 'more'}` : '';
	return `You said ${said}. It is ${actual}${words}.`;
}

/** Draws bars for what was predicted and what is there, if the page has a prediction. */
export function drawPrediction() {
	const host = byId('prediction');
	const values = ['expected', 'predicted', 'actual'].map((it) => [it, parseFloat(host?.dataset[it])]);
	const known = values.filter(([, it]) => Number.isFinite(it));
	const most = Math.max(...known.map(([, it]) => +it));
	if (known.length < 2 || most <= 0) return;
	host.append(html('div.gap', { silent: true }, ...known.flatMap(([name, value]) =>
		[html('span', name), html(`progress.${name}`, { value, max: most }), html('span', value)])));
}
