'use strict';
// What the three simulators share: a table of routes whose handlers are plain functions from a request to an
// answer, a clock that can be moved, a log of what was asked, and the control API under /__control/.
const http = require('node:http');
const { Misbehaviour } = require('./misbehave.js');

const BODY_LIMIT = 1024 * 1024;
const LOG_LIMIT = 20000;
const SECRET_HEADERS = new Set(['authorization', 'cookie', 'x-telegram-bot-api-secret-token']);
const SECRET_FIELDS = new Set(['password', 'secret_token']);

/** An answer to send: `body` may be a string (HTML) or anything JSON can say. */
function answer(status, body, headers = {}) {
  return { status, body, headers };
}

class Simulator {
  constructor(name) {
    this.name = name;
    this.routes = [];
    this.servers = new Set();
    this.timers = new Set();
    this.misbehaviour = new Misbehaviour();
    this.clockOffsetMs = 0;
    this.clearLog();
    this.addControlRoutes();
  }

  /** Milliseconds since the epoch on the simulator's own clock. */
  now() {
    return Date.now() + this.clockOffsetMs;
  }

  /** Pattern segments in braces are parameters: `/v3/payments/{id}`. */
  route(method, pattern, handler) {
    const source = pattern.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
    this.routes.push({ method, pattern, regexp: new RegExp(`^${source}$`), handler });
  }

  /** Run later unless the simulator is reset or closed first; the time is real, not the movable clock's. */
  later(delayMs, run) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      run();
    }, delayMs);
    this.timers.add(timer);
  }

  cancelTimers() {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }

  clearLog() {
    this.entries = [];
    this.counts = {};
  }

  /** Subclasses: forget everything that requests did. */
  resetState() {}
  /** Subclasses: what GET /__control/state shows. */
  state() {
    return {};
  }
  /** Subclasses: how a path appears in the log, so that no secret does. */
  loggedPath(path) {
    return path;
  }
  /** Subclasses: an answer for every request before its route runs, or undefined to go on. */
  before(_request) {}
  /** Subclasses: headers for every answer. */
  headers() {
    return {};
  }
  notFound() {
    return answer(404, { message: 'Not Found' });
  }

  addControlRoutes() {
    const control = (method, name, run) => this.control(method, name, run);
    control('POST', 'misbehave', ({ json }) => this.misbehaviour.add(json));
    control('POST', 'reset', () => this.reset());
    control('POST', 'time', ({ json }) => this.moveClock(json));
    control('GET', 'log', () => ({ requests: this.entries, counts: this.counts }));
    control('GET', 'state', () => ({ ...this.state(), misbehaviour: this.misbehaviour.list() }));
  }

  /** A control endpoint: `run(request)` returns what is answered as JSON, or throws to refuse with 400. */
  control(method, name, run) {
    this.route(method, `/__control/${name}`, (request) => {
      try {
        return answer(200, run(request) ?? { ok: true });
      } catch (error) {
        return answer(400, { error: error.message });
      }
    });
  }

  reset() {
    this.cancelTimers();
    this.misbehaviour.clear();
    this.clockOffsetMs = 0;
    this.clearLog();
    this.resetState();
  }

  moveClock({ advance_s: advance, set }) {
    if (advance !== undefined) this.clockOffsetMs += Number(advance) * 1000;
    if (set !== undefined) this.clockOffsetMs = Date.parse(set) - Date.now();
    if (Number.isNaN(this.clockOffsetMs)) {
      this.clockOffsetMs = 0;
      throw new Error('time: expected {"advance_s": seconds} or {"set": "ISO 8601"}');
    }
    return { now: new Date(this.now()).toISOString() };
  }

  find(method, path) {
    const fits = this.routes.filter((route) => route.regexp.test(path));
    const route = fits.find((one) => one.method === method);
    return { route, params: route ? { ...route.regexp.exec(path).groups } : {}, known: fits.length > 0 };
  }

  handle(request) {
    const early = request.control ? undefined : this.before(request);
    if (early) return early;
    const { route, params, known } = this.find(request.method, request.path);
    if (!route) return known ? answer(405, { message: 'Method Not Allowed' }) : this.notFound(request);
    request.params = params;
    return route.handler(request);
  }

  remember(request, status, started) {
    const { route } = this.find(request.method, request.path);
    const key = `${request.method} ${route ? route.pattern : this.loggedPath(request.path)}`;
    this.counts[key] = (this.counts[key] ?? 0) + 1;
    this.entries.push({
      at: new Date().toISOString(),
      method: request.method,
      path: this.loggedPath(request.path),
      query: Object.fromEntries(request.query),
      headers: without(request.headers, SECRET_HEADERS),
      body: without(request.json ?? {}, SECRET_FIELDS),
      status,
      took_ms: Date.now() - started,
    });
    if (this.entries.length > LOG_LIMIT) this.entries.shift();
  }

  async serve(message, response) {
    const started = Date.now();
    const request = await read(message);
    if (!request) return response.destroy();
    if (request.control) return send(response, this.handle(request));

    const take = () => {
      const result = this.handle(request);
      return { ...result, headers: { ...this.headers(request), ...result.headers } };
    };
    const logged = { ...request, path: this.loggedPath(request.path) };
    const status = await this.misbehaviour.answer({ request: logged, response, take, send });
    this.remember(request, status, started);
  }

  /** Gives {url, close()}; `address` is HOST:PORT, port 0 for any free one. */
  listen(address = '127.0.0.1:0') {
    const colon = address.lastIndexOf(':');
    const server = http.createServer((message, response) => {
      this.serve(message, response).catch((error) => {
        process.stderr.write(`${this.name}: ${error.stack}\n`);
        response.destroy();
      });
    });
    server.keepAliveTimeout = 30000;
    this.servers.add(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(Number(address.slice(colon + 1)), address.slice(0, colon), () => {
        const { address: host, port } = server.address();
        this.url = `http://${host}:${port}`;
        resolve({ url: this.url, close: () => this.close() });
      });
    });
  }

  async close() {
    this.cancelTimers();
    await Promise.all([...this.servers].map((server) => new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    })));
    this.servers.clear();
  }
}

function without(fields, names) {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.has(name)));
}

/** Undefined when the peer left or sent too much. */
async function read(message) {
  const chunks = [];
  let size = 0;
  try {
    for await (const chunk of message) {
      size += chunk.length;
      if (size > BODY_LIMIT) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  const url = new URL(message.url, 'http://simulator');
  const body = Buffer.concat(chunks).toString('utf8');
  return {
    method: message.method,
    path: url.pathname,
    query: url.searchParams,
    headers: message.headers,
    control: url.pathname.startsWith('/__control/'),
    body,
    json: parse(body, message.headers['content-type'] ?? ''),
  };
}

/** An object, or undefined when the body is not one; forms count as objects of strings. */
function parse(body, type) {
  if (type.startsWith('application/x-www-form-urlencoded')) return Object.fromEntries(new URLSearchParams(body));
  try {
    const value = JSON.parse(body);
    return value !== null && typeof value === 'object' ? value : undefined;
  } catch {
    return undefined;
  }
}

function encode({ body, headers }) {
  if (body === undefined) return { type: undefined, bytes: Buffer.alloc(0) };
  if (typeof body === 'string') return { type: headers['content-type'] ?? 'text/html; charset=utf-8', bytes: Buffer.from(body) };
  return { type: 'application/json; charset=utf-8', bytes: Buffer.from(JSON.stringify(body)) };
}

/** Write an answer; `cut` says to promise all of the body but send half of it. Returns the status. */
function send(response, result, { cut = false } = {}) {
  const { type, bytes } = encode(result);
  const headers = { ...(type && { 'content-type': type }), ...result.headers, 'content-length': bytes.length };
  response.writeHead(result.status, headers);
  if (!cut) response.end(bytes);
  else response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
  return result.status;
}

module.exports = { Simulator, answer };
