// @ts-check
// The console's scripts. A page is complete without them; they draw pictures of its record.
import { byId } from './words.js';
import { Timeline } from './timeline.js';
import { drawPrediction } from './predict.js';
import { Stepper } from './stepper.js';
import { followRun } from './live.js';
import { prepareForms } from './forms.js';

function drawRecord() {
	const host = byId('picture');
	const data = byId('record')?.textContent;
	const record = data ? JSON.parse(data) : null;
	if (!host || !record) return;
	if (record.kind === 'schedule') new Stepper(host, record);
	else if (record.kind === 'compare') new Timeline(host, [record.a, record.b]);
	else if (record.lanes?.length) new Timeline(host, [record]);
}

prepareForms();
followRun();
drawPrediction();
drawRecord();
