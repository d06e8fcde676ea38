// MySQL and MariaDB, with mysql2. Its pool and its connections are the shop's interface already.
import mysql from 'mysql2/promise';

export const PORT = 3306;

export function connect(settings, connections) {
  return mysql.createPool({ ...settings, connectionLimit: connections, maxIdle: connections });
}

export async function runScript(settings, text) {
  const connection = await mysql.createConnection({ ...settings, multipleStatements: true });
  await connection.query(text);
  await connection.end();
}

export async function insertedId(at, sql, values) {
  const [{ insertId }] = await at.execute(sql, values);
  return insertId;
}

export const isDuplicate = ({ code }) => code === 'ER_DUP_ENTRY';

// After these the same request may succeed: snapshot conflict, lock wait timeout, deadlock.
export const isTransient = ({ errno }) => [1020, 1205, 1213].includes(errno);
