// Looks for barriers with axe-core: all kinds, or those of colours alone.
const [rules] = arguments;
const done = arguments[arguments.length - 1];
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const runOnly = rules.length ? { type: 'rule', values: rules } : { type: 'tag', values: tags };
const short = ({ id, nodes }) => {
  const places = nodes.slice(0, 3).map((it) => `${it.target.join(' ')}: ${it.any[0]?.message ?? it.failureSummary}`);
  return `${id} (${nodes.length}): ${places.join(' | ')}`;
};
axe.run(document, { runOnly, resultTypes: ['violations', 'incomplete'] }).then(
  (it) => done({ violations: it.violations.map(short), incomplete: it.incomplete.map(short) }),
  (error) => done({ violations: [String(error)], incomplete: [] }),
);
