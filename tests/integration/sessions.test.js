'use strict';
// Sessions over their whole life: keys that rotate, tokens that are renewed, Redis that forgets, logins that fail.
const { test, describe, before, after } = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { AppCopy } = require('../support/app_copy.js');
const { Fura, SETTINGS } = require('../support/fura.js');
const { Product } = require('../support/product.js');
const { until } = require('../support/client.js');
const vectors = require('../vectors/initdata.json').vectors;

const read = (token) => token.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')));

/** The same claims but for `changes`, signed with the key the tests share. */
function resign(token, changes, key = SETTINGS.SESSION_SECRET) {
  const [head, claims] = read(token);
  const text = [head, { ...claims, ...changes }].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${crypto.createHmac('sha256', key).update(text).digest('base64url')}`;
}

const now = () => Math.floor(Date.now() / 1000);

describe('with one server', () => {
  let product;
  before(async () => { product = await Product.start(); });
  after(() => product.stop());

  test('under four hours to its end a token is renewed, in the header and the cookie', async () => {
    const driver = await product.login({ id: 8101 });
    const ending = resign(driver.token, { iat: now() - 72100, exp: now() + 14300 });
    const answer = await product.client.as(ending).get('/api/v1/me');
    assert.equal(answer.status, 200);
    const fresh = answer.headers['x-session-token'];
    assert.equal(read(fresh)[1].sid, read(ending)[1].sid);
    assert.ok(read(fresh)[1].exp >= now() + 86390);
    assert.ok(String(answer.headers['set-cookie']).includes(`fura_session=${fresh};`));
    assert.equal((await product.client.as(fresh).get('/api/v1/me')).headers['x-session-token'], undefined);
    const missing = await product.client.as(ending).get('/api/v1/cargos/99999999');
    assert.equal(missing.status, 404);
    assert.ok(missing.headers['x-session-token'], 'an error renews as well');
  });

  test('an expired token, one of another key and one without expiry are nobody’s', async () => {
    const { token } = await product.login({ id: 8102 });
    const bad = [resign(token, { exp: now() - 1 }), resign(token, {}, 'another key'), resign(token, { exp: undefined }),
      resign(token, { exp: '99999999999' }), resign(token, { sub: '8103' })];
    for (const one of bad) assert.equal((await product.client.as(one).get('/api/v1/me')).json.code, 'unauthorized');
  });

  test('the life of a session in Redis slides with its use', async () => {
    const driver = await product.login({ id: 8104 });
    await product.redis.command('EXPIRE', 'driver:8104:session', '100');
    const ttl = async () => {
      await driver.get('/api/v1/me');
      return Number(await product.redis.command('TTL', 'driver:8104:session')) > 86000;
    };
    await until(ttl, { what: 'a slid session', stepMs: 300 });
  });

  test('logout clears the cookie and ends the session on all workers', async () => {
    const driver = await product.login({ id: 8105 });
    const answer = await driver.post('/api/v1/auth/logout');
    assert.match(String(answer.headers['set-cookie']), /fura_session=;.*Max-Age=0/);
    for (let n = 0; n < 20; n++) assert.equal((await driver.get('/api/v1/me')).json.code, 'unauthorized');
  });

  test('an old snapshot of Redis does not bring a replaced session back', async () => {
    for (let id = 8110; id < 8113; id++) {
      const old = await product.login({ id });
      await product.redis.command('SAVE');
      const fresh = await product.login({ id });
      await product.redis.kill();
      await product.redis.up();
      assert.equal((await old.get('/api/v1/me')).json.code, 'session_replaced');
      await product.fura.untilReady();
      for (let n = 0; n < 6; n++) assert.equal((await old.get('/api/v1/me')).json.code, 'session_replaced');
      assert.equal((await fresh.get('/api/v1/me')).status, 200);
      const sid = read(fresh.token)[1].sid;
      await until(async () => (await product.redis.command('GET', `driver:${id}:session`)) === sid, { what: 'the repaired key' });
    }
  });

  test('more than ten refused logins a minute raise one alert, in the chat for alerts', async () => {
    const forged = product.initData({ id: 8120 }, { token: '42:other' });
    for (let n = 0; n < 14; n++) await product.client.post('/api/v1/auth/telegram', { init_data: forged });
    const sent = async () => {
      const { requests } = await product.control('telegram').get('log');
      return requests.filter(({ body }) => String(body.chat_id) === SETTINGS.TELEGRAM_ALERTS_CHAT_ID && /login_failures/.test(body.text));
    };
    await until(async () => (await sent()).length > 0, { what: 'the alert' });
    assert.match((await sent())[0].body.text, /invalid_hash/);
    assert.equal((await sent()).length, 1);
    const { text } = await product.client.get('/metrics');
    assert.match(text, /login_failures_total\{[^}]*reason="invalid_hash"[^}]*\} 14/);
  });
});

describe('with keys that rotate', () => {
  const [oldKey, newKey] = ['old-session-secret-0123456789abcdef', 'new-session-secret-0123456789abcdef'];
  let product;
  let server;
  before(async () => { product = await Product.start({ serve: false }); });
  after(async () => {
    await server?.stop();
    await product.stop();
  });

  async function serve(secret) {
    await server?.stop();
    server = new Fura({ env: { ...product.serviceEnv(), SESSION_SECRET: secret } });
    await server.serve();
  }
  const login = async (id) => (await server.client.post('/api/v1/auth/telegram', { init_data: product.initData({ id }) })).json.session_token;
  const status = async (token) => (await server.client.as(token).get('/api/v1/me')).status;

  test('the old key is good beside the new one, and bad once it is gone', async () => {
    await serve(oldKey);
    const before = await login(8201);
    await serve(`${newKey},${oldKey}`);
    const after = await login(8202);
    assert.notEqual(read(before)[0].kid, read(after)[0].kid);
    assert.deepEqual([await status(before), await status(after)], [200, 200]);
    await serve(newKey);
    assert.deepEqual([await status(before), await status(after)], [401, 200]);
  });

  test('without a key development makes one up, for all its workers and nobody else', async () => {
    await serve(undefined);
    const token = await login(8203);
    for (let n = 0; n < 12; n++) assert.equal(await status(token), 200);
    for (const guess of ['', 'secret', 'development only: this key protects nothing']) {
      assert.equal(await status(resign(token, { sub: '8201' }, guess)), 401);
    }
  });
});

describe('with a conf of its own', () => {
  let app;
  before(() => { app = new AppCopy(); });
  after(() => app.close());

  test('development for others needs a key', async () => {
    app.configure('{}', '  allow_public_development = true,\n');
    const open = new Fura({ root: app.root, env: { SESSION_SECRET: undefined } });
    const end = await open.command('check');
    assert.equal(end.code, 1);
    assert.match(end.output, /session\.secret: is missing \(expected SESSION_SECRET/);
  });

  test('a bot that is trusted logs its drivers in by Telegram’s signature alone', async () => {
    const { bot_id: bot, init_data: initData } = vectors.find(({ id }) => id === 'B');
    app.configure('{}', `  telegram = { trusted_bots = { ${bot} } },\n`);
    const product = await Product.start({ root: app.root, env: { INIT_DATA_MAX_AGE: '2147483647' } });
    try {
      const enter = (text) => product.client.post('/api/v1/auth/telegram', { init_data: text });
      const answer = await enter(initData);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.driver.id, '279058397');
      const { init_data: other } = vectors.find(({ id }) => id === 'C');
      assert.equal((await enter(other)).json.code, 'init_data_invalid');
    } finally {
      await product.stop();
    }
  });
});
