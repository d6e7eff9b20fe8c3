'use strict';
// Jobs: one process of the cluster at a time, also when two nodes share the database; at once when woken or asked.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { Fura } = require('../support/fura.js');
const { until } = require('../support/client.js');

let product;
let neighbour; // a second node

before(async () => {
  product = await Product.start();
  neighbour = new Fura({ env: product.serviceEnv() });
  await neighbour.serve();
});
after(async () => {
  await neighbour.stop();
  await product.stop();
});

const value = (text) => product.postgres.value(text);
const runs = (name) => value(`SELECT runs FROM job_runs WHERE name = '${name}'`).then(Number);

test('the schedule and the last runs can be listed', async () => {
  const ran = () => value("SELECT count(*) FROM job_runs WHERE ended_at IS NOT NULL AND name LIKE 'outbox.%'");
  await until(async () => (await ran()) === '2', { what: 'both jobs of the outbox to have run' });
  const end = await product.fura.command('jobs', '--json');
  assert.equal(end.code, 0, end.output);
  const job = JSON.parse(end.stdout).find((one) => one.name === 'outbox.send');
  assert.deepEqual([job.outcome, job.every_s, job.failures], ['ok', 10, 0]);
  assert.match((await product.fura.command('jobs')).stdout, /outbox\.clean +every +3600 s +ok/);
});

test('a job runs when a person asks', async () => {
  const earlier = await runs('outbox.clean');
  const end = await product.fura.command('jobs', 'run', 'outbox.clean');
  assert.equal(end.code, 0, end.output);
  assert.match(end.stdout, /outbox\.clean: ok/);
  assert.equal(await runs('outbox.clean'), earlier + 1);
});

test('an unknown job is refused', async () => {
  const end = await product.fura.command('jobs', 'run', 'no.such');
  assert.equal(end.code, 1);
  assert.match(end.output, /no job called no\.such/);
});

const runJob = async (name) => {
  const end = await product.fura.command('jobs', 'run', name);
  assert.equal(end.code, 0, end.output);
};

test('months of the audit log go whole after three years, and those to come are there before they begin', async () => {
  const months = async () => (await product.postgres.query("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_log'::regclass")).flat();
  const name = (months) => value(`SELECT 'audit_log_' || to_char(now() AT TIME ZONE 'UTC' + interval '${months} months', 'YYYY_MM')`);
  const [old, kept, coming] = [await name(-38), await name(-36), await name(12)];
  for (const ago of [38, 36]) {
    await product.postgres.query(`SELECT audit_log_add_month((now() - interval '${ago} months')::date)`);
    await product.postgres.query(`INSERT INTO audit_log (actor_type, action, created_at) VALUES ('system', 'old', now() - interval '${ago} months')`);
  }
  await product.postgres.query(`DROP TABLE ${coming}`);
  await runJob('audit.months');
  const there = await months();
  assert.deepEqual([old, kept, coming].map((month) => there.includes(month)), [false, true, true]);
  assert.equal(await value("SELECT count(*) FROM audit_log WHERE action = 'old'"), '1');
  assert.equal(await value("SELECT details->'months'->>0 FROM audit_log WHERE action = 'audit.dropped'"), old);
});

test('ended sessions go after ninety days; one still open keeps its driver in, without where it came from', async () => {
  const [gone, late, stays] = [await product.login({ id: 7201 }), await product.login({ id: 7202 }), await product.login({ id: 7203 })];
  for (const driver of [gone, late]) assert.equal((await driver.post('/api/v1/auth/logout')).status, 204);
  await product.postgres.query("UPDATE sessions SET created_at = now() - interval '95 days' WHERE driver_id BETWEEN 7201 AND 7203");
  await product.postgres.query("UPDATE sessions SET revoked_at = now() - interval '91 days' WHERE driver_id = 7201");
  await runJob('sessions.clean');
  const rows = await product.postgres.query('SELECT driver_id, address IS NULL FROM sessions WHERE driver_id BETWEEN 7201 AND 7203 ORDER BY 1');
  assert.deepEqual(rows, [['7202', 'f'], ['7203', 't']]);
  assert.equal((await stays.get('/api/v1/me')).status, 200);
});

test('old update ids are forgotten, new ones are not', async () => {
  await product.postgres.query("INSERT INTO telegram_updates VALUES (1, now() - interval '8 days'), (2, now())");
  assert.equal((await product.fura.command('jobs', 'run', 'outbox.clean')).code, 0);
  assert.deepEqual(await product.postgres.query('SELECT update_id FROM telegram_updates'), [['2']]);
});

test('two nodes of two workers send each message once', async () => {
  const chats = Array.from({ length: 20 }, (_, n) => 40001 + n);
  const rows = chats.map((chat) => `('greeting', '${chat}', '{"text":"раз"}')`);
  await product.postgres.query(`INSERT INTO outbox (kind, chat_key, payload) VALUES ${rows.join()}; SELECT pg_notify('fura_jobs', 'outbox.send')`);
  await until(async () => (await value("SELECT count(*) FROM outbox WHERE state <> 'sent'")) === '0', { what: 'an empty outbox' });
  for (const chat of chats) assert.equal(product.simulators.telegram.chats.get(String(chat))?.length, 1, String(chat));
});

test('a job that fails says why and is tried again', async () => {
  await product.postgres.query('ALTER TABLE telegram_updates RENAME TO telegram_updates_gone');
  const end = await product.fura.command('jobs', 'run', 'outbox.clean');
  await product.postgres.query('ALTER TABLE telegram_updates_gone RENAME TO telegram_updates');
  assert.equal(end.code, 1);
  assert.match(await value("SELECT outcome || error FROM job_runs WHERE name = 'outbox.clean'"), /^failed.*42P01/);
  assert.equal((await product.fura.command('jobs', 'run', 'outbox.clean')).code, 0);
});
