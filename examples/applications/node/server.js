// The shop: its pages, its start and its end.
import * as checkout from './app/checkout.js';
import { pool } from './app/database.js';
import { startHeartbeat } from './app/heartbeat.js';
import { serverOf } from './app/http.js';
import * as invitations from './app/invitations.js';
import { expired, withSession } from './app/sessions.js';
import * as shop from './app/shop.js';
import * as wallets from './app/wallets.js';

const server = serverOf({
  'GET /health': health,

  'POST /transfers/lost': wallets.transferLost,
  'POST /transfers/holds': wallets.transferHolds,
  'POST /transfers/mutex': wallets.transferMutex,
  'POST /transfers/cached': wallets.transferCached,
  'GET /wallets/total': wallets.total,
  'POST /wallets/reset': wallets.reset,

  'POST /teams/:team/invitations': invitations.invite,
  'POST /invitations/:token/accept/lost': invitations.acceptLost,
  'POST /invitations/:token/accept/holds': invitations.acceptHolds,

  'GET /products/:id': withSession(shop.productPage),
  'GET /basket': withSession(shop.basketPage),
  'POST /basket': withSession(shop.addToBasket),
  'POST /address': withSession(shop.setAddress),
  'POST /voucher': withSession(shop.setVoucher),
  'POST /checkout/lost': withSession(checkout.checkoutLost),
  'POST /checkout/holds': withSession(checkout.checkoutHolds),
  'GET /orders/:id': withSession(shop.orderPage),
  'GET /expired': expired,
});

// The shop serves once its database answers.
async function health() {
  await pool.query('SELECT 1');
  return { json: { status: 'ok' } };
}

const port = Number(process.env.PORT ?? 3000);
server.listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}/products/1`));

const heartbeat = Number(process.env.HEARTBEAT_MS ?? 0);
if (heartbeat > 0) startHeartbeat(heartbeat);

// Requests that have begun are answered. Then the connections are closed.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => server.close(() => pool.end()));
}
