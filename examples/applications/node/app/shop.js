// The pages before the checkout: a product, the basket, the address, the voucher.
// Each form changes only what belongs to its own session, so nothing races here.
import { insertedId, pool, spelled } from './database.js';
import { Declined } from './http.js';
import { keepBasket } from './sessions.js';

// A product that is in the basket already gets more, and no second line.
const ON_SECOND_LINE = spelled({
  mysql: 'ON DUPLICATE KEY UPDATE quantity = quantity + ?',
  postgres: `ON CONFLICT (basket_id, product_id)
     DO UPDATE SET quantity = basket_lines.quantity + ?`,
});

const TO_BASKET = { status: 303, headers: { location: '/basket' } };

export async function productPage({ params }, session) {
  const [[product]] = await pool.execute(
    'SELECT id, name, price, stock FROM products WHERE id = ?',
    [params.id],
  );
  if (!product) throw new Declined(404, 'there is no such product');
  return {
    html: `<h1>${product.name}</h1>
<p>${euros(product.price)}, ${product.stock} in stock</p>
${form('/basket', session, `<input type="hidden" name="product" value="${product.id}">
<input name="quantity" value="1">`, 'Into the basket')}`,
  };
}

export async function addToBasket({ body }, session) {
  const quantity = Number(body.quantity);
  if (!Number.isSafeInteger(quantity) || quantity < 1) throw new Declined(400, 'how many?');
  if (!session.basket_id) {
    await keepBasket(session, await insertedId(pool, "INSERT INTO baskets (state) VALUES ('open')"));
  }
  await pool.execute(
    `INSERT INTO basket_lines (basket_id, product_id, quantity) VALUES (?, ?, ?)
     ${ON_SECOND_LINE}`,
    [session.basket_id, body.product, quantity, quantity],
  );
  return TO_BASKET;
}

export async function setAddress({ body }, session) {
  const id = await insertedId(
    pool,
    'INSERT INTO addresses (email, street, city, country) VALUES (?, ?, ?, ?)',
    [body.email, body.street, body.city, body.country],
  );
  await pool.query(
    'UPDATE baskets SET address_id = ? WHERE id = ?',
    [id, session.basket_id],
  );
  return TO_BASKET;
}

export async function setVoucher({ body }, session) {
  const [[voucher]] = await pool.execute('SELECT code FROM vouchers WHERE code = ?', [body.code]);
  if (!voucher) throw new Declined(404, 'there is no such voucher');
  await pool.query(
    'UPDATE baskets SET voucher_code = ? WHERE id = ?',
    [voucher.code, session.basket_id],
  );
  return TO_BASKET;
}

export async function basketPage(_request, session) {
  const [lines] = await pool.query(
    `SELECT products.name, quantity FROM basket_lines
     JOIN products ON products.id = product_id WHERE basket_id = ? ORDER BY product_id`,
    [session.basket_id],
  );
  const fields = ['email', 'street', 'city', 'country'];
  return {
    html: `<h1>Your basket</h1>
<ul>${lines.map(({ name, quantity }) => `<li>${quantity} × ${name}</li>`).join('')}</ul>
${form('/address', session, fields.map((f) => `<input name="${f}" placeholder="${f}">`).join(''),
    'This is my address')}
${form('/voucher', session, '<input name="code" value="SPRING">', 'I have a voucher')}
${form('/checkout/lost', session, '', 'Buy (and lose stock)')}
${form('/checkout/holds', session, '', 'Buy')}`,
  };
}

// The order is shown to the session that has placed it, and to no other.
export async function orderPage({ params }, session) {
  const [[order]] = await pool.execute(
    `SELECT orders.id, total FROM orders JOIN sessions ON sessions.last_order_id = orders.id
     WHERE orders.id = ? AND sessions.id = ?`,
    [params.id, session.id],
  );
  if (!order) throw new Declined(404, 'there is no such order');
  return { html: `<h1>Thank you</h1><p>Order ${order.id}: ${euros(order.total)}</p>` };
}

function form(action, session, fields, button) {
  return `<form method="post" action="${action}">
<input type="hidden" name="csrf" value="${session.csrf}">
${fields}<button>${button}</button></form>`;
}

function euros(cents) {
  return `${(cents / 100).toFixed(2)} €`;
}
