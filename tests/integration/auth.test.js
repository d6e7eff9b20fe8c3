'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { SETTINGS } = require('../support/fura.js');

let product;
before(async () => { product = await Product.start({ env: { INIT_DATA_MAX_AGE: '600' } }); });
after(() => product.stop());

const seconds = () => Math.floor(Date.now() / 1000);
const enter = (initData, headers) => product.client.post('/api/v1/auth/telegram', { init_data: initData }, headers);

test('a driver logs in with initData and gets a token, the driver and the cookie', async () => {
  const { status, json, headers } = await enter(product.initData({ id: 501, first_name: 'Иван', username: 'ivan' }));
  assert.equal(status, 200);
  assert.equal(json.token_type, 'Bearer');
  assert.equal(json.expires_in, 86400);
  assert.deepEqual(json.driver, { id: '501', first_name: 'Иван', username: 'ivan' });
  assert.match(json.session_token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.match(String(headers['set-cookie']), /fura_session=[^;]+;.*HttpOnly/i);
  assert.equal(headers['cache-control'], 'no-store');
});

test('initData may come in the Authorization header', async () => {
  const headers = { authorization: `tma ${product.initData({ id: 502 })}` };
  for (const type of [{}, { 'content-type': 'application/json' }]) {
    const { status, json } = await product.client.request('POST', '/api/v1/auth/telegram', { headers: { ...headers, ...type } });
    assert.equal(status, 200);
    assert.equal(json.driver.id, '502');
  }
});

test('the token says who: JWT HS256 with sub, sid, iat and exp a day later', async () => {
  const { token } = await product.login({ id: 503 });
  const [head, claims] = token.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')));
  assert.equal(head.alg, 'HS256');
  assert.ok(head.kid);
  assert.equal(claims.sub, '503');
  assert.equal(claims.exp - claims.iat, 86400);
  assert.ok(claims.sid);
});

test('/me shows the driver, the subscription, the flags and the filters', async () => {
  const driver = await product.login({ id: 504, first_name: 'Ольга' });
  const { status, json } = await driver.get('/api/v1/me');
  assert.equal(status, 200);
  assert.equal(json.driver.id, '504');
  assert.equal(json.driver.first_name, 'Ольга');
  assert.equal(json.subscription.active, false);
  assert.equal(typeof json.flags, 'object');
  assert.equal(typeof json.filters, 'object');
});

test('forged, tampered, old and future initData is refused, and nothing says why', async () => {
  const good = product.initData({ id: 505 });
  const refused = {
    'a wrong bot': product.initData({ id: 505 }, { token: '42:other' }),
    'a changed user': good.replace('505', '506'),
    'no hash': good.replace(/&hash=.*/, ''),
    'the future': product.initData({ id: 505 }, { authDate: seconds() + 60 }),
    'a doubled key': `${good}&auth_date=1`,
    'a bot': product.initData({ id: 505, is_bot: true }),
    'no user': product.initData(undefined, { extra: { user: '' } }),
    garbage: '%%%',
  };
  for (const [what, initData] of Object.entries(refused)) {
    const { status, json } = await enter(initData);
    assert.equal(status, 401, what);
    assert.equal(json.code, 'init_data_invalid', what);
    assert.doesNotMatch(json.detail, /hash|HMAC|duplicate/i, what);
  }
  const old = await enter(product.initData({ id: 505 }, { authDate: seconds() - 601 }));
  assert.equal(old.status, 401);
  assert.equal(old.json.code, 'init_data_expired');
});

test('a body that is no JSON, or has no initData, is told apart', async () => {
  const broken = await product.client.request('POST', '/api/v1/auth/telegram', { body: '{"init_data":', headers: { 'content-type': 'application/json' } });
  assert.equal(broken.status, 400);
  assert.equal(broken.json.code, 'invalid_json');
  const empty = await product.client.post('/api/v1/auth/telegram', {});
  assert.equal(empty.status, 422);
  assert.equal(empty.json.code, 'invalid_input');
  assert.equal(empty.json.errors[0].field, 'init_data');
});

test('without a token, or with a bad one, a driver route answers 401', async () => {
  const { token } = await product.login({ id: 507 });
  const [head, claims] = token.split('.');
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
  for (const bad of [undefined, 'x', `${head}.${claims}.AAAA`, `${none}.${claims}.`]) {
    const client = bad === undefined ? product.client : product.client.as(bad);
    const { status, json } = await client.get('/api/v1/me');
    assert.equal(status, 401);
    assert.equal(json.code, 'unauthorized');
  }
});

test('a new login replaces the old session, which is told so', async () => {
  const phone = await product.login({ id: 508 });
  const desktop = await product.login({ id: 508 });
  assert.equal((await desktop.get('/api/v1/me')).status, 200);
  const { status, json } = await phone.get('/api/v1/me');
  assert.equal(status, 401);
  assert.equal(json.code, 'session_replaced');
});

test('logout ends the session', async () => {
  const driver = await product.login({ id: 509 });
  assert.equal((await driver.post('/api/v1/auth/logout', undefined, { 'content-type': 'application/json' })).status, 204);
  assert.equal((await driver.get('/api/v1/me')).status, 401);
});

test('the cookie works for reading; for writing it needs an Origin of ours', async () => {
  const { headers } = await enter(product.initData({ id: 510 }));
  const cookie = String(headers['set-cookie']).split(';')[0];
  assert.equal((await product.client.get('/api/v1/me', { cookie })).status, 200);
  const write = (origin) => product.client.post('/api/v1/auth/logout', undefined, { cookie, ...(origin && { origin }) });
  assert.equal((await write()).status, 403);
  assert.equal((await write('https://evil.example')).status, 403);
  assert.equal((await write(new URL(SETTINGS.WEBAPP_URL).origin)).status, 204);
});

test('ten logins a minute are enough for one driver', async () => {
  const answers = [];
  for (let n = 0; n < 12; n++) answers.push(await enter(product.initData({ id: 511 })));
  const refused = answers.find((answer) => answer.status === 429);
  assert.ok(refused, 'no login was limited');
  assert.equal(refused.json.code, 'rate_limited');
  assert.ok(Number(refused.headers['retry-after']) >= 1);
  assert.equal((await enter(product.initData({ id: 512 }))).status, 200);
});

test('no token, initData, hash or secret is in the log', async () => {
  const { token } = await product.login({ id: 513 });
  const { log } = product.fura;
  assert.ok(log.includes('/api/v1/auth/telegram'), 'requests are logged');
  for (const secret of [token, SETTINGS.SESSION_SECRET, SETTINGS.TELEGRAM_BOT_TOKEN, SETTINGS.CARGOTECH_PASSWORD, 'hash=']) {
    assert.ok(!log.includes(secret), `the log has ${secret.slice(0, 8)}…`);
  }
});
