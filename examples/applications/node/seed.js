// Makes the shop's tables and their rows anew: `schema.sql`, sent as one text.
import { readFile } from 'node:fs/promises';

import { pool, runScript } from './app/database.js';

await runScript(await readFile(new URL('schema.sql', import.meta.url), 'utf8'));
await pool.end();
