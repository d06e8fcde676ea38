// @ts-check
// The console's scripts. A page is complete without them; they draw pictures of its record.
import { Timeline } from './timeline.js';

/** Draws the page's record into its host. */
function drawRecord() {
  const host = document.getElementById('picture');
  const data = document.getElementById('record')?.textContent;
  if (!host || !data) return;
  const record = JSON.parse(data);
  if (record.kind === 'run') new Timeline(host, [record]);
  else if (record.kind === 'compare') new Timeline(host, [record.a, record.b]);
}

drawRecord();
