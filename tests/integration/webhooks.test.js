'use strict';
// Who may notify us, and that no notification is believed.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { Product, gatewayId } = require('../support/product.js');
const { until } = require('../support/client.js');
const vectors = require('../vectors/yookassa.json');

const SECRET = 'signing-proxy-secret-0123456789abcdef';
const PATH_KEY = 'path-key-0123456789abcdef0123456789';
const PATH = '/webhooks/yookassa';
const GATEWAY = '185.71.76.5';
const notification = { type: 'notification', event: 'payment.succeeded', object: { id: crypto.randomUUID(), status: 'succeeded' } };

let product;
before(async () => {
  product = await Product.start({ env: {
    FURA_RATE_LIMITS: 'off', FURA_TRUSTED_PROXIES: '127.0.0.1/32', YOOKASSA_ALLOWED_IPS: vectors.allow_list.join(','),
  } });
});
after(() => product.stop());

const send = (body, headers = {}, path = PATH) => product.client.request('POST', path,
  { body, headers: { 'content-type': 'application/json', ...headers } });
const from = (address, body = JSON.stringify(notification)) => send(body, { 'x-forwarded-for': address });
const count = (sql) => product.postgres.value(sql).then(Number);

test('only addresses of the gateway may notify', async () => {
  for (const { ip, trusted } of vectors.sender_ip_cases.filter((one) => one.ip && !one.ip.includes(','))) {
    const { status, json } = await from(ip);
    assert.equal(status, trusted ? 200 : 403, ip);
    if (!trusted) assert.equal(json.code, 'forbidden_sender');
  }
  const refused = "SELECT count(*) FROM audit_log WHERE action = 'payment.webhook_refused'";
  await until(async () => (await count(refused)) > 0, { what: 'the trail of refused senders' });
});

test('a notification of the documents is stored or refused, and none is believed', async () => {
  await product.login({ id: 501 });
  for (const { id, body, expect } of vectors.notifications) {
    const malformed = /^400|malformed/.test(expect);
    assert.equal((await from(GATEWAY, JSON.stringify(body))).status, malformed ? 400 : 200, id);
  }
  assert.equal((await from(GATEWAY, '{')).status, 400);
  assert.equal((await from(GATEWAY, '')).status, 400);
  assert.equal((await from(GATEWAY, Buffer.from('{"event":"payment.succeeded","object":{"id":"1","status":"succeeded","x":"\xff"}}', 'latin1'))).status, 400);
  const waiting = "SELECT count(*) FROM payment_inbox WHERE attempts = 0";
  await until(async () => (await count(waiting)) === 0, { what: 'all to be looked after' });
  assert.equal(await count('SELECT count(*) FROM subscription_grants'), 0);
  assert.equal(await count("SELECT count(*) FROM payment_inbox WHERE event LIKE 'payout%'"), 0);
});

test('a notification about what the gateway does not know is audited and given up', async () => {
  const object = { id: crypto.randomUUID(), status: 'succeeded' };
  await from(GATEWAY, JSON.stringify({ ...notification, object }));
  const audited = `SELECT count(*) FROM audit_log WHERE action = 'payment.webhook_mismatch' AND target_id = '${object.id}'`;
  await until(async () => (await count(audited)) === 1, { what: 'the trail' });
  for (let n = 0; n < 5; n++) {
    await product.postgres.query(`UPDATE payment_inbox SET next_try_at = now() WHERE object_id = '${object.id}' AND outcome IS NULL`);
    await product.fura.command('jobs', 'run', 'payments.inbox');
  }
  assert.equal(await product.postgres.value(`SELECT outcome FROM payment_inbox WHERE object_id = '${object.id}'`), 'mismatch');
  assert.equal(await count(audited), 1);
});

test('a true notification counts although a forged one like it came before', async () => {
  const driver = await product.login({ id: 502 });
  const yookassa = product.control('yookassa');
  await yookassa.post('notifications', { url: '' });
  const { json } = await driver.post('/api/v1/payments', { tariff: '1_month' });
  const id = gatewayId(json);
  const told = JSON.stringify({ ...notification, object: { id, status: 'succeeded' } });
  assert.equal((await from(GATEWAY, told)).status, 200);
  const outcome = () => product.postgres.value(`SELECT coalesce(outcome, '') FROM payment_inbox WHERE object_id = '${id}'`);
  await until(async () => (await outcome()) === 'unchanged', { what: 'the forged one to be looked after' });
  await yookassa.post('pay', { id });
  await from(GATEWAY, told);
  await until(async () => (await outcome()) === 'applied', { what: 'the true one to count' });
  const received = `SELECT received FROM payment_inbox WHERE object_id = '${id}'`;
  await from(GATEWAY, told);
  assert.equal(await count(received), 3);
  assert.equal(await outcome(), 'applied');
});

test('a refund that overtakes the payment waits for nothing: both count', async () => {
  const driver = await product.login({ id: 503 });
  const yookassa = product.control('yookassa');
  await yookassa.post('notifications', { url: '' });
  const { json } = await driver.post('/api/v1/payments', { tariff: '1_month' });
  const id = gatewayId(json);
  await yookassa.post('pay', { id });
  const refund = await product.asShop('refunds', { payment_id: id, amount: { value: '100.00', currency: 'RUB' } });
  await from(GATEWAY, JSON.stringify({ type: 'notification', event: 'refund.succeeded', object: refund }));
  const shown = async () => (await driver.get(`/api/v1/payments/${json.payment_id}`)).json.status;
  await until(async () => (await shown()) === 'partially_refunded', { what: 'both to count' });
  assert.equal((await driver.get('/api/v1/subscription')).json.days_left, 24);
});

// ---- forgeries ----

const gateway = () => product.control('yookassa');

/** A payment whose end only we tell of. */
async function buy(id, tariff = '1_month') {
  await gateway().post('notifications', { url: '' });
  const driver = await product.login({ id });
  const { json } = await driver.post('/api/v1/payments', { tariff });
  return { driver, payment: json.payment_id, id: gatewayId(json) };
}

/** All that money is: any change of it changes this. */
const money = () => product.postgres.query(`SELECT 'payment', p::text FROM payments p UNION ALL SELECT 'grant', g::text FROM subscription_grants g
  UNION ALL SELECT 'refund', r::text FROM refunds r UNION ALL SELECT 'subscription', s::text FROM subscriptions s ORDER BY 1, 2`);
const trail = (action, target) => count(`SELECT count(*) FROM audit_log WHERE action = '${action}' AND coalesce(target_id, '') = '${target}'`);
const looked = (id) => until(async () => await count(`SELECT count(*) FROM payment_inbox WHERE object_id = '${id}' AND attempts > 0`) > 0, { what: 'a look' });
const tell = (object, event = 'payment.succeeded', address = GATEWAY) => from(address, JSON.stringify({ type: 'notification', event, object }));

/** What the gateway's object says instead of what was agreed. */
const DIFFERENCES = {
  'another amount': () => ({ amount: { value: '1.00', currency: 'RUB' } }), 'another currency': () => ({ amount: { value: '499.00', currency: 'USD' } }),
  'the metadata of another payment': () => ({ metadata: { payment_id: crypto.randomUUID(), driver_id: '1', tariff: '1_month' } }),
  'another driver': ({ payment }) => ({ metadata: { payment_id: payment, driver_id: '1', tariff: '1_month' } }),
  'another tariff': ({ payment }, driver) => ({ metadata: { payment_id: payment, driver_id: driver, tariff: '12_months' } }),
  'another shop': () => ({ recipient: { account_id: '666' } }),
};

for (const [index, [name, difference]] of Object.entries(DIFFERENCES).entries()) {
  test(`a payment with ${name} changes nothing and is in the trail`, async () => {
    const bought = await buy(520 + index);
    await gateway().post('pay', { id: bought.id });
    await gateway().post('alter', { id: bought.id, fields: difference(bought, String(520 + index)) });
    const before = await money();
    assert.equal((await tell({ id: bought.id, status: 'succeeded', paid: true })).status, 200);
    await until(async () => await trail('payment.webhook_mismatch', bought.payment) > 0, { what: 'the trail' });
    assert.deepEqual(await money(), before);
  });
}

test('the right payment told of by a stranger changes nothing and is in the trail', async () => {
  const bought = await buy(530);
  await gateway().post('pay', { id: bought.id });
  const [before, refused] = [await money(), await trail('payment.webhook_refused', '')];
  assert.equal((await tell({ id: bought.id, status: 'succeeded' }, 'payment.succeeded', '8.8.4.4')).status, 403);
  await until(async () => await trail('payment.webhook_refused', '') > refused, { what: 'the trail' });
  assert.deepEqual(await money(), before);
});

test('an end that the gateway knows nothing of changes nothing and is in the trail', async () => {
  const bought = await buy(531);
  const before = await money();
  for (const [event, status] of [['payment.succeeded', 'succeeded'], ['payment.canceled', 'canceled']]) await tell({ id: bought.id, status, paid: true }, event);
  await until(async () => await trail('payment.webhook_mismatch', bought.id) === 2, { what: 'the trail of both' });
  assert.deepEqual(await money(), before);
});

test('what was told once changes nothing when it is told again, as it was or turned round', async () => {
  const bought = await buy(532);
  await gateway().post('pay', { id: bought.id });
  await tell({ id: bought.id, status: 'succeeded' });
  await until(async () => (await bought.driver.get('/api/v1/subscription')).json.active, { what: 'access' });
  const before = await money();
  await Promise.all(Array.from({ length: 5 }, () => tell({ id: bought.id, status: 'succeeded' })));
  await tell({ id: bought.id, status: 'canceled' }, 'payment.canceled');
  await until(async () => await trail('payment.webhook_mismatch', bought.id) > 0, { what: 'the trail' });
  assert.deepEqual(await money(), before);
});

test('a refund of one payment told as that of another takes nothing from the other, and is in the trail', async () => {
  const [one, other] = [await buy(533), await buy(534)];
  for (const bought of [one, other]) {
    await gateway().post('pay', { id: bought.id });
    await tell({ id: bought.id, status: 'succeeded' });
    await until(async () => (await bought.driver.get('/api/v1/subscription')).json.active, { what: 'access' });
  }
  const refund = await product.asShop('refunds', { payment_id: one.id, amount: { value: '499.00', currency: 'RUB' } });
  await tell({ ...refund, payment_id: other.id }, 'refund.succeeded');
  await looked(refund.id);
  await until(async () => await trail('payment.webhook_mismatch', refund.id) > 0, { what: 'the trail' });
  await until(async () => !(await one.driver.get('/api/v1/subscription')).json.active, { what: 'the true refund' });
  assert.equal((await other.driver.get('/api/v1/subscription')).json.days_left, 30);
  assert.equal((await other.driver.get(`/api/v1/payments/${other.payment}`)).json.status, 'succeeded');
});

test('a payment that is none of ours is kept for a day, then given up', async () => {
  const yookassa = product.control('yookassa');
  const order = { amount: { value: '499.00', currency: 'RUB' }, capture: true, confirmation: { type: 'redirect', return_url: 'http://127.0.0.1/' } };
  const made = await product.asShop('payments', order);
  await yookassa.post('pay', { id: made.id });
  await from(GATEWAY, JSON.stringify({ ...notification, object: { id: made.id, status: 'succeeded' } }));
  const row = async () => (await product.postgres.query(
    `SELECT coalesce(outcome, ''), coalesce(last_problem, '') FROM payment_inbox WHERE object_id = '${made.id}'`))[0];
  await until(async () => (await row())[1] === 'unknown', { what: 'the payment to be asked for' });
  assert.equal((await row())[0], '');
  await product.postgres.query(`UPDATE payment_inbox SET received_at = now() - interval '25 hours', next_try_at = now() WHERE object_id = '${made.id}'`);
  await product.fura.command('jobs', 'run', 'payments.inbox');
  assert.equal((await row())[0], 'dead');
});

test('with a signing proxy only signed notifications pass, with a path key only that path', async (context) => {
  const strict = await Product.start({ env: {
    FURA_RATE_LIMITS: 'off', YOOKASSA_ALLOWED_IPS: '*', YOOKASSA_WEBHOOK_SECRET: SECRET, YOOKASSA_WEBHOOK_PATH_KEY: PATH_KEY,
  } });
  context.after(() => strict.stop());
  const body = JSON.stringify(notification);
  const sign = (secret) => ({ 'x-webhook-signature': `sha256=${crypto.createHmac('sha256', secret).update(body).digest('hex')}` });
  const answer = async (path, headers) => {
    const { status, json } = await strict.client.request('POST', path, { body, headers: { 'content-type': 'application/json', ...headers } });
    return [status, json.code];
  };
  assert.deepEqual(await answer(`${PATH}/${PATH_KEY}`, sign(SECRET)), [200, undefined]);
  assert.deepEqual(await answer(`${PATH}/${PATH_KEY}`, sign('another-secret')), [403, 'bad_signature']);
  assert.deepEqual(await answer(`${PATH}/${PATH_KEY}`, {}), [403, 'bad_signature']);
  assert.deepEqual(await answer(`${PATH}/wrong-key`, sign(SECRET)), [403, 'forbidden_sender']);
  assert.deepEqual(await answer(PATH, sign(SECRET)), [403, 'forbidden_sender']);
});
