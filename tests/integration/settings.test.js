'use strict';
// Settings and flags in the database: every worker of every node has a change within a second; secrets are sealed.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { Fura } = require('../support/fura.js');
const { Panel } = require('../support/panel.js');
const { everywhere, until } = require('../support/client.js');

let product;
before(async () => { product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' } }); });
after(() => product.stop());

const soon = (check, what) => until(check, { what, timeoutMs: 1000, stepMs: 10 });
const flagsOf = async (client) => (await client.get('/api/v1/me')).json.flags;

test('a flag is seen by all workers of two nodes within a second', async (context) => {
  const other = new Fura({ env: { ...product.serviceEnv(), FURA_RATE_LIMITS: 'off' } });
  context.after(() => other.stop());
  await other.serve();
  const driver = await product.login({ id: 801 });
  const there = other.client.as(driver.token);
  const isOn = (client, wanted) => async () => (await flagsOf(client)).promo_codes === wanted;
  assert.ok(await everywhere(isOn(driver, true)));
  await product.postgres.query("INSERT INTO feature_flags (name, enabled) VALUES ('promo_codes', false)");
  await soon(async () => (await everywhere(isOn(driver, false))) && (await everywhere(isOn(there, false))), 'the flag to be off');
  await product.postgres.query("UPDATE feature_flags SET rollout_percent = 0, enabled = true, allow_list = '{801}' WHERE name = 'promo_codes'");
  await soon(async () => (await everywhere(isOn(driver, true))) && (await everywhere(isOn(there, true))), 'the list to count');
  const stranger = await product.login({ id: 802 });
  assert.equal((await flagsOf(stranger)).promo_codes, false);
});

test('access given anywhere is seen by all workers of two nodes within a second', async (context) => {
  const other = new Fura({ env: { ...product.serviceEnv(), FURA_RATE_LIMITS: 'off' } });
  context.after(() => other.stop());
  await other.serve();
  const driver = await product.login({ id: 810 });
  const there = other.client.as(driver.token);
  const is = (client, active) => async () => (await client.get('/api/v1/subscription')).json.active === active;
  const both = async (active) => (await everywhere(is(driver, active))) && (await everywhere(is(there, active)));
  for (let n = 0; n < 3; n++) {
    assert.ok(await both(false));
    await product.postgres.query(`INSERT INTO subscription_grants (driver_id, source, source_id, days) VALUES (810, 'gift', 'g${n}', 5)`);
    await soon(() => both(true), 'the access');
    await product.postgres.query(`INSERT INTO subscription_grants (driver_id, source, source_id, days) VALUES (810, 'revoke', 'r${n}', 0)`);
    await soon(() => both(false), 'its end');
  }
});

test('looking at flags and settings costs no query', async () => {
  const driver = await product.login({ id: 803 });
  const scans = "SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0) FROM pg_stat_user_tables WHERE relname IN ('settings', 'feature_flags')";
  await flagsOf(driver);
  const earlier = await product.postgres.value(scans);
  for (let n = 0; n < 50; n++) await driver.get('/api/v1/tariffs');
  assert.equal(await product.postgres.value(scans), earlier);
});

test('a feature can be given to a share of the drivers without a subscription', async () => {
  const driver = await product.login({ id: 804 });
  const feature = async () => (await driver.get('/api/v1/subscription')).json.features.view_contacts;
  assert.equal(await feature(), false);
  await product.postgres.query("INSERT INTO feature_flags (name, rollout_percent) VALUES ('view_contacts', 100)");
  await soon(feature, 'the contacts to open');
  await product.postgres.query("UPDATE feature_flags SET requires_subscription = true WHERE name = 'view_contacts'");
  await soon(async () => !(await feature()), 'the contacts to close');
  await product.postgres.query("DELETE FROM feature_flags WHERE name = 'view_contacts'");
});

test('secrets are stored sealed, shown masked, and used', async () => {
  const secret = 'test_a_secret_key_of_the_panel';
  const set = await product.fura.commandWith(`${secret}\n`, 'settings', 'set', 'yookassa.secret_key');
  assert.equal(set.code, 0, set.output);
  const stored = await product.postgres.query("SELECT value, encode(sealed, 'escape'), key_id FROM settings");
  assert.ok(!JSON.stringify(stored).includes(secret));
  const list = await product.fura.command('settings', 'list');
  assert.ok(!list.output.includes(secret));
  assert.match(list.stdout, /yookassa\.secret_key +secret +set /);
  const driver = await product.login({ id: 805 });
  const refused = async () => (await driver.post('/api/v1/payments', { tariff: '1_month' })).status === 503;
  await soon(refused, 'the wrong key to be used');
  assert.ok(!product.fura.log.includes(secret));
  assert.equal((await product.fura.command('settings', 'unset', 'yookassa.secret_key')).code, 0);
  await soon(async () => (await driver.post('/api/v1/payments', { tariff: '1_month' })).status < 300, 'the old key to be used');
  const trail = await product.postgres.query("SELECT details FROM audit_log WHERE action = 'setting.changed'");
  assert.ok(trail.length >= 2 && !JSON.stringify(trail).includes(secret));
});

test('after a rotation the old key is not needed any more', async (context) => {
  const driver = await product.login({ id: 806 });
  await product.postgres.query("INSERT INTO promo_codes (code, action, days, max_uses, valid_from, valid_until) VALUES ('ROTATE1', 'extend_30', 30, 9, now(), now() + interval '1 day')");
  assert.equal((await driver.post('/api/v1/promocodes/apply', { code: 'ROTATE1' })).status, 200);
  const path = '/api/v1/subscription/access-token';
  const token = (await driver.get(path)).json.access_token;
  const oldKey = product.fura.env.SETTINGS_ENCRYPTION_KEY;
  const newKey = Buffer.alloc(32, 9).toString('base64');
  const withKey = (key) => new Fura({ env: { ...product.serviceEnv(), SETTINGS_ENCRYPTION_KEY: key } });
  const both = withKey(`${newKey},${oldKey}`);
  const fresh = withKey(newKey);
  context.after(() => Promise.all([both.stop(), fresh.stop()]));
  assert.notEqual((await fresh.command('settings', 'rotate')).code, 0, 'the old key is still needed');
  const rotated = await both.command('settings', 'rotate');
  assert.equal(rotated.code, 0, rotated.output);
  await fresh.serve();
  assert.equal((await fresh.client.as(driver.token).get(path)).json.access_token, token);
});

test('a new shop and its key are set together or not at all', async (context) => {
  const keyless = new Fura({ env: { ...product.serviceEnv(), SETTINGS_ENCRYPTION_KEY: undefined } });
  context.after(() => keyless.stop());
  await keyless.serve();
  const panel = await Panel.of({ client: keyless.client, fura: keyless }, 'shopkeeper');
  const answer = await panel.send('/admin/settings/gateway', { shop_id: '777', secret_key: 'test_of-another-shop' });
  assert.equal(answer.status, 503);
  assert.equal(await product.postgres.value("SELECT count(*) FROM settings WHERE value = '\"777\"'"), '0');
});

test('without a key a secret is refused in words, and access is sold all the same', async (context) => {
  const keyless = new Fura({ env: { ...product.serviceEnv(), SETTINGS_ENCRYPTION_KEY: undefined } });
  context.after(() => keyless.stop());
  const set = await keyless.commandWith('x\n', 'settings', 'set', 'yookassa.secret_key');
  assert.equal(set.code, 1);
  assert.match(set.output, /SETTINGS_ENCRYPTION_KEY is required/);
  await keyless.serve();
  const login = await keyless.client.post('/api/v1/auth/telegram', { init_data: product.initData({ id: 807 }) });
  const driver = keyless.client.as(login.json.session_token);
  assert.equal((await driver.post('/api/v1/promocodes/apply', { code: 'ROTATE1' })).status, 200);
  assert.equal((await driver.get('/api/v1/subscription')).json.active, true);
  assert.equal((await driver.post('/api/v1/subscription/access-token')).json.code, 'encryption_key_missing');
});
