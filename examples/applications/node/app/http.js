// Requests and answers. A handler takes a request and returns an answer, both plain objects:
//   request: { method, params, cookies, body }
//   answer:  { status, headers, json | html, after }
// `after` is work that is done once the answer has been sent.
import { createServer } from 'node:http';

import { isTransient } from './database.js';

const LARGEST_BODY = 64 * 1024;

// Thrown by a handler that does not do what it was asked for.
export class Declined extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Makes a server of routes such as `'POST /teams/:team/invitations': handler`.
export function serverOf(routes) {
  return createServer(async (incoming, outgoing) => {
    const answer = await answerOf(routes, incoming).catch(answerOfError);
    send(outgoing, answer);
    answer.after?.().catch((error) => console.error('after the answer:', error));
  });
}

async function answerOf(routes, incoming) {
  const { pathname } = new URL(incoming.url, 'http://shop');
  for (const [route, handler] of Object.entries(routes)) {
    const params = paramsOf(route, `${incoming.method} ${pathname}`);
    if (params) {
      const cookies = cookiesOf(incoming.headers.cookie ?? '');
      const body = await bodyOf(incoming);
      return handler({ method: incoming.method, params, cookies, body });
    }
  }
  throw new Declined(404, 'there is no such page');
}

// The parts of the path that `:name` stands for, or null if the route does not fit.
function paramsOf(route, line) {
  const wanted = route.split('/');
  const found = line.split('/');
  const fits = wanted.length === found.length
    && wanted.every((part, i) => part.startsWith(':') || part === found[i]);
  if (!fits) return null;
  const pairs = wanted.map((part, i) => [part.slice(1), found[i]]);
  return Object.fromEntries(pairs.filter((_, i) => wanted[i].startsWith(':')));
}

function cookiesOf(header) {
  return Object.fromEntries(header.split(/; */).map((cookie) => cookie.split('=', 2)));
}

async function bodyOf(incoming) {
  let text = '';
  for await (const chunk of incoming.setEncoding('utf8')) {
    text += chunk;
    if (text.length > LARGEST_BODY) throw new Declined(413, 'the body is too large');
  }
  if (!incoming.headers['content-type']?.startsWith('application/json')) {
    return Object.fromEntries(new URLSearchParams(text));
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Declined(400, 'the body is no JSON');
  }
}

function answerOfError(error) {
  if (error instanceof Declined) {
    return { status: error.status, json: { error: error.message } };
  }
  if (isTransient(error)) {
    return { status: 503, json: { error: `${error.code}: send the request again` } };
  }
  console.error(error);
  return { status: 500, json: { error: 'the shop has failed' } };
}

function send(outgoing, { status = 200, headers = {}, json, html = '' }) {
  const type = json ? 'application/json' : 'text/html; charset=utf-8';
  outgoing.writeHead(status, { 'content-type': type, ...headers });
  outgoing.end(json ? JSON.stringify(json) : html);
}
