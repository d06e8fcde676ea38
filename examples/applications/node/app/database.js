// The database that DATABASE_URL names, behind one interface:
//
//   query(sql, values)            → [rows], or [{ affectedRows }] of a change
//   execute(sql, values)          → the same, as a prepared statement
//   insertedId(at, sql, values)   → inserts a row, and returns the id that it was given
//   spelled({ mysql, postgres })  → the statement of this engine
//   isDuplicate, isTransient      → what an error means
//
// The pool has `query` and `execute`, and so has the connection that `inTransaction` gives. The SQL
// is what all engines understand, with `?` for a value. Where they have no words in common,
// `spelled` chooses.
const url = new URL(process.env.DATABASE_URL ?? 'mysql://root@127.0.0.1/shop');
const engine = url.protocol === 'mysql:' ? 'mysql' : 'postgres'; // MariaDB's is mysql: as well
const driver = await import(`./${engine}.js`);

const settings = {
  host: url.hostname,
  port: Number(url.port || driver.PORT),
  database: url.pathname.slice(1),
  user: decodeURIComponent(url.username),
  password: decodeURIComponent(url.password),
};

// All requests share five connections. As many may be idle, so none is ever closed.
// Statements outside a transaction may each run on another connection.
export const pool = driver.connect(settings, 5);

export const { insertedId, isDuplicate, isTransient } = driver;

export const spelled = (statements) => statements[engine];

// Runs many statements that are one text, in MySQL's words.
export const runScript = (text) => driver.runScript(settings, text);

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
