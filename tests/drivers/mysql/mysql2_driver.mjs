// mysql2: `query` for text, `execute` for prepared statements. MYSQL2 names the folder with its
// node_modules. Arguments: HOST PORT USER PASSWORD DATABASE LIST.
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

const mysql = createRequire(`${process.env.MYSQL2}/x.js`)('mysql2/promise');

const KINDS = {
  i: Number, f: Number, s: String, b: (hex) => Buffer.from(hex, 'hex'), n: () => null,
  r: (count) => 'x'.repeat(Number(count)),
};

function shown(value) {
  if (value === null) return 'NULL';
  const text = Buffer.isBuffer(value) ? `0x${value.toString('hex')}`
    : typeof value === 'string' ? `'${value}'` : String(value);
  if (text.length <= 80) return text;
  return `${text.length} characters, md5 ${createHash('md5').update(text).digest('hex')}`;
}

function print(result, fields) {
  if (!Array.isArray(result)) {
    const { affectedRows, insertId, warningStatus, info } = result;
    console.log('  done', affectedRows, insertId, warningStatus, info ?? '');
  } else {
    const types = fields.map((field) => field.columnType);
    console.log('  columns', fields.map((field) => field.name).join(' | '), 'types', ...types);
    for (const row of result) console.log('  row', row.map(shown).join(' | '));
  }
}

const [host, port, user, password, database, statements] = process.argv.slice(2);
const connection = await mysql.createConnection({
  host, port: Number(port), user, password, database, charset: 'utf8mb4', dateStrings: true,
  supportBigNumbers: true, bigNumberStrings: true, rowsAsArray: true,
});
const list = readFileSync(statements, 'utf8').split('\n');
for (const [number, line] of list.filter((it) => it && !it.startsWith('#')).entries()) {
  const [protocol, , sql, ...args] = line.split('\t');
  console.log(number, protocol, sql.slice(0, 60));
  const values = args.map((argument) => KINDS[argument[0]](argument.slice(2)));
  try {
    const [result, fields] = protocol === 'text'
      ? await connection.query(sql) : await connection.execute(sql, values);
    // A CALL has several results, and several lists of columns.
    const isSeveral = Array.isArray(fields) && fields.length > 0
      && (Array.isArray(fields[0]) || fields[0] === undefined);
    if (isSeveral) result.forEach((one, index) => print(one, fields[index]));
    else print(result, fields);
  } catch (error) {
    console.log('  error', error.errno, error.sqlState, error.sqlMessage ?? error.message);
  }
}
await connection.end();
