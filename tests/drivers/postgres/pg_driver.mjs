// node-postgres, with pg-cursor and pg-copy-streams. PG names the folder with its node_modules.
// Arguments: HOST PORT USER PASSWORD DATABASE LIST.
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const require = createRequire(`${process.env.PG}/x.js`);
const { Client } = require('pg');
const Cursor = require('pg-cursor');
const { from: copyFrom, to: copyTo } = require('pg-copy-streams');

const KINDS = {
  i: Number, f: Number, s: String, b: (hex) => Buffer.from(hex, 'hex'), n: () => null,
  r: (count) => 'x'.repeat(Number(count)),
};
// Values as they come.
const types = { getTypeParser: () => (value) => value };

function shown(value) {
  if (value === null) return 'NULL';
  const text = Buffer.isBuffer(value) ? `0x${value.toString('hex')}` : `'${value}'`;
  if (text.length <= 80) return text;
  return `${text.length} characters, md5 ${createHash('md5').update(text).digest('hex')}`;
}

function print(result) {
  if (Array.isArray(result)) {
    result.forEach(print);
    return;
  }
  const fields = result.fields.map((field) => `${field.name}:${field.dataTypeID}`);
  console.log('  done', result.command, result.rowCount, ...fields);
  for (const row of result.rows) console.log('  row', row.map(shown).join(' | '));
}

async function attempt(title, action) {
  console.log(title);
  try {
    await action();
  } catch (error) {
    const { severity, code, detail, constraint, position, message } = error;
    console.log('  error', severity, code, message, detail, constraint, position);
  }
}

async function connect(more) {
  const client = new Client({ host, port: Number(port), user, password, database, types, ...more });
  client.on('notice', ({ severity, code, message }) => {
    console.log('  notice', severity, code, message);
  });
  client.on('notification', ({ channel, payload }) => console.log('  notified', channel, payload));
  await client.connect();
  return client;
}

const send = async (text, values, more) => print(
  await client.query({ text, values, rowMode: 'array', ...more }));

async function sendList() {
  const list = readFileSync(statements, 'utf8').split('\n');
  for (const [number, line] of list.filter((it) => it && !it.startsWith('#')).entries()) {
    const [protocol, , sql, ...args] = line.split('\t');
    const values = args.map((argument) => KINDS[argument[0]](argument.slice(2)));
    await attempt(`${number} ${protocol} ${sql.slice(0, 60)}`,
      () => send(sql, values.length ? values : undefined));
  }
}

const SERIES = 'SELECT n, repeat($2, n) AS t FROM generate_series(1, $1::int) AS n';

async function named() {
  for (let n = 0; n < 7; n += 1) {
    await send('SELECT $1::int + 1 AS named', [n], { name: 'one more' });
  }
  await attempt('  a division', () => send('SELECT 1 / $1::int', [0], { name: 'division' }));
  await send('SELECT 1 / $1::int', [1], { name: 'division' });
  await attempt('  a mistake', () => send('SELECT FROM FROM $1', [0], { name: 'mistake' }));
  await client.query('DEALLOCATE ALL');
  await attempt('  forgotten', () => send('SELECT 1 / $1::int', [1], { name: 'division' }));
  await send('SELECT 1', undefined, { queryMode: 'extended' });
  await send('SELECT $1::int, $2::text', [5, 'binary'], { binary: true });
}

// The option `rows` asks for pages, until the portal has none left. An error in one would hang: the
// driver sends no Sync then.
async function limited() {
  for (const count of [0, 9, 10, 11, 25]) await send(SERIES, [count, 'x'], { rows: 10 });
}

async function cursors() {
  const other = await connect();
  await client.query('LISTEN kettle');
  await client.query('BEGIN');
  const cursor = client.query(new Cursor(SERIES, [25, 'y'], { rowMode: 'array' }));
  console.log('  read', (await cursor.read(10)).length);
  // It comes while a result is half read, and is delivered when the transaction ends.
  await other.query("NOTIFY kettle, 'in the middle'");
  console.log('  read', (await cursor.read(10)).length);
  console.log('  read', (await cursor.read(10)).length);
  await cursor.close();
  await client.query('COMMIT');
  await client.query('UNLISTEN *');
  const abandoned = client.query(new Cursor(SERIES, [25, 'z'], { rowMode: 'array' }));
  console.log('  read', (await abandoned.read(5)).length);
  await abandoned.close();
  await attempt('  refused', async () => {
    const refused = client.query(new Cursor('SELECT 1 / (n - 3) FROM generate_series(1, 9) AS n'));
    await refused.read(5);
  });
  await other.end();
}

async function copyIn(sql, rows) {
  const stream = client.query(copyFrom(sql));
  await pipeline(Readable.from(rows), stream);
  console.log('  copied', stream.rowCount);
}

async function copyOut(sql) {
  const parts = [];
  for await (const part of client.query(copyTo(sql))) parts.push(part);
  console.log('  copied', shown(Buffer.concat(parts).toString()));
}

async function* breaks() {
  yield '1000\tlost\n';
  throw new Error('no more');
}

async function copy() {
  const rows = Array.from({ length: 500 }, (_, n) => `${n}\ta${n}\n`).join('');
  await attempt('copy in', () => copyIn('COPY sheet FROM STDIN', [rows]));
  await attempt('copy in, long', () => copyIn(
    'COPY sheet FROM STDIN', [`600\t${'x'.repeat(300_000)}\n`]));
  await attempt('copy in, abandoned', () => copyIn('COPY sheet FROM STDIN', breaks()));
  await attempt('copy in, refused', () => copyIn('COPY no_such_table FROM STDIN', ['1\ta\n']));
  await attempt('copy in, twice', () => copyIn('COPY sheet FROM STDIN', ['1\ta\n']));
  await attempt('copy out', () => copyOut('COPY (SELECT * FROM sheet ORDER BY id) TO STDOUT'));
  await attempt('copy out, refused', () => copyOut('COPY no_such_table TO STDOUT'));
  await attempt('copy out, fails', () => copyOut(
    'COPY (SELECT 10 / (n - 5) FROM generate_series(1, 9) AS n) TO STDOUT'));
}

async function listen() {
  const other = await connect();
  await client.query('LISTEN kettle');
  await client.query("NOTIFY kettle, 'to myself'");
  const idle = once(client, 'notification');
  await other.query("SELECT pg_notify('kettle', $1)", ['boils']);
  await idle;
  await client.query('UNLISTEN *');
  await other.end();
}

// The statement's own text, because `cancel` wants the query that runs.
async function cancel() {
  const other = await connect();
  for (const values of [undefined, [61]]) {
    const text = values ? 'SELECT pg_sleep($1) /* pg_sleep(61) */' : 'SELECT pg_sleep(61)';
    await attempt('  sleeping', async () => {
      const sleeping = client.query(text, values);
      await other.query("SELECT wait_until_sleeps('pg_sleep(61)')");
      const canceller = new Client({ host, port: Number(port), user });
      const closed = once(canceller.connection, 'end');
      canceller.cancel(client, client.activeQuery ?? client._activeQuery);
      await Promise.allSettled([sleeping, closed]);
      await sleeping;
    });
  }
  await other.end();
  await send("SELECT 'alive'");
}

// Several at once: the client sends one when the one before has been answered.
async function atOnce() {
  const texts = ['SELECT 1 AS a', 'SELECT 1 / 0', 'SELECT 3 AS c'];
  const results = await Promise.allSettled(texts.map((it) => client.query(it)));
  console.log('  ended', ...results.map((it) => it.status));
}

const [host, port, user, password, database, statements] = process.argv.slice(2);
const client = await connect();
await sendList();
await attempt('named', named);
await attempt('limited', limited);
await attempt('cursors', cursors);
await attempt('copy', copy);
await attempt('listen', listen);
await attempt('cancel', cancel);
await attempt('at once', atOnce);
await attempt('wrong password', () => connect({ password: 'coffee' }));
await attempt('no such database', () => connect({ database: 'no_such_database' }));
await attempt('no TLS', () => connect({ ssl: true }));
await client.end();
console.log('all sent');
