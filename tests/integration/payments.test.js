'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { Product, gatewayId } = require('../support/product.js');
const { everywhere, until } = require('../support/client.js');

let product;
let yookassa;
const ids = (function* numbers() { for (let id = 901; ; id++) yield id; })();

before(async () => {
  product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' } });
  yookassa = product.control('yookassa');
});
after(() => product.stop());

const login = () => product.login({ id: ids.next().value });
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

const postPayments = { method: 'POST', path: '/v3/payments' };
const ofPayment = async (id) => (await yookassa.get('state')).payments.filter((one) => one.metadata.payment_id === id);
const grants = (id) => product.postgres.value(`SELECT count(*) FROM subscription_grants WHERE source_id = '${id}'`).then(Number);
const history = async (id) => (await product.postgres.query(`SELECT event FROM payment_history WHERE payment_id = '${id}' ORDER BY id`)).flat();
const age = (id, by) => product.postgres.query(`UPDATE payments SET created_at = created_at - interval '${by}' WHERE id = '${id}'`);
const reconcile = async () => {
  const end = await product.fura.command('jobs', 'run', 'payments.reconcile');
  assert.equal(end.code, 0, end.output);
};
const pay = (driver, body = { tariff: '1_month' }, headers) => driver.post('/api/v1/payments', body, headers);
/** The only payment of this driver, from the database. */
const onlyPayment = async (driverId) => {
  const rows = await product.postgres.query(`SELECT id, status, coalesce(gateway_id, '') FROM payments WHERE driver_id = ${driverId}`);
  assert.equal(rows.length, 1);
  return { id: rows[0][0], status: rows[0][1], gatewayId: rows[0][2] };
};
const untilEverywhere = (check, what) => until(() => everywhere(check), { what });
const silence = () => yookassa.post('notifications', { url: '' });
const listen = () => product.connectWebhooks();

test('a lost answer of the gateway makes no second payment', async () => {
  const driver = await login();
  await yookassa.post('misbehave', { match: postPayments, action: 'close', after: true });
  const { status, json } = await pay(driver, { tariff: '3_months' });
  assert.equal(status, 201);
  assert.equal(json.amount, '1299.00');
  assert.equal((await ofPayment(json.payment_id)).length, 1);
});

for (const [name, fault] of Object.entries({
  'answers 500': { action: 'status', status: 500 },
  'answers 500 after taking it': { action: 'status', status: 500, after: true },
  'answers garbage': { action: 'garbage', after: true },
  'breaks off': { action: 'close', after: true },
})) {
  test(`when the gateway ${name}, the payment is kept and the next tap finishes it`, async () => {
    const id = ids.next().value;
    const driver = await product.login({ id });
    await yookassa.post('misbehave', { match: postPayments, times: 2, ...fault });
    const first = await pay(driver);
    assert.equal(first.status, 503);
    assert.equal(first.json.code, 'gateway_unavailable');
    const kept = await onlyPayment(id);
    assert.equal(kept.status, 'pending');
    const second = await pay(driver);
    assert.equal(second.status, 200);
    assert.equal(second.json.payment_id, kept.id);
    assert.equal((await ofPayment(kept.id)).length, 1);
    assert.deepEqual(await history(kept.id), ['created', 'gateway_error', 'gateway_created']);
  });
}

test('a gateway that is too slow is asked again under the same key', async () => {
  const driver = await login();
  await yookassa.post('misbehave', { match: postPayments, action: 'delay_ms', delay_ms: 9000 });
  const { status, json } = await pay(driver);
  assert.equal(status, 201);
  assert.equal((await ofPayment(json.payment_id)).length, 1);
});

test('a gateway that asks for patience keeps the payment', async () => {
  const id = ids.next().value;
  const driver = await product.login({ id });
  await yookassa.post('misbehave', { match: postPayments, action: 'status', status: 429 });
  const answer = await pay(driver);
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers['retry-after']) > 0);
  assert.equal((await onlyPayment(id)).status, 'pending');
});

test('a payment the gateway refused is over; the next tap is another', async () => {
  const id = ids.next().value;
  const driver = await product.login({ id });
  await yookassa.post('misbehave', { match: postPayments, action: 'status', status: 400 });
  assert.equal((await pay(driver)).status, 503);
  const refused = await onlyPayment(id);
  assert.equal(refused.status, 'failed');
  const next = await pay(driver);
  assert.equal(next.status, 201);
  assert.notEqual(next.json.payment_id, refused.id);
});

test('the same attempt is the same payment; its key fits no other tariff', async () => {
  const driver = await login();
  const key = { 'idempotency-key': crypto.randomUUID() };
  const first = await pay(driver, { tariff: '1_month' }, key);
  await age(first.json.payment_id, '10 minutes');
  const again = await pay(driver, { tariff: '1_month' }, key);
  assert.deepEqual([first.status, again.status], [201, 200]);
  assert.equal(again.json.payment_id, first.json.payment_id);
  const other = await pay(driver, { tariff: '3_months' }, key);
  assert.equal(other.status, 409);
  assert.equal(other.json.code, 'idempotency_key_reused');
});

test('a key that was answered with a payment open already names that payment for good', async () => {
  const id = ids.next().value;
  const driver = await product.login({ id });
  const key = { 'idempotency-key': crypto.randomUUID() };
  const { json: open } = await pay(driver);
  const joined = await pay(driver, { tariff: '1_month' }, key);
  assert.deepEqual([joined.status, joined.json.payment_id], [200, open.payment_id]);
  assert.equal((await pay(driver, { tariff: '3_months' }, key)).json.code, 'idempotency_key_reused');
  const elsewhere = { tariff: '1_month', return_url: 'http://127.0.0.1:8080/paywall' };
  assert.equal((await pay(driver, elsewhere, key)).json.code, 'idempotency_key_reused');
  await yookassa.post('pay', { id: gatewayId(open) });
  await untilActive(driver);
  const after = await pay(driver, { tariff: '1_month' }, key);
  assert.deepEqual([after.status, after.json.payment_id, after.json.status], [200, open.payment_id, 'succeeded']);
  assert.equal(after.json.confirmation_url, null);
  assert.equal((await onlyPayment(id)).id, open.payment_id);
});

test('a refused attempt stays refused under its key, and another key is another attempt', async () => {
  const id = ids.next().value;
  const driver = await product.login({ id });
  const key = { 'idempotency-key': crypto.randomUUID() };
  await yookassa.post('misbehave', { match: postPayments, action: 'status', status: 400 });
  assert.equal((await pay(driver, { tariff: '1_month' }, key)).status, 503);
  const again = await pay(driver, { tariff: '1_month' }, key);
  assert.deepEqual([again.status, again.json.status], [200, 'failed']);
  assert.equal(again.json.payment_id, (await onlyPayment(id)).id);
  assert.equal((await pay(driver, { tariff: '1_month' }, { 'idempotency-key': crypto.randomUUID() })).status, 201);
});

test('a key belongs to its driver', async () => {
  const key = { 'idempotency-key': 'mine' };
  const [one, other] = [await login(), await login()];
  const [first, second] = [await pay(one, undefined, key), await pay(other, { tariff: '3_months' }, key)];
  assert.deepEqual([first.status, second.status], [201, 201]);
  assert.notEqual(first.json.payment_id, second.json.payment_id);
});

test('a page older than five minutes gives way to a new payment, and still counts when it is paid', async () => {
  const driver = await login();
  const { json: old } = await pay(driver);
  await age(old.payment_id, '6 minutes');
  const { status, json: fresh } = await pay(driver);
  assert.equal(status, 201);
  assert.notEqual(fresh.payment_id, old.payment_id);
  await yookassa.post('pay', { id: gatewayId(old) });
  await untilActive(driver);
  await yookassa.post('pay', { id: gatewayId(fresh) });
  await until(async () => (await subscription(driver)).days_left === 60, { what: 'both payments to count' });
});

test('a payment with another price gives way to a new one', async () => {
  const driver = await login();
  const { json: old } = await pay(driver);
  const list = [{ name: '1_month', title: { ru: '1 месяц' }, days: 30, price_kopecks: 59900 }];
  const set = await product.fura.commandWith(JSON.stringify(list), 'settings', 'set', 'tariffs');
  assert.equal(set.code, 0, set.output);
  const sold = async () => (await product.client.get('/api/v1/tariffs')).json.data;
  await untilEverywhere(async () => (await sold()).length === 1, 'the new tariffs');
  const { status, json } = await pay(driver);
  assert.deepEqual([status, json.amount], [201, '599.00']);
  assert.notEqual(json.payment_id, old.payment_id);
  assert.equal((await product.fura.command('settings', 'unset', 'tariffs')).code, 0);
  await untilEverywhere(async () => (await sold()).length === 4, 'the usual tariffs');
});

test('without notifications the reconciler finds what was paid', async () => {
  const driver = await login();
  await silence();
  const { json } = await pay(driver);
  await yookassa.post('pay', { id: gatewayId(json) });
  await reconcile();
  assert.equal((await driver.get(`/api/v1/payments/${json.payment_id}`)).json.status, 'pending');
  await age(json.payment_id, '3 minutes');
  await reconcile();
  assert.equal((await driver.get(`/api/v1/payments/${json.payment_id}`)).json.status, 'succeeded');
  assert.equal((await subscription(driver)).days_left, 30);
  await listen();
});

test('a payment whose creation was never answered is found at the gateway by what it is about', async () => {
  const id = ids.next().value;
  const driver = await product.login({ id });
  await silence();
  await yookassa.post('misbehave', { match: postPayments, times: 2, action: 'close', after: true });
  assert.equal((await pay(driver)).status, 503);
  const lost = await onlyPayment(id);
  const [made] = await ofPayment(lost.id);
  await yookassa.post('pay', { id: made.id });
  await age(lost.id, '3 minutes');
  await reconcile();
  assert.deepEqual(await onlyPayment(id), { id: lost.id, status: 'succeeded', gatewayId: made.id });
  assert.equal(await grants(lost.id), 1);
  const said = () => product.postgres.value(`SELECT payload->>'text' FROM outbox WHERE chat_key = '${id}'`);
  assert.match(await said(), /^Оплачено. Подписка до \d\d\.\d\d\.\d{4}\.$/);
  await listen();
});

test('a notification that overtakes the answer finds its payment by what it is about', async () => {
  const id = ids.next().value;
  const driver = await product.login({ id });
  await yookassa.post('misbehave', { match: postPayments, times: 2, action: 'close', after: true });
  assert.equal((await pay(driver)).status, 503);
  const lost = await onlyPayment(id);
  const [made] = await ofPayment(lost.id);
  await yookassa.post('pay', { id: made.id });
  await untilActive(driver);
  assert.equal((await onlyPayment(id)).status, 'succeeded');
});

test('a payment the gateway never made is over after a day', async () => {
  const id = ids.next().value;
  const driver = await product.login({ id });
  await yookassa.post('misbehave', { match: postPayments, times: 2, action: 'status', status: 500 });
  await pay(driver);
  const lost = await onlyPayment(id);
  await age(lost.id, '23 hours 50 minutes');
  await reconcile();
  assert.equal((await onlyPayment(id)).status, 'pending');
  await age(lost.id, '11 minutes');
  await product.postgres.query(`UPDATE payments SET next_check_at = NULL WHERE id = '${lost.id}'`);
  await reconcile();
  assert.equal((await onlyPayment(id)).status, 'failed');
});

test('a refused payment is canceled and gives nothing', async () => {
  const driver = await login();
  const { json } = await pay(driver);
  await yookassa.post('refuse', { id: gatewayId(json), reason: 'insufficient_funds' });
  const shown = async () => (await driver.get(`/api/v1/payments/${json.payment_id}`)).json;
  await until(async () => (await shown()).status === 'canceled', { what: 'the cancellation' });
  assert.equal((await shown()).confirmation_url, null);
  assert.equal((await subscription(driver)).active, false);
});

/** A refund as the merchant makes it in the gateway's cabinet. */
const yookassaRefund = (id, value) => product.asShop('refunds', { payment_id: id, amount: { value, currency: 'RUB' } });

test('a refund shortens the access', async () => {
  const driver = await login();
  const payment = await product.buyAccess(driver);
  await yookassaRefund(gatewayId(payment), '499.00');
  await until(async () => !(await subscription(driver)).active, { what: 'the access to end' });
});

test('a partial refund takes its share of the days, the rest takes the rest', async () => {
  const driver = await login();
  const payment = await product.buyAccess(driver);
  const refund = (value) => yookassaRefund(gatewayId(payment), value);
  await refund('100.00');
  await until(async () => (await subscription(driver)).days_left === 24, { what: 'six days less' });
  assert.equal((await driver.get(`/api/v1/payments/${payment.payment_id}`)).json.status, 'partially_refunded');
  await refund('399.00');
  await until(async () => !(await subscription(driver)).active, { what: 'the access to end' });
  assert.equal((await driver.get(`/api/v1/payments/${payment.payment_id}`)).json.status, 'refunded');
});

test('a refund that nobody told of is found by the daily comparison', async () => {
  const driver = await login();
  const payment = await product.buyAccess(driver);
  await silence();
  await yookassaRefund(gatewayId(payment), '499.00');
  const end = await product.fura.command('jobs', 'run', 'payments.compare');
  assert.equal(end.code, 0, end.output);
  assert.equal((await driver.get(`/api/v1/payments/${payment.payment_id}`)).json.status, 'refunded');
  assert.equal((await subscription(driver)).active, false);
  await listen();
});

test('selling can be switched off without taking access from those who have it', async () => {
  const driver = await login();
  await product.buyAccess(driver);
  await product.postgres.query("INSERT INTO feature_flags (name, enabled) VALUES ('payments', false)");
  const refused = async () => (await pay(driver, { tariff: '3_months' })).json.code === 'payments_disabled';
  await untilEverywhere(refused, 'selling to stop');
  assert.equal((await pay(driver, { tariff: '3_months' })).status, 403);
  assert.equal((await subscription(driver)).features.respond, true);
  await product.postgres.query("DELETE FROM feature_flags WHERE name = 'payments'");
  await untilEverywhere(async () => !(await refused()), 'selling to go on');
});

test('selling for subscribers only sells to subscribers, as their page says', async () => {
  const [subscriber, stranger] = [await login(), await login()];
  await product.buyAccess(subscriber);
  await product.postgres.query("INSERT INTO feature_flags (name, requires_subscription) VALUES ('payments', true)");
  const flag = async (driver) => (await driver.get('/api/v1/me')).json.flags.payments;
  await untilEverywhere(async () => !(await flag(stranger)), 'the flag');
  assert.equal(await flag(subscriber), true);
  assert.equal((await pay(subscriber)).status, 201);
  assert.equal((await pay(stranger)).json.code, 'payments_disabled');
  await product.postgres.query("DELETE FROM feature_flags WHERE name = 'payments'");
  await untilEverywhere(() => flag(stranger), 'selling to all');
});

test('with receipts configured a contact is asked for once and kept encrypted', async () => {
  const driver = await login();
  const set = await product.fura.commandWith('{"vat_code":1,"tax_system_code":2}', 'settings', 'set', 'receipts');
  assert.equal(set.code, 0, set.output);
  const asked = async () => (await pay(driver, { tariff: '6_months' })).json.code === 'receipt_contact_required';
  await untilEverywhere(asked, 'the contact to be asked for');
  assert.equal((await pay(driver, { tariff: '1_month', email: 'nobody' })).status, 422);
  const first = await pay(driver, { tariff: '1_month', email: 'driver@example.org' });
  assert.equal(first.status, 201);
  assert.equal((await pay(driver, { tariff: '3_months' })).status, 201);
  const log = (await yookassa.get('log')).requests.filter((one) => one.method === 'POST' && one.body.receipt);
  assert.equal(log.length, 2);
  for (const { body } of log) {
    assert.equal(body.receipt.customer.email, 'driver@example.org');
    assert.equal(body.receipt.items[0].amount.value, body.amount.value);
  }
  const stored = await product.postgres.query("SELECT encode(sealed, 'escape') FROM receipt_contacts");
  assert.ok(!JSON.stringify(stored).includes('example.org'));
  assert.equal((await product.fura.command('settings', 'unset', 'receipts')).code, 0);
  const stranger = await login();
  await untilEverywhere(async () => (await pay(stranger, { tariff: '6_months' })).status < 300, 'receipts to be off');
});

test('a form works as well as JSON', async () => {
  const driver = await login();
  const answer = await driver.request('POST', '/api/v1/payments', { body: 'tariff=1_month', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  assert.equal(answer.status, 201);
  assert.equal(answer.json.tariff, '1_month');
});

test('own payments are listed newest first', async () => {
  const driver = await login();
  await pay(driver, { tariff: '1_month' });
  await pay(driver, { tariff: '3_months' });
  const { json } = await driver.get('/api/v1/payments');
  assert.deepEqual(json.data.map((one) => one.tariff), ['3_months', '1_month']);
  assert.equal(json.data[0].title, '3 месяца');
  assert.equal(json.next_cursor, null);
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
  assert.deepEqual([broken.status, broken.json.code], [400, 'invalid_json']);
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
  for (const path of ['/api/v1/me', '/api/v1/responses', '/api/v1/payments', '/api/v1/subscription', '/api/v1/subscription/access-token']) {
    assert.equal((await reader.get(path)).status, 403, path);
  }
  assert.equal((await pay(reader)).status, 403);
  assert.equal((await reader.get('/api/v1/dictionaries/load_types')).status, 200);
});

test('what is read with the access token is not remembered as the driver\'s own search', async () => {
  const driver = await login();
  await product.buyAccess(driver);
  const remembered = async () => (await driver.get('/api/v1/me')).json.filters;
  await product.postgres.query(`CREATE TABLE searches (filters jsonb);
    CREATE FUNCTION note_search() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO searches VALUES (NEW.filters); RETURN NEW; END';
    CREATE TRIGGER note_search BEFORE INSERT OR UPDATE ON driver_filters FOR EACH ROW EXECUTE FUNCTION note_search()`);
  const { json } = await driver.get('/api/v1/subscription/access-token');
  const reader = product.client.as(json.access_token);
  assert.equal((await reader.get('/api/v1/cargos?mode=all&weight_volume=3-16')).status, 200);
  await driver.get('/api/v1/cargos?mode=all&weight_volume=10-54');
  await until(async () => (await remembered()).weight_volume === '10-54', { what: 'the own search' });
  assert.equal(await product.postgres.value("SELECT count(*) FROM searches WHERE filters->>'weight_volume' = '3-16'"), '0');
});

test('an access token can be replaced and revoked, and dies with the access', async () => {
  const id = ids.next().value;
  const driver = await product.login({ id });
  const path = '/api/v1/subscription/access-token';
  assert.equal((await driver.get(path)).status, 402);
  await product.buyAccess(driver);
  const first = (await driver.get(path)).json.access_token;
  assert.match(first, /^[\w-]{43}$/);
  const second = (await driver.post(path)).json.access_token;
  assert.notEqual(second, first);
  assert.equal((await driver.get(path)).json.access_token, second);
  const works = async (token) => (await product.client.as(token).get('/api/v1/cargos')).status;
  await until(async () => (await works(first)) === 401, { what: 'the old token to die', timeoutMs: 2000 });
  assert.equal(await works(second), 200);
  const stored = await product.postgres.query(`SELECT token_hash, token_sealed FROM subscriptions WHERE driver_id = ${id}`);
  assert.ok(!JSON.stringify(stored).includes(second));
  await product.postgres.query(`INSERT INTO subscription_grants (driver_id, source, source_id, days) VALUES (${id}, 'revoke', 'spec-${id}', 0)`);
  await until(async () => (await works(second)) === 401, { what: 'the token to die with the access', timeoutMs: 2000 });
  await product.buyAccess(driver);
  assert.equal((await driver.get(path)).json.access_token, second, 'renewal keeps it');
  assert.equal((await driver.delete(path)).status, 204);
  assert.equal((await driver.get(path)).status, 404);
});

test('without a database nothing is half done, and the gateway is told to come again', async () => {
  const driver = await login();
  const { json: payment } = await pay(driver);
  const subscriber = await login();
  await product.buyAccess(subscriber);
  await product.postgres.query('CHECKPOINT'); // the test's server is not durable by itself
  await product.postgres.kill();
  const refused = await pay(driver, { tariff: '3_months' });
  assert.deepEqual([refused.status, refused.json.code], [503, 'database_unavailable']);
  assert.equal((await subscription(subscriber)).active, true, 'who has access keeps it');
  await yookassa.post('pay', { id: gatewayId(payment) });
  const told = async () => (await yookassa.get('state')).delivered.at(-1)?.status === 503;
  await until(told, { what: 'a notification that cannot be stored' });
  await product.postgres.up();
  await untilActive(driver);
  assert.equal(await grants(payment.payment_id), 1);
});
