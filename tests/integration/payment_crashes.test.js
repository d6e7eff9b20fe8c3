'use strict';
// Whatever is killed, and in whatever order what happens is told: a payment counts once.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { until } = require('../support/client.js');

const DRIVERS = 12;
let product;
let yookassa;

before(async () => {
  product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' } });
  yookassa = product.control('yookassa');
});
after(() => product.stop());

const killWorker = async (n) => {
  const workers = product.fura.workers();
  const victim = workers[n % workers.length];
  process.kill(victim, 'SIGKILL');
  const replaced = () => product.fura.workers().length === 2 && !product.fura.workers().includes(victim);
  await until(replaced, { what: 'a new worker', timeoutMs: 30000 });
  await product.fura.untilReady();
};
/** A tap of a driver whose connection may die with a worker. */
const tap = async (driver) => {
  for (;;) {
    const answer = await driver.post('/api/v1/payments', { tariff: '1_month' }).catch(() => undefined);
    if (answer?.json?.confirmation_url) return answer.json;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

test('a tap whose worker dies while the gateway thinks is finished by the next', async () => {
  const driver = await product.login({ id: 3900 });
  await yookassa.post('misbehave', { match: { method: 'POST', path: '/v3/payments' }, action: 'delay_ms', delay_ms: 12000 });
  const lost = driver.post('/api/v1/payments', { tariff: '3_months' }).catch((error) => error);
  const row = () => product.postgres.query('SELECT id, posting_until IS NOT NULL FROM payments WHERE driver_id = 3900');
  await until(async () => (await row())[0]?.[1] === 't', { what: 'the gateway to be asked' });
  for (const worker of product.fura.workers()) process.kill(worker, 'SIGKILL');
  assert.ok((await lost) instanceof Error);
  await until(() => product.fura.workers().length === 2, { what: 'new workers', timeoutMs: 30000 });
  await product.fura.untilReady();
  const next = await driver.post('/api/v1/payments', { tariff: '3_months' });
  assert.equal(next.status, 200);
  assert.deepEqual((await row()).map(([id]) => id), [next.json.payment_id]);
  assert.equal((await yookassa.get('state')).payments.length, 1);
});

test('a notification whose worker died is looked after by another within ten seconds', async () => {
  const driver = await product.login({ id: 3901 });
  const { json } = await driver.post('/api/v1/payments', { tariff: '6_months' });
  await yookassa.post('misbehave', { match: { method: 'GET', path: '/v3/payments/*' }, action: 'delay_ms', delay_ms: 4000 });
  await yookassa.post('pay', { id: new URL(json.confirmation_url).pathname.split('/').pop() });
  const asked = () => product.postgres.value('SELECT coalesce(max(attempts), 0) FROM payment_inbox').then(Number);
  await until(async () => (await asked()) > 0, { what: 'the notification to be looked at' });
  for (const worker of product.fura.workers()) process.kill(worker, 'SIGKILL');
  const died = Date.now();
  const active = async () => (await driver.get('/api/v1/subscription').catch(() => ({}))).json?.active;
  await until(active, { what: 'the access', timeoutMs: 20000 });
  assert.ok(Date.now() - died < 12000, `took ${Date.now() - died} ms`);
});

test('workers are killed while drivers pay: every payment is made once and counts once', async () => {
  const drivers = await Promise.all(Array.from({ length: DRIVERS }, (_, n) => product.login({ id: 3001 + n })));
  await yookassa.post('notifications', { duplicates: 2, hold: 7, order: 'reverse' });
  let done = false;
  let kills = 0;
  const killing = (async () => {
    for (; !done || kills < 3; kills++) await killWorker(kills);
  })();
  const payments = await Promise.all(drivers.map(tap));
  for (const payment of payments) {
    await yookassa.post('pay', { id: new URL(payment.confirmation_url).pathname.split('/').pop() });
    await product.postgres.query("UPDATE payments SET created_at = now() - interval '3 minutes', next_check_at = NULL WHERE tariff = '1_month'");
    await product.fura.command('jobs', 'run', 'payments.reconcile');
  }
  await yookassa.post('release');
  done = true;
  await killing;
  const paid = () => product.postgres.value("SELECT count(*) FROM payments WHERE status = 'succeeded' AND tariff = '1_month'").then(Number);
  await until(async () => (await paid()) === DRIVERS, { what: 'all payments to succeed', timeoutMs: 30000 });
  const open = () => product.postgres.value('SELECT count(*) FROM payment_inbox WHERE next_try_at IS NOT NULL').then(Number);
  await until(async () => (await open()) === 0, { what: 'all notifications to be looked after', timeoutMs: 30000 });
  const made = (await yookassa.get('state')).payments.filter((one) => one.metadata.tariff === '1_month');
  assert.equal(made.length, DRIVERS);
  const rows = await product.postgres.query('SELECT count(*), min(days), max(days) FROM subscription_grants WHERE driver_id < 3900 GROUP BY driver_id');
  assert.deepEqual(rows, Array.from({ length: DRIVERS }, () => ['1', '30', '30']));
  const left = await product.postgres.query("SELECT DISTINCT ceil(extract(epoch FROM expires_at - now()) / 86400) FROM subscriptions WHERE driver_id < 3900");
  assert.deepEqual(left, [['30']]);
});
