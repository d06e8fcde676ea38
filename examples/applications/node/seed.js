// Makes the shop's tables and their rows anew: `schema.sql`, sent as one text.
import { readFile } from 'node:fs/promises';

import mysql from 'mysql2/promise';

import { settings } from './app/database.js';

const connection = await mysql.createConnection({ ...settings, multipleStatements: true });
await connection.query(await readFile(new URL('schema.sql', import.meta.url), 'utf8'));
await connection.end();
