'use strict';
const { test, beforeEach, afterEach } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { Fura } = require('../support/fura.js');
const { until } = require('../support/client.js');

let product;
beforeEach(async () => { product = await Product.start(); });
afterEach(() => product.stop());

test('with Redis gone sessions live on by Postgres, lists are served, and all heals', async () => {
  const driver = await product.login({ id: 701 });
  assert.equal((await driver.get('/api/v1/cargos')).status, 200);
  await product.redis.kill();

  await until(async () => (await product.client.get('/readyz')).status === 503, { what: 'readyz to notice' });
  assert.equal((await product.client.get('/readyz?serve=1')).status, 200);
  assert.equal((await driver.get('/api/v1/me')).status, 200);
  assert.equal((await driver.get('/api/v1/cargos')).status, 200);
  const newcomer = await product.login({ id: 702 });
  assert.equal((await newcomer.get('/api/v1/cargos?mode=all')).status, 200);

  await product.redis.up();
  await product.fura.untilReady();
  assert.equal((await driver.get('/api/v1/me')).status, 200);
  assert.equal((await newcomer.get('/api/v1/me')).status, 200);
});

test('a session replaced while Redis was away stays replaced when it is back', async () => {
  const old = await product.login({ id: 703 });
  await product.redis.command('SAVE').catch(() => {});
  await product.redis.kill();
  const fresh = await product.login({ id: 703 });
  await product.redis.up();
  await product.fura.untilReady();
  assert.equal((await fresh.get('/api/v1/me')).status, 200);
  assert.equal((await old.get('/api/v1/me')).json.code, 'session_replaced');
});

test('with Postgres gone cached lists are served and writes answer 503', async () => {
  const driver = await product.login({ id: 704 });
  assert.equal((await driver.get('/api/v1/cargos')).status, 200);
  await product.postgres.kill();

  const list = await driver.get('/api/v1/cargos');
  assert.equal(list.status, 200);
  assert.ok(list.json.cards.length > 0);
  const pay = await driver.post('/api/v1/payments', { tariff: '1_month' });
  assert.equal(pay.status, 503);
  assert.equal(pay.json.code, 'database_unavailable');
  assert.equal((await product.client.get('/readyz')).status, 503);

  await product.postgres.up();
  await product.fura.untilReady();
  const heals = async () => (await driver.post('/api/v1/payments', { tariff: '1_month' })).status === 201;
  await until(heals, { what: 'payments to be taken again', timeoutMs: 5000, stepMs: 1000 });
});

test('with CargoTech gone the stored list is served as stale', async () => {
  const driver = await product.login({ id: 705 });
  assert.equal((await driver.get('/api/v1/cargos')).headers['x-cache'], 'MISS');
  await product.control('cargotech').post('misbehave', { times: 0, action: 'close' });
  await product.redis.command('EVAL', "for _,k in ipairs(redis.call('KEYS','user:*:cargos:*')) do redis.call('DEL',k) end return 1", '0');
  const unknown = await driver.get('/api/v1/cargos?mode=all&offset=40');
  assert.equal(unknown.status, 502);
  assert.equal(unknown.json.code, 'upstream_unavailable');
  assert.equal((await driver.get('/api/v1/cargos')).status, 200);
});

/** Ask for `path` on several lanes until stopped; gives all that came back, 0 for a lost connection. */
function keepAsking(client, path, lanes = 4) {
  const seen = new Map();
  let going = true;
  const lane = async () => {
    while (going) {
      const status = await client.get(path).then((answer) => answer.status, () => 0);
      seen.set(status, (seen.get(status) ?? 0) + 1);
    }
  };
  const all = Promise.all(Array.from({ length: lanes }, lane));
  return { seen, stop: async () => { going = false; await all; return seen; } };
}

test('Redis, Postgres and a worker die while drivers read the list: they go on reading it', async () => {
  await product.fura.stop();
  product.fura = new Fura({ env: { ...product.serviceEnv(), FURA_RATE_LIMITS: 'off' } });
  await product.fura.serve();
  const driver = await product.login({ id: 707 });
  assert.equal((await driver.get('/api/v1/cargos')).status, 200);
  const crowd = keepAsking(driver, '/api/v1/cargos');
  const answered = () => crowd.seen.get(200) ?? 0;
  const goesOn = async (what) => {
    const before = answered();
    await until(() => answered() > before + 40, { what: `lists ${what}` });
  };
  await goesOn('at first');
  await product.postgres.kill();
  await goesOn('without Postgres');
  await product.postgres.up();
  await product.fura.untilReady();
  await goesOn('with Postgres back');
  await product.redis.kill(); // after Postgres: what Redis forgot is known from there
  await goesOn('without Redis');
  await product.redis.up();
  await product.fura.untilReady();
  const workers = product.fura.workers();
  process.kill(workers[0], 'SIGKILL');
  await until(() => product.fura.workers().length === workers.length && !product.fura.workers().includes(workers[0]), { what: 'a new worker' });
  await product.fura.untilReady();
  await goesOn('after a worker died');
  const seen = await crowd.stop();
  const lost = seen.get(0) ?? 0;
  assert.deepEqual([...seen.keys()].filter((status) => status !== 200 && status !== 0), [], JSON.stringify([...seen]));
  assert.ok(lost <= 4, `${lost} connections lost, at most those of the dead worker may be`);
});

test('a killed worker is replaced and nobody notices for long', async () => {
  const driver = await product.login({ id: 706 });
  const workers = product.fura.workers();
  assert.ok(workers.length >= 2, `workers: ${workers}`);
  process.kill(workers[0], 'SIGKILL');
  await until(() => {
    const now = product.fura.workers();
    return now.length === workers.length && !now.includes(workers[0]);
  }, { what: 'a new worker' });
  await product.fura.untilReady();
  for (let n = 0; n < 20; n++) assert.equal((await driver.get('/livez')).status, 200);
  assert.equal((await driver.get('/api/v1/me')).status, 200);
});
