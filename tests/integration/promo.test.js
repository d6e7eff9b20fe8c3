'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');

let product;
before(async () => { product = await Product.start(); });
after(() => product.stop());

/** Codes as the panel would make them. */
function addCode(code, { action = 'extend_30', days = 30, uses = 100, from = '-1 hour', until = '1 day' } = {}) {
  return product.postgres.query(`INSERT INTO promo_codes (code, action, days, max_uses, valid_from, valid_until)
    VALUES ('${code}', '${action}', ${days}, ${uses}, now() + interval '${from}', now() + interval '${until}')`);
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
  await addCode('GONE01', { until: '-1 minute' });
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

test('guessing is limited', async () => {
  const driver = await product.login({ id: 1130 });
  const answers = [];
  for (let n = 0; n < 7; n++) answers.push(await apply(driver, `GUESS0${n}`));
  assert.ok(answers.some((answer) => answer.status === 429));
});
