// A mutex for each key, in the memory of this process.
// It protects nothing from a second process.
const lastInLine = new Map();

// Runs `work` after all earlier work with the same key has ended.
export async function withMutex(key, work) {
  const before = lastInLine.get(key) ?? Promise.resolve();
  const mine = before.then(work);
  const ended = mine.catch(() => {}); // the next in line does not fail with this one
  lastInLine.set(key, ended);
  try {
    return await mine;
  } finally {
    if (lastInLine.get(key) === ended) lastInLine.delete(key);
  }
}
