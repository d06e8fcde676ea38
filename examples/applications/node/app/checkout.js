// The checkout: 3 statements, a transaction of 41, 1 after it, and 3 after the answer.
//
// `execute` prepares a statement at the server and sends its values apart. `query` puts them into
// the text. Both are used, as in many applications. To a race it makes no difference.
import { insertedId, inTransaction, pool } from './database.js';
import { Declined } from './http.js';

// RACE: the stock was read by a plain SELECT, and a computed one is written.
// The voucher's row is locked by then, so two checkouts with one voucher come one after the other.
// But at REPEATABLE READ a plain SELECT reads as of the transaction's first plain SELECT. That one
// is in `readBasket`, before the lock. So the second checkout reads the stock of before the first.
async function takeComputed(connection, line) {
  await connection.execute(
    'UPDATE products SET stock = ? WHERE id = ?',
    [line.stock - line.quantity, line.product_id],
  );
}

// The UPDATE reads the newest stock, checks it, and subtracts from it.
// What was read before is good for an early answer and nothing else.
async function takeGuarded(connection, line) {
  const [{ affectedRows }] = await connection.execute(
    'UPDATE products SET stock = stock - ? WHERE id = ? AND stock >= ?',
    [line.quantity, line.product_id, line.quantity],
  );
  if (affectedRows === 0) throw new Declined(409, `${line.name} is sold out`);
}

export const checkoutLost = checkoutThat(takeComputed);
export const checkoutHolds = checkoutThat(takeGuarded);

function checkoutThat(takeFromStock) {
  return async (_request, session) => {
    const [[shop]] = await pool.query('SELECT is_open, points_per_euro FROM shop WHERE id = 1');
    if (!shop.is_open) throw new Declined(409, 'the shop is closed');

    const order = await inTransaction(async (connection) => {
      const basket = await readBasket(connection, session.basket_id);
      const discount = await redeemVoucher(connection, basket);
      for (const line of basket.lines) await priceLine(connection, line, basket.address);
      const shipping = await shippingCosts(connection, basket);
      const customer = await findCustomer(connection, basket.address.email);
      return placeOrder(connection, {
        shop, basket, discount, shipping, customer, takeFromStock,
      });
    });

    // After the COMMIT, on any connection of the pool.
    await pool.execute(
      'UPDATE sessions SET basket_id = NULL, last_order_id = ? WHERE id = ?',
      [order.id, session.id],
    );
    return {
      status: 303,
      headers: { location: `/orders/${order.id}` },
      after: () => tellCustomer(order),
    };
  };
}

// The lock on the basket's row makes the second of two clicks on "Buy" wait for the first.
async function readBasket(connection, id) {
  const [[basket]] = await connection.execute(
    "SELECT id, voucher_code, address_id FROM baskets WHERE id = ? AND state = 'open' FOR UPDATE",
    [id],
  );
  if (!basket) throw new Declined(409, 'there is no open basket');
  // The first plain SELECT. What plain SELECTs read is as old as this one.
  const [lines] = await connection.query(
    `SELECT product_id, quantity, name, price, weight, tax_class FROM basket_lines
     JOIN products ON products.id = product_id WHERE basket_id = ? ORDER BY product_id`,
    [id],
  );
  if (lines.length === 0) throw new Declined(409, 'the basket is empty');
  const [[address]] = await connection.execute(
    'SELECT email, street, city, country FROM addresses WHERE id = ?',
    [basket.address_id],
  );
  if (!address) throw new Declined(409, 'where to?');
  return { ...basket, lines, address };
}

// Locked first and counted by the engine: this counter loses nothing.
async function redeemVoucher(connection, basket) {
  if (!basket.voucher_code) return 0;
  const [[voucher]] = await connection.execute(
    'SELECT discount, used, max_uses FROM vouchers WHERE code = ? FOR UPDATE',
    [basket.voucher_code],
  );
  if (voucher.used >= voucher.max_uses) throw new Declined(409, 'the voucher is used up');
  const [[{ uses }]] = await connection.query(
    'SELECT COUNT(*) AS uses FROM voucher_uses WHERE code = ? AND email = ?',
    [basket.voucher_code, basket.address.email],
  );
  if (uses > 0) throw new Declined(409, 'you have used this voucher before');
  await connection.execute(
    'UPDATE vouchers SET used = used + 1 WHERE code = ?',
    [basket.voucher_code],
  );
  return voucher.discount;
}

async function priceLine(connection, line, address) {
  const [[{ stock }]] = await connection.execute(
    'SELECT stock FROM products WHERE id = ?',
    [line.product_id],
  );
  if (stock < line.quantity) throw new Declined(409, `${line.name} is sold out`);
  const [[tier]] = await connection.query(
    `SELECT price FROM price_tiers WHERE product_id = ? AND from_quantity <= ?
     ORDER BY from_quantity DESC LIMIT 1`,
    [line.product_id, line.quantity],
  );
  const [[tax]] = await connection.execute(
    'SELECT percent FROM tax_rates WHERE country = ? AND tax_class = ?',
    [address.country, line.tax_class],
  );
  if (!tax) throw new Declined(409, `nothing is sent to ${address.country}`);
  const net = (tier?.price ?? line.price) * line.quantity;
  Object.assign(line, { stock, net, tax: Math.round((net * tax.percent) / 100) });
}

async function shippingCosts(connection, { lines, address }) {
  const [[{ zone }]] = await connection.query(
    'SELECT zone FROM countries WHERE code = ?',
    [address.country],
  );
  const weight = lines.reduce((sum, line) => sum + line.weight * line.quantity, 0);
  const [[rate]] = await connection.query(
    'SELECT price FROM shipping_rates WHERE zone = ? AND to_weight >= ? ORDER BY to_weight LIMIT 1',
    [zone, weight],
  );
  if (!rate) throw new Declined(409, 'the parcel is too heavy');
  return rate.price;
}

async function findCustomer(connection, email) {
  const [[customer]] = await connection.execute(
    'SELECT id, email FROM customers WHERE email = ?',
    [email],
  );
  if (customer) return customer;
  const id = await insertedId(
    connection,
    'INSERT INTO customers (email, orders, points) VALUES (?, 0, 0)',
    [email],
  );
  return { id, email };
}

async function placeOrder(connection, parts) {
  const { shop, basket, discount, shipping, customer, takeFromStock } = parts;
  const id = await insertedId(
    connection,
    "INSERT INTO orders (customer_id, state, total) VALUES (?, 'new', 0)",
    [customer.id],
  );
  await connection.query("INSERT INTO order_events (order_id, what) VALUES (?, 'begun')", [id]);
  for (const line of basket.lines) {
    await connection.execute(
      'INSERT INTO order_lines (order_id, product_id, quantity, net, tax) VALUES (?, ?, ?, ?, ?)',
      [id, line.product_id, line.quantity, line.net, line.tax],
    );
    await takeFromStock(connection, line);
    await connection.query(
      'INSERT INTO stock_moves (product_id, order_id, quantity) VALUES (?, ?, ?)',
      [line.product_id, id, -line.quantity],
    );
  }

  const { street, city, country } = basket.address;
  await connection.execute(
    'INSERT INTO order_addresses (order_id, street, city, country) VALUES (?, ?, ?, ?)',
    [id, street, city, country],
  );
  if (basket.voucher_code) {
    await connection.query(
      'INSERT INTO voucher_uses (code, order_id, email) VALUES (?, ?, ?)',
      [basket.voucher_code, id, customer.email],
    );
  }
  const [[{ gross }]] = await connection.query(
    'SELECT SUM(net + tax) AS gross FROM order_lines WHERE order_id = ?',
    [id],
  );
  // The drivers return a sum as a text. `-` makes a number of it.
  const total = Math.max(gross - discount, 0) + shipping;
  await connection.execute(
    "UPDATE orders SET state = 'placed', total = ? WHERE id = ?",
    [total, id],
  );
  await connection.execute(
    "INSERT INTO payments (order_id, amount, state) VALUES (?, ?, 'due')",
    [id, total],
  );
  await connection.query(
    'UPDATE customers SET orders = orders + 1, points = points + ? WHERE id = ?',
    [Math.floor(total / 100) * shop.points_per_euro, customer.id],
  );
  await connection.query('DELETE FROM basket_lines WHERE basket_id = ?', [basket.id]);
  await connection.query("UPDATE baskets SET state = 'ordered' WHERE id = ?", [basket.id]);
  await connection.query("INSERT INTO order_events (order_id, what) VALUES (?, 'placed')", [id]);
  return { id, total, email: customer.email };
}

// After the answer: what the customer need not wait for.
async function tellCustomer({ id, total, email }) {
  const [lines] = await pool.query(
    `SELECT name, quantity FROM order_lines JOIN products ON products.id = product_id
     WHERE order_id = ? ORDER BY product_id`,
    [id],
  );
  const text = lines.map(({ name, quantity }) => `${quantity} × ${name}`).join(', ');
  await pool.execute('INSERT INTO mails (email, text) VALUES (?, ?)', [email, text]);
  await pool.query('INSERT INTO audit_log (order_id, total) VALUES (?, ?)', [id, total]);
}
