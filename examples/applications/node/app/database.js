// The pool of connections, and transactions on one of them.
import mysql from 'mysql2/promise';

export const settings = {
  host: process.env.DB_HOST ?? '127.0.0.1',
  port: Number(process.env.DB_PORT ?? 3306),
  database: process.env.DB_NAME ?? 'shop',
  user: process.env.DB_USER ?? 'root',
  password: process.env.DB_PASSWORD ?? '',
};

// All requests share five connections. As many may be idle, so none is ever closed.
// Statements outside a transaction may each run on another connection.
export const pool = mysql.createPool({ ...settings, connectionLimit: 5, maxIdle: 5 });

// Runs `work` in a transaction, and rolls it back if `work` throws.
// The isolation level is the server's own.
export async function inTransaction(work) {
  const connection = await pool.getConnection();
  try {
    await connection.beginTransaction();
    const result = await work(connection);
    await connection.commit();
    return result;
  } catch (error) {
    // A connection that cannot roll back must not return to the pool with an open transaction.
    await connection.rollback().catch(() => connection.destroy());
    throw error;
  } finally {
    connection.release();
  }
}
