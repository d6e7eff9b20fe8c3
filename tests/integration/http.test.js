'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const zlib = require('node:zlib');
const { until } = require('../support/client.js');
const { Panel } = require('../support/panel.js');
const { Product } = require('../support/product.js');

let product;
let client;
before(async () => {
  product = await Product.start();
  client = product.client;
});
after(() => product.stop());

const status = (text) => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
const raw = async (text) => status(await client.raw(text));

test('an error is a problem document with a stable code and the request id', async () => {
  const answer = await client.get('/api/v1/nothing', { 'x-request-id': 'abc-1' });
  assert.equal(answer.status, 404);
  assert.match(answer.headers['content-type'], /^application\/problem\+json/);
  assert.equal(answer.headers['x-request-id'], 'abc-1');
  const { type, title, code, detail, request_id: id, status: inside } = answer.json;
  assert.deepEqual({ type, code, id, inside }, { type: 'about:blank', code: 'not_found', id: 'abc-1', inside: 404 });
  assert.ok(title);
  assert.match(detail, /[а-я]/i);
});

test('English speakers are answered in English', async () => {
  const { json } = await client.get('/api/v1/nothing', { 'accept-language': 'en-US,en;q=0.9' });
  assert.doesNotMatch(json.detail, /[а-я]/i);
});

test('a malformed request id is replaced', async () => {
  const { headers } = await client.get('/livez', { 'x-request-id': 'bad id!' });
  assert.match(headers['x-request-id'], /^[\w.-]{1,64}$/);
});

test('a wrong method answers 405 with Allow', async () => {
  const answer = await client.request('DELETE', '/api/v1/tariffs');
  assert.equal(answer.status, 405);
  assert.match(answer.headers.allow, /GET/);
  assert.equal(answer.json.code, 'method_not_allowed');
});

test('HEAD answers as GET without a body; OPTIONS says what is allowed', async () => {
  const get = await client.get('/api/v1/tariffs');
  const head = await client.request('HEAD', '/api/v1/tariffs');
  assert.equal(head.status, 200);
  assert.equal(head.bytes.length, 0);
  assert.equal(head.headers['content-length'] ?? get.headers['content-length'], get.headers['content-length']);
  const options = await client.request('OPTIONS', '/api/v1/tariffs');
  assert.ok([200, 204].includes(options.status));
  assert.match(options.headers.allow, /GET/);
});

test('what a client kept still holds, whichever worker it asks', async () => {
  const driver = await product.login({ id: 3110 });
  for (const path of ['/api/v1/tariffs', '/api/v1/dictionaries/load_types', '/api/v1/dictionaries/points?q=%D0%BC%D0%BE%D1%81', '/api/v1/cargos?mode=all']) {
    const { headers: { etag } } = await driver.get(path);
    const asked = await Promise.all(Array.from({ length: 4 }, () => driver.get(path, { 'if-none-match': etag })));
    const again = await until(async () => { // at least two workers have been asked
      asked.push(await driver.get(path, { 'if-none-match': etag }));
      return new Set(asked.map(({ headers }) => headers['x-request-id'].split('-')[0])).size > 1 && asked;
    }, { what: 'two workers', stepMs: 120 });
    assert.deepEqual([...new Set(again.map(({ status }) => status))], [304], path);
  }
});

test('a wrong content type is 415, a body over the limit 413', async () => {
  const headers = { 'content-type': 'text/plain' };
  assert.equal((await client.request('POST', '/api/v1/auth/telegram', { body: 'x', headers })).status, 415);
  const big = JSON.stringify({ init_data: 'x'.repeat(1024 * 1024 + 1) });
  const answer = await client.request('POST', '/api/v1/auth/telegram', { body: big, headers: { 'content-type': 'application/json' } });
  assert.equal(answer.status, 413);
});

test('the tariffs are open to all, in kopecks and as text', async () => {
  const { status: code, json } = await client.get('/api/v1/tariffs');
  assert.equal(code, 200);
  const month = json.data.find((tariff) => tariff.name === '1_month');
  assert.equal(month.days, 30);
  assert.equal(month.price_kopecks, 49900);
  assert.match(month.price, /499/);
});

test('who wants HTML gets the same thing as a fragment, also of what has no screen', async () => {
  for (const headers of [{ 'hx-request': 'true' }, { accept: 'text/html,application/xhtml+xml' }]) {
    const answer = await client.get('/api/v1/tariffs', headers);
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'], /^text\/html/);
    assert.match(answer.text, /<dt>price_kopecks<\/dt><dd>49900<\/dd>/);
  }
});

test('ambiguous requests are refused cheaply', async () => {
  const host = 'Host: x\r\n';
  assert.equal(await raw('GET /livez HTTP/1.1\r\n\r\n'), 400);
  assert.equal(await raw(`GET /livez HTTP/1.1\r\n${host}${host}\r\n`), 400);
  assert.equal(await raw(`GET /livez HTTP/1.1\r\n${host}X-A : 1\r\n\r\n`), 400);
  assert.equal(await raw(`GET /livez HTTP/1.1\r\n${host}X-A: 1\r\n folded\r\n\r\n`), 400);
  assert.equal(await raw(`POST /livez HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`), 400);
  assert.equal(await raw(`GET /${'a'.repeat(9000)} HTTP/1.1\r\n${host}\r\n`), 414);
  assert.equal(await raw(`GET /livez HTTP/1.1\r\n${host}X-A: ${'a'.repeat(40000)}\r\n\r\n`), 431);
  assert.equal(await raw(`GET /livez HTTP/1.1\r\n${host}${'X-A: 1\r\n'.repeat(120)}\r\n`), 431);
});

test('pipelined requests are answered in order on one connection', async () => {
  const one = (id, last) => `GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${id}\r\n${last ? 'Connection: close\r\n' : ''}\r\n`;
  const text = await client.raw(one('first') + one('second') + one('third', true));
  const ids = [...text.matchAll(/^x-request-id: (\w+)/gim)].map((match) => match[1]);
  assert.deepEqual(ids, ['first', 'second', 'third']);
});

test('the page comes with its security headers, compressed when asked', async () => {
  const plain = await client.get('/');
  assert.equal(plain.status, 200);
  assert.match(plain.headers['content-type'], /text\/html/);
  assert.match(plain.headers['content-security-policy'], /script-src 'self' https:\/\/telegram\.org/);
  assert.match(plain.headers['content-security-policy'], /frame-ancestors/);
  assert.equal(plain.headers['x-content-type-options'], 'nosniff');
  assert.ok(plain.headers['referrer-policy']);
  const packed = await client.get('/', { 'accept-encoding': 'gzip' });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.match(zlib.gunzipSync(packed.bytes).toString(), /<html/);
});

test('static files are immutable by hashed name and answer 304', async () => {
  const page = await client.get('/');
  const [file] = /\/static\/[^"']+\.css/.exec(page.text);
  const { status: code, headers } = await client.get(file);
  assert.equal(code, 200);
  assert.match(headers['cache-control'], /immutable/);
  assert.equal((await client.get(file, { 'if-none-match': headers.etag })).status, 304);
  const options = await client.request('OPTIONS', file);
  assert.deepEqual([options.status, options.headers.allow], [204, 'GET, HEAD, OPTIONS']);
  const wrong = await client.post(file);
  assert.deepEqual([wrong.status, wrong.json.code, wrong.headers.allow], [405, 'method_not_allowed', 'GET, HEAD, OPTIONS']);
  assert.equal((await client.get('/static/../conf/default.lua')).status, 404);
  assert.equal((await client.get('/static/%2e%2e/conf/default.lua')).status, 404);
});

test('what no script answers is counted too: files, and requests refused at the door', async () => {
  const count = async (labels) => Number(new RegExp(`^fura_http_requests_total\\{${labels}\\} (\\d+)`, 'm')
    .exec((await client.get('/metrics')).text)?.[1] ?? 0);
  const refused = await count('method="",route="",status="414"');
  const files = await count('method="",route="/static/",status="200"');
  assert.equal(await raw(`GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: x\r\n\r\n`), 414);
  const [file] = /\/static\/[^"']+\.css/.exec((await client.get('/')).text);
  assert.equal((await client.get(file)).status, 200);
  assert.equal(await count('method="",route="",status="414"'), refused + 1);
  assert.equal(await count('method="",route="/static/",status="200"'), files + 1);
});

test('probes and metrics speak', async () => {
  assert.equal((await client.get('/livez')).status, 200);
  assert.equal((await client.get('/readyz')).status, 200);
  assert.equal((await client.get('/readyz?serve=1')).status, 200);
  assert.equal((await client.get('/healthz')).status, 200);
  const metrics = await client.get('/metrics');
  assert.match(metrics.headers['content-type'], /text\/plain/);
  assert.match(metrics.text, /^# TYPE \w+ (counter|gauge|histogram)/m);
});

test('the outside services are asked for who is on this machine or has an account of the panel, once a minute', async () => {
  const panel = await Panel.of(product, 'petra', '--role', 'viewer');
  const afar = { 'x-forwarded-for': '198.51.100.7' };
  assert.equal((await client.get('/healthz?deep=1', afar)).json.code, 'forbidden');
  assert.equal((await client.get('/healthz?deep=1', { ...afar, cookie: `fura_admin=${'A'.repeat(43)}` })).json.code, 'forbidden');
  const seen = await client.get('/healthz?deep=1', { ...afar, ...panel.headers });
  assert.deepEqual([seen.status, seen.json.cargotech, seen.json.yookassa], [200, { ok: true }, { ok: true }]);
  const again = await client.get('/healthz?deep=1');
  assert.deepEqual([again.status, again.json.code], [429, 'rate_limited']);
  assert.ok(Number(again.headers['retry-after']) > 50, again.headers['retry-after']);
});

test('the API describes itself', async () => {
  const { status: code, json } = await client.get('/api/openapi.json');
  assert.equal(code, 200);
  assert.match(json.openapi, /^3\.1/);
  assert.ok(json.paths['/api/v1/cargos'].get);
  assert.equal((await client.get('/api/docs')).status, 200);
});

test('a driver who asks too fast is told when to come back', async () => {
  const driver = await product.login({ id: 801 });
  const answers = await Promise.all(Array.from({ length: 40 }, () => driver.get('/api/v1/subscription')));
  const refused = answers.filter((answer) => answer.status === 429);
  assert.ok(refused.length > 0 && refused.length < 30, `${refused.length} of 40 refused`);
  assert.equal(refused[0].json.code, 'rate_limited');
  assert.ok(Number(refused[0].headers['retry-after']) >= 1);
});
