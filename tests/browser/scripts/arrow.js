// Where the arrow of the selected loss begins and ends, and where its two steps are drawn.
const box = (place) => {
  const rect = document.querySelector(
    `#picture g.lane[data-lane="${place.lane}"] rect.step[data-step="${place.step}"]`,
  );
  const { left, right, top, bottom } = rect.getBoundingClientRect();
  return { left, right, top, bottom };
};
const arrow = document.querySelector('#picture path.arrow');
const frame = arrow.ownerSVGElement.getBoundingClientRect();
const at = (length) => {
  const { x, y } = arrow.getPointAtLength(length);
  return { x: x + frame.left, y: y + frame.top };
};
const middle = ({ left, right, top, bottom }) => ({ x: (left + right) / 2, y: (top + bottom) / 2 });
const [loss] = arguments;
return {
  from: at(0),
  to: at(arrow.getTotalLength()),
  read: box(loss.read),
  written: box(loss.written),
  overwrite: box(loss.overwrite),
  gone: middle(document.querySelector('#picture circle.gone').getBoundingClientRect()),
  lit: [...document.querySelectorAll('#picture g.lane.on')].map((it) => Number(it.dataset.lane)),
  rows: [...document.querySelectorAll('#steps tr.on')].map((it) => it.id),
};
