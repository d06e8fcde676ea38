// How long each frame takes while this is done, one thing a frame: in milliseconds.
const [name] = arguments;
const done = arguments[arguments.length - 1];
const button = (label) => () => document.querySelector(`#picture [aria-label="${label}"]`).click();
const acts = {
  losses: Array(30).fill(button('Next loss')),
  zoom: [...Array(8).fill(button('Zoom in')), ...Array(8).fill(button('Zoom out'))],
  scroll: Array(30).fill(() => (document.querySelector('#picture .tl').scrollTop += 300)),
}[name];
const times = [];
let last = 0;
const frame = (now) => {
  if (last) times.push(now - last);
  last = now;
  const act = acts.shift();
  if (act) act();
  if (act || times.length < 5) return void requestAnimationFrame(frame);
  times.sort((a, b) => a - b);
  const at = (share) => Math.round(times[Math.floor((times.length - 1) * share)] * 10) / 10;
  done({ frames: times.length, median: at(0.5), slow: at(0.95), slowest: at(1) });
};
requestAnimationFrame(frame);
