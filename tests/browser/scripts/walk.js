// Notes which controls the focus comes to, and whether it can be seen there.
window.walked = [];
document.activeElement?.blur();
document.addEventListener('focusin', ({ target }) => {
  const { outlineStyle, outlineWidth } = getComputedStyle(target);
  window.walked.push({ target, isSeen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1 });
});
const all = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
const groups = new Set();
window.controls = [...document.querySelectorAll(all)].filter((it) => {
  if (it.disabled || it.tabIndex < 0 || !it.checkVisibility({ visibilityProperty: true })) return false;
  if (it.type !== 'radio') return true;
  // A group of radio buttons is one stop: the chosen one, or the first.
  const group = [...document.getElementsByName(it.name)];
  return it === (group.find((one) => one.checked) ?? group[0]) && !groups.has(it.name) && groups.add(it.name);
});
return window.controls.length;
