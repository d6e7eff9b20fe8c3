'use strict';
// An HTTP client for tests on Node's own http: one connection a request, nothing followed, nothing retried,
// so that a test sees exactly what the server sent.
const http = require('node:http');
const net = require('node:net');

const TIMEOUT_MS = 30000;

class Client {
  /** `headers` go with every request. */
  constructor(url, headers = {}) {
    this.url = url;
    this.headers = headers;
  }

  /** The same server, speaking with this session's token. */
  as(token) {
    return new Client(this.url, { ...this.headers, authorization: `Bearer ${token}` });
  }

  get(path, headers) {
    return this.request('GET', path, { headers });
  }

  post(path, json, headers) {
    return this.request('POST', path, { json, headers });
  }

  delete(path, headers) {
    return this.request('DELETE', path, { headers });
  }

  /** Gives {status, headers, text, json}; `json` is undefined when the body is not JSON. */
  request(method, path, { headers = {}, json, body } = {}) {
    const bytes = json === undefined ? body : JSON.stringify(json);
    const all = {
      ...this.headers,
      ...(json !== undefined && { 'content-type': 'application/json' }),
      ...(bytes !== undefined && { 'content-length': Buffer.byteLength(bytes) }),
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const call = http.request(new URL(path, this.url), { method, headers: all, agent: false, timeout: TIMEOUT_MS });
      call.once('timeout', () => call.destroy(new Error(`${method} ${path}: no answer in ${TIMEOUT_MS} ms`)));
      call.once('error', reject);
      call.once('response', (response) => collect(response).then(resolve, reject));
      call.end(bytes);
    });
  }

  /** Send bytes as they are, read until the server closes or falls silent after its answer. */
  raw(bytes, silenceMs = 1000) {
    const { hostname, port } = new URL(this.url);
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host: hostname, port: Number(port) });
      const chunks = [];
      const finish = () => resolve(Buffer.concat(chunks).toString('latin1'));
      socket.setTimeout(silenceMs, () => socket.destroy());
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('error', (error) => (chunks.length ? finish() : reject(error)));
      socket.on('close', finish);
      socket.write(bytes);
    });
  }
}

async function collect(response) {
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const text = bytes.toString('utf8');
  return { status: response.statusCode, headers: response.headers, bytes, text, json: parse(text, response.headers) };
}

function parse(text, headers) {
  if (!/json/.test(headers['content-type'] ?? '')) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Wait until `check()` gives something true and give that; fails with `what` after `timeoutMs`. */
async function until(check, { what = 'condition', timeoutMs = 60000, stepMs = 25 } = {}) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, stepMs));
  }
}

/** Does it hold at each worker? Every request is a connection of its own, and any of them may take it. */
async function everywhere(check) {
  return (await Promise.all(Array.from({ length: 12 }, check))).every(Boolean);
}

module.exports = { Client, everywhere, until };
