'use strict';
// docs/operations.md, "Backup and restore" and "Rotating keys", step by step: what was sold, sealed and promised is there again in
// another PostgreSQL beside an empty Redis; with a new key as well, and with a wrong one the server says so.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const path = require('node:path');
const { Product, gatewayId } = require('../support/product.js');
const { Postgres } = require('../support/postgres.js');
const { Redis } = require('../support/redis.js');
const { Fura, SETTINGS } = require('../support/fura.js');
const { Panel, addAdmin, oneTimeCode } = require('../support/panel.js');
const { must, tempFolder } = require('../support/child.js');
const { everywhere, until } = require('../support/client.js');

const [OLD_KEY, NEW_KEY, WRONG_KEY] = [1, 2, 3].map(() => crypto.randomBytes(32).toString('base64'));
const ACCESS_TOKEN = '/api/v1/subscription/access-token';
// Only the shop's key of the settings is right: what works with it was decrypted.
const ENV = { FURA_RATE_LIMITS: 'off', YOOKASSA_SECRET_KEY: 'test_not-the-key-of-this-shop' };

let product, postgres, redis, sold;
const running = [];

before(async () => {
  product = await Product.start({ env: { ...ENV, SETTINGS_ENCRYPTION_KEY: OLD_KEY } });
  sold = await sell();
  [postgres, redis] = await Promise.all([Postgres.start(), Redis.start()]);
});
after(async () => {
  for (const part of [...running, redis, postgres, product].filter(Boolean)) await part.stop();
});

/** A shop with everything that is sealed: its key, a one-time secret, an access token, a receipt and where it went. */
async function sell() {
  for (const [name, value] of [['yookassa.secret_key', SETTINGS.YOOKASSA_SECRET_KEY], ['receipts', '{"vat_code":1}']]) {
    assert.equal((await product.fura.commandWith(value, 'settings', 'set', name)).code, 0);
  }
  const admin = await addAdmin(product.fura, 'olga', '--totp');
  const driver = await product.login({ id: 4601, first_name: 'Сохранённый' });
  await until(() => everywhere(async () => (await driver.post('/api/v1/payments', { tariff: '6_months' })).status === 422), { what: 'receipts' });
  const paid = await driver.post('/api/v1/payments', { tariff: '1_month', email: 'driver@example.org' });
  assert.equal(paid.status, 201, paid.text);
  await product.control('yookassa').post('pay', { id: gatewayId(paid.json) });
  await until(async () => (await driver.get('/api/v1/subscription')).json.active, { what: 'access' });
  const { json: open } = await driver.post('/api/v1/payments', { tariff: '3_months' });
  return { admin, driver, open, token: (await driver.get(ACCESS_TOKEN)).json.access_token };
}

/** A server beside the restored database, with these keys. */
function withKeys(...keys) {
  const fura = new Fura({ env: { ...product.serviceEnv(), ...ENV, DATABASE_URL: postgres.url, REDIS_URL: redis.url,
    SETTINGS_ENCRYPTION_KEY: keys.length ? keys.join(',') : undefined } });
  running.push(fura);
  return fura;
}

const stop = async (fura) => { running.splice(running.indexOf(fura), 1); await fura.stop(); };
const driverAt = (fura) => fura.client.as(sold.driver.token);

/** Everything that was sealed opens, and what it is for works. */
async function mustWork(fura) {
  const check = await fura.command('check');
  assert.equal(check.code, 0, check.output);
  await fura.serve();
  const driver = driverAt(fura);
  assert.equal((await driver.get('/api/v1/subscription')).json.days_left, 30);
  assert.equal((await driver.get(ACCESS_TOKEN)).json.access_token, sold.token);
  assert.equal((await fura.client.as(sold.token).get('/api/v1/cargos?mode=all')).status, 200);
  await postgres.query('UPDATE admins SET totp_last_step = 0');
  await new Panel(fura.client).login(sold.admin);
  // The contact of the receipts and the shop's key are decrypted for a new payment.
  const tariff = (await postgres.value("SELECT count(*) FROM payments WHERE tariff = '6_months'")) === '0' ? '6_months' : '12_months';
  const { status, text, json } = await driver.post('/api/v1/payments', { tariff });
  assert.equal(status, 201, text);
  const asked = (await product.control('yookassa').get('log')).requests.filter((one) => one.method === 'POST' && one.body?.receipt);
  assert.equal(asked.at(-1).body.receipt.customer.email, 'driver@example.org');
  assert.match(json.confirmation_url, /^http/);
}

test('a dump restored elsewhere is the shop as it was, with an empty Redis and what was paid meanwhile', async () => {
  const file = path.join(tempFolder('dump'), 'fura.dump');
  await must('pg_dump', ['-Fc', '-f', file, product.postgres.url]);
  await product.control('yookassa').post('notifications', { url: '' });
  await product.control('yookassa').post('pay', { id: gatewayId(sold.open) }); // after the dump
  await product.fura.stop();
  await must('pg_restore', ['--no-owner', '--exit-on-error', '-d', postgres.url, file]);
  const fura = withKeys(OLD_KEY);
  const status = await fura.command('migrate', 'status');
  assert.equal(status.code, 0, status.output);
  await mustWork(fura);
  await postgres.query("UPDATE payments SET created_at = created_at - interval '3 minutes' WHERE tariff = '3_months'");
  for (const job of ['payments.reconcile', 'payments.compare']) {
    const end = await fura.command('jobs', 'run', job);
    assert.equal(end.code, 0, end.output);
  }
  assert.equal((await driverAt(fura).get(`/api/v1/payments/${sold.open.payment_id}`)).json.status, 'succeeded');
  await postgres.query("INSERT INTO subscription_grants (driver_id, source, source_id, days) VALUES (4601, 'refund', 'spec', -90)"); // back to the month of before
  await stop(fura);
});

test('the key is changed: both, sealed anew, then the new one alone', async () => {
  const fresh = withKeys(NEW_KEY);
  assert.equal((await fresh.command('check')).code, 1, 'the old key is still needed');
  const both = withKeys(NEW_KEY, OLD_KEY);
  const check = await both.command('check');
  assert.equal(check.code, 0, check.output);
  const rotated = await both.command('settings', 'rotate');
  assert.equal(rotated.code, 0, rotated.output);
  for (const place of ['settings.sealed', 'subscriptions.token_sealed', 'receipt_contacts.sealed', 'payments.receipt_sealed', 'admins.totp_sealed']) {
    assert.match(rotated.stdout, new RegExp(`${place} +sealed again [1-9]\\d*, not readable 0`));
  }
  await mustWork(fresh);
  await stop(fresh);
  await stop(both);
});

for (const [name, keys] of Object.entries({ 'a wrong key': [WRONG_KEY], 'no key': [] })) {
  test(`with ${name} the server says which one is missing, and does nothing by halves`, async () => {
    const missing = await postgres.value("SELECT key_id FROM settings WHERE name = 'yookassa.secret_key'");
    const sentence = new RegExp(`SETTINGS_ENCRYPTION_KEY: key ${missing} is missing .*settings.sealed 1.*fura settings rotate`);
    const fura = withKeys(...keys);
    const check = await fura.command('check');
    assert.equal(check.code, 1);
    assert.match(check.output, sentence);
    const told = JSON.parse((await fura.command('check', '--json')).stdout);
    assert.ok(told.problems.some((problem) => sentence.test(problem)));
    assert.match((await fura.command('settings', 'list')).stdout, new RegExp(`key ${missing}, missing`));

    await fura.serve();
    await until(() => sentence.test(fura.log), { what: 'the alert at the start' });
    assert.match(fura.log, /"alert":"encryption_key_missing"/);
    const driver = driverAt(fura);
    assert.equal((await driver.get('/api/v1/subscription')).json.active, true);
    const refused = async (answer) => [(await answer).status, (await answer).json.code];
    assert.deepEqual(await refused(driver.get(ACCESS_TOKEN)), [503, 'encryption_key_missing']);

    // The shop's key cannot be read: that of the environment does not stand in for it, and nothing is asked of the gateway.
    const before = (await product.control('yookassa').get('log')).requests.length;
    assert.deepEqual(await refused(driver.post('/api/v1/payments', { tariff: '3_months' })), [503, 'encryption_key_missing']);
    assert.equal((await product.control('yookassa').get('log')).requests.length, before);
    const code = oneTimeCode(sold.admin.secret);
    const door = await new Panel(fura.client).tryLogin({ ...sold.admin, code });
    assert.equal(door.status, 503);
    assert.match(door.text, new RegExp(`ключом ${missing}`));
    assert.equal((await new Panel(fura.client).tryLogin({ ...sold.admin, password: 'wrong wrong wrong', code })).status, 401);
    assert.notEqual((await fura.command('settings', 'rotate')).code, 0);
    await stop(fura);
  });
}

test('with the right key again everything is as it was', async () => {
  await postgres.query('DELETE FROM admin_login_attempts');
  const fura = withKeys(NEW_KEY);
  await postgres.query("UPDATE payments SET superseded_at = now() WHERE status = 'pending'");
  await mustWork(fura);
  await stop(fura);
});
