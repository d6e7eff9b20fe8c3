'use strict';
// `fura driver forget` and `fura token`, beside a running server.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { until } = require('../support/client.js');

let product;
before(async () => { product = await Product.start(); });
after(() => product.stop());

const fura = (...args) => product.fura.command(...args);
const value = (sql) => product.postgres.value(sql);

test('a forgotten driver is a bare id: nothing of the person is left, the money is', async () => {
  const person = { id: 7101, first_name: 'Пантелеймон', last_name: 'Кукушкин', username: 'kukushkin7101' };
  const driver = await product.login(person);
  await product.buyAccess(driver);
  await driver.get('/api/v1/cargos?mode=all&start_point_name=Кукуево');
  const [card] = (await driver.get('/api/v1/cargos')).json.cards;
  const response = await driver.post('/api/v1/responses', { cargo_id: card.id, phone: '+79991112233', name: 'Пантелеймон К.' });
  assert.equal(response.status, 202, response.text);
  const grants = await value('SELECT count(*) FROM subscription_grants WHERE driver_id = 7101');

  const end = await fura('driver', 'forget', '7101', '--json');
  assert.equal(end.code, 0, end.output);
  assert.equal(JSON.parse(end.stdout).erased.driver, 1);

  for (const table of ['drivers', 'sessions', 'driver_filters', 'responses', 'receipt_contacts']) {
    const rows = await value(`SELECT coalesce(string_agg(row_to_json(t)::text, ' '), '') FROM ${table} AS t`);
    assert.doesNotMatch(rows, /Пантелеймон|Кукушкин|kukushkin7101|9991112233|127\.0\.0\.1|Кукуево/, table);
  }
  assert.equal(await value('SELECT status FROM payments WHERE driver_id = 7101'), 'succeeded');
  assert.equal(await value('SELECT count(*) FROM subscription_grants WHERE driver_id = 7101'), grants);
  assert.equal(await value("SELECT actor_type FROM audit_log WHERE action = 'driver.forgotten' AND target_id = '7101'"), 'command');
});

test('the session of a forgotten driver ends; a new login makes them known again', async () => {
  const driver = await product.login({ id: 7102, first_name: 'Зоя' });
  assert.equal((await driver.get('/api/v1/me')).status, 200);
  assert.equal((await fura('driver', 'forget', '7102')).code, 0);
  const answer = await until(async () => { // remembered for less than a second
    const one = await driver.get('/api/v1/me');
    return one.status === 401 && one;
  }, { what: 'the end of the session', timeoutMs: 3000, stepMs: 150 });
  assert.equal(answer.json.code, 'unauthorized');
  const again = await product.login({ id: 7102, first_name: 'Зоя' });
  assert.equal((await again.get('/api/v1/me')).status, 200);
  assert.equal(await value('SELECT first_name FROM drivers WHERE id = 7102'), 'Зоя');
});

test('who is not there cannot be forgotten, and what is no id is a usage error', async () => {
  const unknown = await fura('driver', 'forget', '7999');
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /no driver 7999/);
  for (const args of [[], ['forget'], ['forget', 'x'], ['forget', '1', '2'], ['remember', '1']]) {
    assert.equal((await fura('driver', ...args)).code, 2, args.join(' '));
  }
});

test('token check says ok and the age; after token reset the next call logs in', async () => {
  const logins = () => product.counts('cargotech')['POST /v1/auth/login'];
  const end = await fura('token', 'check');
  assert.equal(end.code, 0, end.output);
  assert.match(end.stdout, /^ok, age \d+ (s|min)$/m);
  const before = logins();
  const reset = await fura('token', 'reset');
  assert.equal(reset.code, 0, reset.output);
  assert.equal(await product.redis.command('EXISTS', 'cargotech:api:token'), '0');
  assert.equal((await fura('token', 'check')).code, 0);
  assert.equal(logins(), before + 1);
  assert.equal((await fura('token', 'show')).code, 2);
});

test('token check says what is wrong when CargoTech refuses the account', async () => {
  await product.control('cargotech').post('account', { password: 'another' });
  await fura('token', 'reset');
  const end = await fura('token', 'check');
  assert.equal(end.code, 1);
  assert.match(end.stderr, /no token: .*refused/);
  assert.doesNotMatch(end.output, /test-cargotech-password|911 111/);
});
