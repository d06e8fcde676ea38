// Transfers between wallets: the same job in four ways. Amounts are whole cents.
//
//   transferLost    reads the balance, checks it, and writes a computed one
//   transferHolds   leaves the check to the UPDATE
//   transferMutex   does what transferLost does, one request at a time
//   transferCached  takes the balance from the memory of this process
import { inTransaction, pool } from './database.js';
import { Declined } from './http.js';
import { withMutex } from './mutex.js';

// RACE: another transfer may change the balance between the SELECT and the UPDATE.
// The transaction does not prevent that: a plain SELECT locks nothing.
export async function transferLost({ body }) {
  const { from, to, amount } = orderOf(body);
  await inTransaction(async (connection) => {
    const [[wallet]] = await connection.execute('SELECT balance FROM wallets WHERE id = ?', [from]);
    if (!wallet || wallet.balance < amount) throw new Declined(409, 'not enough money');

    const left = wallet.balance - amount;
    await connection.execute('UPDATE wallets SET balance = ? WHERE id = ?', [left, from]);
    await payIn(connection, { from, to, amount });
  });
  return { status: 201, json: { sent: amount } };
}

// The UPDATE checks and subtracts in one step, and locks the row until the COMMIT.
// Transfers in opposite directions may deadlock. The engine refuses one then: answer 503.
export async function transferHolds({ body }) {
  const { from, to, amount } = orderOf(body);
  await inTransaction(async (connection) => {
    const [{ affectedRows }] = await connection.execute(
      'UPDATE wallets SET balance = balance - ? WHERE id = ? AND balance >= ?',
      [amount, from, amount],
    );
    if (affectedRows === 0) throw new Declined(409, 'not enough money');

    await payIn(connection, { from, to, amount });
  });
  return { status: 201, json: { sent: amount } };
}

// The second transfer from a wallet waits outside the database for the end of the first one.
// That is safe as long as there is one process, and nothing else writes the balance.
export function transferMutex(request) {
  return withMutex(`wallet ${request.body.from}`, () => transferLost(request));
}

// The balances that this process has read, by the number of the wallet.
const balances = new Map();

// RACE: two requests that both find nothing in memory both put the balance there.
// The second one undoes what the first has subtracted in memory, so the check admits both.
// Once the balance is in memory this cannot happen: between the check and the subtraction there is
// no `await`, where another request could go on.
export async function transferCached({ body }) {
  const { from, to, amount } = orderOf(body);
  if (!balances.has(from)) {
    const [[wallet]] = await pool.query('SELECT balance FROM wallets WHERE id = ?', [from]);
    balances.set(from, wallet?.balance ?? 0);
  }
  if (balances.get(from) < amount) throw new Declined(409, 'not enough money');
  balances.set(from, balances.get(from) - amount);

  await inTransaction(async (connection) => {
    await connection.query('UPDATE wallets SET balance = balance - ? WHERE id = ?', [amount, from]);
    await payIn(connection, { from, to, amount });
  });
  return { status: 201, json: { sent: amount } };
}

// What is the same in all ways. `balance + ?` cannot lose anything.
async function payIn(connection, { from, to, amount }) {
  const [{ affectedRows }] = await connection.execute(
    'UPDATE wallets SET balance = balance + ? WHERE id = ?',
    [amount, to],
  );
  if (affectedRows === 0) throw new Declined(404, 'there is no such wallet');
  await connection.execute(
    'INSERT INTO transfers (from_wallet, to_wallet, amount) VALUES (?, ?, ?)',
    [from, to, amount],
  );
}

function orderOf({ from, to, amount }) {
  const isOrder = [from, to, amount].every(Number.isSafeInteger) && amount > 0 && from !== to;
  if (!isOrder) throw new Declined(400, 'from, to and amount have to be whole numbers');
  return { from, to, amount };
}

// The money in all wallets. No transfer changes it.
export async function total() {
  const [[{ total: money }]] = await pool.query('SELECT SUM(balance) AS total FROM wallets');
  return { json: { total: Number(money) } }; // the drivers return a sum as a text
}

// Brings back the first state: in the memory, which only the application can reach, and in the
// tables.
export async function reset() {
  balances.clear();
  await pool.query('DELETE FROM transfers');
  await pool.query('UPDATE wallets SET balance = CASE id WHEN 1 THEN 100 ELSE 0 END');
  return { status: 204 };
}
