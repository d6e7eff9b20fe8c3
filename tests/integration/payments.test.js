'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { Product } = require('../support/product.js');
const { until } = require('../support/client.js');

let product;
let yookassa;
const ids = (function* numbers() { for (let id = 901; ; id++) yield id; })();

before(async () => {
  product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' } });
  yookassa = product.control('yookassa');
});
after(() => product.stop());

const login = () => product.login({ id: ids.next().value });
const gatewayId = (payment) => new URL(payment.confirmation_url).pathname.split('/').pop();
const subscription = async (driver) => (await driver.get('/api/v1/subscription')).json;
const untilActive = (driver) => until(async () => (await subscription(driver)).active, { what: 'access' });

test('a payment is created once however often the button is tapped', async () => {
  const driver = await login();
  const taps = await Promise.all([1, 2, 3].map(() => driver.post('/api/v1/payments', { tariff: '1_month' })));
  assert.deepEqual(taps.map((tap) => tap.status).sort(), [200, 200, 201]);
  const [first] = taps;
  assert.equal(new Set(taps.map((tap) => tap.json.payment_id)).size, 1);
  assert.equal(first.json.amount, '499.00');
  assert.equal(first.json.currency, 'RUB');
  const created = (await yookassa.get('state')).payments.filter((one) => one.metadata.payment_id === first.json.payment_id);
  assert.equal(created.length, 1);
  assert.equal(created[0].metadata.tariff, '1_month');
});

test('paying gives access exactly once, however often the notification comes', async () => {
  const driver = await login();
  const { json: payment } = await driver.post('/api/v1/payments', { tariff: '1_month' });
  await yookassa.post('notifications', { duplicates: 4 });
  await yookassa.post('pay', { id: gatewayId(payment) });
  await untilActive(driver);
  await until(() => product.simulators.yookassa.delivered.length >= 5, { what: 'all notifications' });
  await yookassa.post('notifications', { duplicates: 0 });
  const state = await subscription(driver);
  assert.equal(state.source, 'payment');
  assert.equal(state.days_left, 30);
  assert.equal((await driver.get(`/api/v1/payments/${payment.payment_id}`)).json.status, 'succeeded');
});

test('a forged notification changes nothing', async () => {
  const driver = await login();
  const { json: payment } = await driver.post('/api/v1/payments', { tariff: '1_month' });
  const object = { id: gatewayId(payment), status: 'succeeded', paid: true, amount: { value: '499.00', currency: 'RUB' }, metadata: { payment_id: payment.payment_id } };
  const answer = await product.client.post('/webhooks/yookassa', { type: 'notification', event: 'payment.succeeded', object });
  assert.equal(answer.status, 200);
  const asked = () => (product.counts('yookassa')['GET /v3/payments/{id}'] ?? 0) > 0;
  await until(asked, { what: 'the payment to be read back' });
  assert.equal((await subscription(driver)).active, false);
});

test('an amount that differs from ours activates nothing', async () => {
  const driver = await login();
  const { json: payment } = await driver.post('/api/v1/payments', { tariff: '1_month' });
  const id = gatewayId(payment);
  await yookassa.post('alter', { id, fields: { amount: { value: '1.00', currency: 'RUB' } } });
  await yookassa.post('pay', { id });
  const mismatch = () => product.postgres.value("SELECT count(*) FROM audit_log WHERE action LIKE '%webhook_mismatch%'");
  await until(async () => Number(await mismatch()) > 0, { what: 'the audit of the mismatch' });
  assert.equal((await subscription(driver)).active, false);
});

test('a lost answer of the gateway makes no second payment', async () => {
  const driver = await login();
  await yookassa.post('misbehave', { match: { method: 'POST', path: '/v3/payments' }, action: 'close', after: true });
  const { status, json } = await driver.post('/api/v1/payments', { tariff: '3_months' });
  assert.ok(status === 201 || status === 503, String(status));
  const mine = (await yookassa.get('state')).payments.filter((one) => one.metadata.tariff === '3_months');
  assert.equal(mine.length, 1);
  if (status === 201) assert.equal(json.amount, '1299.00');
});

test('a refund shortens the access', async () => {
  const driver = await login();
  const payment = await product.buyAccess(driver);
  const id = gatewayId(payment);
  const call = { payment_id: id, amount: { value: '499.00', currency: 'RUB' } };
  const basic = Buffer.from('100500:test_simulated-secret-key').toString('base64');
  const headers = { authorization: `Basic ${basic}`, 'idempotence-key': crypto.randomUUID(), 'content-type': 'application/json' };
  await fetch(`${product.simulators.yookassa.url}/v3/refunds`, { method: 'POST', headers, body: JSON.stringify(call) });
  await until(async () => !(await subscription(driver)).active, { what: 'the access to end' });
});

test('unknown tariffs, foreign return addresses and strange payments are refused', async () => {
  const driver = await login();
  const unknown = await driver.post('/api/v1/payments', { tariff: 'forever' });
  assert.equal(unknown.status, 422);
  assert.equal(unknown.json.code, 'unknown_tariff');
  assert.equal((await driver.post('/api/v1/payments', { tariff: '1_month', return_url: 'https://evil.example/' })).status, 422);
  const { json } = await driver.post('/api/v1/payments', { tariff: '1_month' });
  const stranger = await login();
  assert.equal((await stranger.get(`/api/v1/payments/${json.payment_id}`)).status, 404);
});

test('malformed notifications are 400', async () => {
  assert.equal((await product.client.post('/webhooks/yookassa', { hello: 1 })).status, 400);
  const broken = await product.client.request('POST', '/webhooks/yookassa', { body: '{', headers: { 'content-type': 'application/json' } });
  assert.equal(broken.status, 400);
});

test('access opens contacts and the access token; the token only reads cargos', async () => {
  const driver = await login();
  await product.buyAccess(driver);
  const { json: list } = await driver.get('/api/v1/cargos?mode=my');
  const { json: detail } = await driver.get(`/api/v1/cargos/${list.cards[0].id}`);
  assert.ok(detail.contact.phone && detail.contact.phone_tel);
  const { json } = await driver.get('/api/v1/subscription/access-token');
  const token = json.access_token ?? json.token;
  assert.ok(token);
  const reader = product.client.as(token);
  assert.equal((await reader.get('/api/v1/cargos')).status, 200);
  assert.ok([401, 403].includes((await reader.get('/api/v1/me')).status));
});
