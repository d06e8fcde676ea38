// What is wrong with the walk of the focus: controls that it left out, came to again too early, or
// where it could not be seen.
const name = (it) => it.outerHTML.slice(0, 90);
const seen = new Set();
const wrong = [];
for (const { target, isSeen } of window.walked) {
  if (seen.has(target)) break;
  seen.add(target);
  if (!isSeen) wrong.push(`not seen at ${name(target)}`);
}
for (const it of window.controls) if (!seen.has(it)) wrong.push(`never at ${name(it)}`);
return wrong;
