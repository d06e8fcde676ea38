// What the picture of a run and its table show, as data, to be compared with the record.
const number = (text) => (text === '' ? null : Number(text));
const lanes = [...document.querySelectorAll('#picture g.lane')].map((group) => ({
  lane: Number(group.dataset.lane),
  isLost: group.classList.contains('is-lost'),
  waits: group.querySelectorAll('rect.wait').length,
  steps: [...group.querySelectorAll('rect.step')]
    .map((rect) => ({ step: Number(rect.dataset.step), kind: rect.classList[1] }))
    .sort((a, b) => a.step - b.step),
  values: [...group.querySelectorAll('text.value')].map((it) => it.textContent).filter((it) => it),
}));
const rows = [...document.querySelectorAll('#steps tr[data-lane]')].map((row) => ({
  lane: Number(row.dataset.lane),
  step: Number(row.dataset.step),
  kind: row.querySelector('.kind').textContent,
  value: number(row.querySelectorAll('td.number')[0].textContent),
  happened: row.lastElementChild.textContent,
}));
const groups = [...document.querySelectorAll('#steps tr.group')].map((it) => it.textContent);
return { lanes: lanes.sort((a, b) => a.lane - b.lane), rows, groups };
