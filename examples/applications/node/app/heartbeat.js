// Statements that belong to no request: a sign of life, as many services send one.
// The explorer has to tell them from those of its clients.
import { pool } from './database.js';

// Beats every `milliseconds`. The next beat waits for the end of the last one.
export function startHeartbeat(milliseconds) {
  setTimeout(async () => {
    await beat().catch((error) => console.error('heartbeat:', error.message));
    startHeartbeat(milliseconds);
  }, milliseconds).unref(); // it does not keep the process alive
}

async function beat() {
  await pool.query('SELECT 1');
  await pool.query('UPDATE worker SET seen_at = CURRENT_TIMESTAMP(3) WHERE id = 1');
}
