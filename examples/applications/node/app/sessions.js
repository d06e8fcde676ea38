// Sessions in a table, and a token in each form against forged requests (CSRF).
import { randomUUID } from 'node:crypto';

import { pool } from './database.js';
import { Declined } from './http.js';

// Gives a handler the session of its request. A first GET begins one.
export function withSession(handler) {
  return async (request) => {
    let session = await findSession(request.cookies.sid);
    if (request.method === 'POST') {
      if (!session) return { status: 303, headers: { location: '/expired' } };
      if (request.body.csrf !== session.csrf) throw new Declined(403, 'this form is not ours');
    }
    session ??= await beginSession();
    const answer = await handler(request, session);
    const cookie = `sid=${session.id}; Path=/; HttpOnly; SameSite=Lax`;
    return { ...answer, headers: { ...answer.headers, 'set-cookie': cookie } };
  };
}

export function expired() {
  return { html: '<p>Your session has ended. <a href="/products/1">Begin again</a>.</p>' };
}

async function findSession(id) {
  if (!id) return undefined;
  const [[session]] = await pool.execute(
    'SELECT id, csrf, basket_id FROM sessions WHERE id = ? AND expires_at > NOW()',
    [id],
  );
  if (session) {
    // A session ends a day after its last request.
    await pool.query(
      "UPDATE sessions SET expires_at = NOW() + INTERVAL '1' DAY WHERE id = ?",
      [id],
    );
  }
  return session;
}

async function beginSession() {
  const session = { id: randomUUID(), csrf: randomUUID(), basket_id: null };
  await pool.query(
    "INSERT INTO sessions (id, csrf, expires_at) VALUES (?, ?, NOW() + INTERVAL '1' DAY)",
    [session.id, session.csrf],
  );
  return session;
}

export async function keepBasket(session, basketId) {
  session.basket_id = basketId;
  await pool.query('UPDATE sessions SET basket_id = ? WHERE id = ?', [basketId, session.id]);
}
