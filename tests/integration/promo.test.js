'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { until } = require('../support/client.js');

let product;
before(async () => { product = await Product.start(); });
after(() => product.stop());

/** Codes as the panel would make them. */
function addCode(code, { action = 'extend_30', days = 30, uses = 100, from = '-1 hour', to = '1 day' } = {}) {
  return product.postgres.query(`INSERT INTO promo_codes (code, action, days, max_uses, valid_from, valid_until)
    VALUES ('${code}', '${action}', ${days}, ${uses}, now() + interval '${from}', now() + interval '${to}')`);
}

const apply = (driver, code) => driver.post('/api/v1/promocodes/apply', { code });

test('a code gives its days once to a driver', async () => {
  await addCode('SUMMER2026');
  const driver = await product.login({ id: 1101 });
  const first = await apply(driver, ' summer2026 ');
  assert.equal(first.status, 200);
  assert.equal(first.json.days_added, 30);
  assert.ok(Date.parse(first.json.expires_at) > Date.now() + 29 * 86400000);
  const second = await apply(driver, 'SUMMER2026');
  assert.equal(second.status, 409);
  assert.equal(second.json.code, 'promo_already_used');
  assert.equal((await driver.get('/api/v1/subscription')).json.source, 'promo');
});

test('every reason to refuse has its own code', async () => {
  await addCode('LATER01', { from: '1 hour' });
  await addCode('GONE01', { to: '-1 minute' });
  await addCode('TRIAL01', { action: 'activate_trial', days: 7 });
  const driver = await product.login({ id: 1102 });
  const refused = async (code) => {
    const { status, json } = await apply(driver, code);
    return [status, json.code];
  };
  assert.deepEqual(await refused('NOSUCH1'), [404, 'promo_not_found']);
  assert.deepEqual(await refused('LATER01'), [409, 'promo_not_started']);
  assert.deepEqual(await refused('GONE01'), [410, 'promo_expired']);
  const old = await product.login({ id: 1101 });
  const trial = await apply(old, 'TRIAL01');
  assert.deepEqual([trial.status, trial.json.code], [409, 'trial_not_available']);
});

test('a crowd cannot use a code more often than it allows', async () => {
  await addCode('FEW0001', { uses: 3 });
  const drivers = [];
  for (let id = 1110; id < 1120; id++) drivers.push(await product.login({ id }));
  const answers = await Promise.all(drivers.map((driver) => apply(driver, 'FEW0001')));
  assert.equal(answers.filter((answer) => answer.status === 200).length, 3);
  assert.ok(answers.filter((answer) => answer.status === 409).every((answer) => answer.json.code === 'promo_exhausted'));
});

test('two hundred drivers at once get a code of fifty exactly fifty times', async () => {
  await addCode('FIFTY50', { uses: 50 });
  const drivers = await Promise.all(Array.from({ length: 200 }, (_, n) => product.login({ id: 12000 + n })));
  const answers = await Promise.all(drivers.map((driver) => apply(driver, 'FIFTY50')));
  const codes = answers.map((answer) => answer.json.code ?? 'applied');
  assert.equal(codes.filter((code) => code === 'applied').length, 50);
  assert.equal(codes.filter((code) => code === 'promo_exhausted').length, 150);
  const [[uses, used]] = await product.postgres.query(`SELECT uses, (SELECT count(*) FROM promo_uses WHERE promo_code_id = promo_codes.id)
    FROM promo_codes WHERE code = 'FIFTY50'`);
  assert.deepEqual([uses, used], ['50', '50']);
  assert.equal(await product.postgres.value('SELECT count(*) FROM subscriptions WHERE driver_id BETWEEN 12000 AND 12199'), '50');
});

test('a driver who taps twice gets the days once', async () => {
  await addCode('TWICE01');
  const driver = await product.login({ id: 1140 });
  const answers = await Promise.all([1, 2, 3, 4].map(() => apply(driver, 'TWICE01')));
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 409, 409, 409]);
  assert.equal((await driver.get('/api/v1/subscription')).json.days_left, 30);
});

test('two trial codes at once give one trial', async () => {
  await addCode('TRIALA1', { action: 'activate_trial', days: 7 });
  await addCode('TRIALB1', { action: 'activate_trial', days: 7 });
  const driver = await product.login({ id: 1141 });
  const answers = await Promise.all(['TRIALA1', 'TRIALB1'].map((code) => apply(driver, code)));
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 409]);
  const { source, days_left: left } = (await driver.get('/api/v1/subscription')).json;
  assert.deepEqual([source, left], ['trial', 7]);
});

test('a switched-off code has ended, and refusals are in the trail', async () => {
  await addCode('OFF0001');
  await product.postgres.query("UPDATE promo_codes SET deactivated_at = now() WHERE code = 'OFF0001'");
  const driver = await product.login({ id: 1142 });
  const { status, json } = await apply(driver, 'OFF0001');
  assert.deepEqual([status, json.code], [410, 'promo_expired']);
  assert.equal((await driver.post('/api/v1/promocodes/apply', {})).status, 422);
  const refused = () => product.postgres.value(
    "SELECT details->>'reason' FROM audit_log WHERE action = 'promo_code.refused' AND actor_id = '1142'");
  await until(async () => (await refused()) === 'promo_expired', { what: 'the trail of the refusal' });
});

test('tapping on pay is limited', async () => {
  const driver = await product.login({ id: 1131 });
  const answers = [];
  for (let n = 0; n < 7; n++) answers.push(await driver.post('/api/v1/payments', { tariff: '1_month' }));
  const limited = answers.find((answer) => answer.status === 429);
  assert.equal(limited.json.code, 'rate_limited');
  assert.ok(Number(limited.headers['retry-after']) > 0);
});

test('guessing is limited', async () => {
  const driver = await product.login({ id: 1130 });
  const answers = [];
  for (let n = 0; n < 7; n++) answers.push(await apply(driver, `GUESS0${n}`));
  assert.ok(answers.some((answer) => answer.status === 429));
});
