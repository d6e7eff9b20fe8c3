'use strict';
// What is said outside: never lost, in order, no faster than Telegram wants; and what becomes of it when processes die
// at any step between the driver's press and the message.
const { test, before, beforeEach, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { SETTINGS } = require('../support/fura.js');
const { until } = require('../support/client.js');
const { isAlive } = require('../support/process.js');

const GROUP = SETTINGS.TELEGRAM_RESPONSES_CHAT_ID;
const TAKEOVER_MS = 10000;
const ids = (function* numbers() { for (let id = 30001; ; id++) yield id; })();

let product;
let telegram;

before(async () => {
  product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' } });
  telegram = product.control('telegram');
});
after(() => product.stop());

// Each test has Telegram, and its patience, to itself.
beforeEach(async () => {
  if (!product.fura.child.running) await product.fura.serve();
  await until(async () => (await value("SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')")) === '0', { what: 'an empty outbox' })
    .catch(() => sql("UPDATE outbox SET state = 'dead' WHERE state IN ('waiting', 'sending')"));
  await telegram.post('reset');
  await product.connectWebhooks();
  await product.postgres.query(`
    UPDATE outbox SET tried_at = now() - interval '5 min';
    DELETE FROM outbox WHERE state = 'dead';
    TRUNCATE telegram_updates; -- Telegram counts from the start again
    DELETE FROM leases WHERE expires_at > now() + interval '1 min'`);
});

const sql = (text) => product.postgres.query(text);
const value = (text) => product.postgres.value(text);
const messages = (chat) => product.simulators.telegram.chats.get(String(chat)) ?? [];
const about = (id) => messages(GROUP).filter((one) => one.text.includes(`Telegram ID: ${id}`));
const repeats = (id) => about(id).filter((one) => one.text.includes('повторно'));
const statusOf = (id) => value(`SELECT status FROM responses WHERE driver_id = ${id}`);
const untilStatus = (id, status, timeoutMs) => until(async () => (await statusOf(id)) === status, { what: `status ${status}`, timeoutMs });
const misbehave = (rule) => telegram.post('misbehave', { match: { path: '/sendMessage' }, ...rule });
const untilTaken = () => until(() => product.simulators.telegram.misbehaviour.list().length === 0, { what: 'Telegram to be asked' });

async function subscriber() {
  const id = ids.next().value;
  const driver = await product.login({ id, first_name: 'Иван' });
  await sql(`INSERT INTO subscription_grants (driver_id, source, source_id, days) VALUES (${id}, 'gift', 'outbox-${id}', 30)`);
  const list = await driver.get('/api/v1/cargos?mode=my');
  assert.equal(list.status, 200, list.text);
  return { id, driver, cargo: list.json.cards[id % 20].id };
}

async function respond({ driver, cargo }) {
  const answer = await driver.post('/api/v1/responses', { cargo_id: cargo, name: 'Иван' });
  assert.equal(answer.status, 202, answer.text);
  return answer.json;
}

async function press(message, button) {
  await telegram.post('press', { chat_id: message.chat.id, message_id: message.message_id, button });
  await until(() => product.simulators.telegram.pending.length === 0, { what: 'the press to be taken' });
}

// ---- who dies ----

async function killEverything() {
  const all = [product.fura.pid, ...product.fura.workers()];
  for (const pid of all) process.kill(pid, 'SIGKILL');
  await until(() => !all.some(isAlive), { what: 'all processes gone' });
}

async function startAgain() {
  await product.fura.serve();
  await product.connectWebhooks();
}

/** Nobody may send: as if a process elsewhere held the work. */
const TAKE_LEASE = `
  INSERT INTO leases VALUES ('job outbox.send', gen_random_uuid(), now() + interval '1 hour') ON CONFLICT (name)
  DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at WHERE leases.expires_at <= now() RETURNING 1`;
const holdSending = () => until(async () => (await value(TAKE_LEASE)) === '1', { what: 'the lease' });
const letSend = () => sql("UPDATE leases SET expires_at = now() WHERE name = 'job outbox.send'");

test('two taps at once make one response and one message', async () => {
  const one = await subscriber();
  const taps = await Promise.all(Array.from({ length: 10 }, () => one.driver.post('/api/v1/responses', { cargo_id: one.cargo })));
  assert.equal(taps.filter((tap) => tap.status === 202).length, 1);
  assert.equal(taps.filter((tap) => tap.status === 200).length, 9);
  assert.equal(new Set(taps.map((tap) => tap.json.response_id)).size, 1);
  await untilStatus(one.id, 'sent');
  assert.equal(about(one.id).length, 1);
  assert.equal(await value(`SELECT count(*) FROM outbox o JOIN responses r ON r.id = o.response_id WHERE o.kind = 'response' AND driver_id = ${one.id}`), '1');
});

test('everything dies before Telegram is asked: the message comes once, unmarked', async () => {
  const one = await subscriber();
  await holdSending();
  await respond(one);
  await killEverything();
  assert.equal(about(one.id).length, 0);
  await startAgain();
  await letSend();
  await untilStatus(one.id, 'sent');
  assert.equal(about(one.id).length, 1);
  assert.equal(repeats(one.id).length, 0);
});

test('everything dies after Telegram took the message: one more comes, marked, and both move the same row', async () => {
  const one = await subscriber();
  await misbehave({ action: 'delay_ms', delay_ms: 4000, after: true });
  await respond(one);
  await until(() => about(one.id).length === 1, { what: 'the message at Telegram' });
  await killEverything();
  await startAgain();
  await untilStatus(one.id, 'sent', 20000);
  assert.equal(about(one.id).length, 2);
  assert.equal(repeats(one.id).length, 1);
  const [first, second] = about(one.id);
  await press(first, 'Принять');
  assert.equal(await statusOf(one.id), 'accepted');
  await press(second, 'Отклонить');
  assert.equal(await statusOf(one.id), 'accepted');
  await press(second, 'Завершить');
  assert.equal(await statusOf(one.id), 'completed');
  await until(() => about(one.id).every((message) => message.text.includes('Завершён')), { what: 'both messages brought up to date' });
});

test('a press that comes before we know of the delivery counts, and nothing is repeated', async () => {
  const one = await subscriber();
  await misbehave({ action: 'delay_ms', delay_ms: 4000, after: true });
  await respond(one);
  await until(() => about(one.id).length === 1, { what: 'the message at Telegram' });
  await killEverything();
  await holdSending();
  await startAgain();
  await press(about(one.id)[0], 'Принять');
  assert.equal(await statusOf(one.id), 'accepted');
  await letSend();
  await until(async () => (await value("SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')")) === '0', { what: 'an empty outbox' });
  assert.equal(about(one.id).length, 1);
});

test('the workers die while Telegram is slow: others take over within ten seconds', async () => {
  await holdSending(); // the last run is over, so the next one begins by the driver's tap, not by the schedule
  await letSend();
  const one = await subscriber();
  await misbehave({ action: 'delay_ms', delay_ms: 8000, after: true });
  await respond(one);
  await until(() => about(one.id).length === 1, { what: 'the message at Telegram' });
  const died = Date.now();
  for (const pid of product.fura.workers()) process.kill(pid, 'SIGKILL');
  await untilStatus(one.id, 'sent', 20000);
  assert.ok(Date.now() - died < TAKEOVER_MS, `${Date.now() - died} ms`);
  assert.equal(about(one.id).length, 2);
  assert.equal(repeats(one.id).length, 1);
});

test('only the master dies: its workers finish what they began, and nothing is repeated', async () => {
  const one = await subscriber();
  await misbehave({ action: 'delay_ms', delay_ms: 1500, after: true });
  const workers = product.fura.workers();
  await respond(one);
  await until(() => about(one.id).length === 1, { what: 'the message at Telegram' });
  process.kill(product.fura.pid, 'SIGKILL');
  await untilStatus(one.id, 'sent');
  await until(() => !workers.some(isAlive), { what: 'the workers to end' });
  await startAgain();
  assert.equal(about(one.id).length, 1);
});

test('a reload lets a message under way come to its end: one message', async () => {
  const one = await subscriber();
  await misbehave({ action: 'delay_ms', delay_ms: 1500, after: true });
  await respond(one);
  await until(() => about(one.id).length === 1, { what: 'the message at Telegram' });
  assert.equal((await product.fura.command('reload')).code, 0);
  await untilStatus(one.id, 'sent');
  const two = await subscriber();
  await respond(two);
  await untilStatus(two.id, 'sent');
  assert.equal(about(one.id).length, 1);
  assert.equal(about(two.id).length, 1);
});

test('an answer that never came means a marked repeat', async () => {
  const one = await subscriber();
  await misbehave({ action: 'close', after: true });
  await respond(one);
  await untilStatus(one.id, 'sent');
  assert.equal(about(one.id).length, 2);
  assert.equal(repeats(one.id).length, 1);
});

test('Telegram asks to wait: it is waited, without losing an attempt or a mark', async () => {
  const one = await subscriber();
  const body = { ok: false, error_code: 429, description: 'Too Many Requests: retry after 2', parameters: { retry_after: 2 } };
  await misbehave({ action: 'status', status: 429, body });
  await respond(one);
  await untilStatus(one.id, 'sent');
  const sends = product.simulators.telegram.entries.filter((entry) => entry.path === '/sendMessage' && String(entry.body.chat_id) === GROUP);
  assert.deepEqual(sends.map((entry) => entry.status), [429, 200]);
  assert.ok(Date.parse(sends[1].at) - Date.parse(sends[0].at) >= 2000);
  assert.equal(repeats(one.id).length, 0);
  assert.equal(await value(`SELECT attempts FROM outbox o JOIN responses r ON r.id = o.response_id WHERE o.kind = 'response' AND driver_id = ${one.id}`), '1');
});

test('after five attempts the response is failed with its reason, the driver hears of it', async () => {
  const one = await subscriber();
  await misbehave({ action: 'status', status: 500, times: 5, body: { ok: false, error_code: 500, description: 'Internal Server Error' } });
  const { response_id: id } = await respond(one);
  const hurry = async () => {
    await sql("UPDATE outbox SET next_at = now() WHERE kind = 'response' AND state = 'waiting'; SELECT pg_notify('fura_jobs', 'outbox.send')");
    return (await statusOf(one.id)) === 'failed';
  };
  await until(hurry, { what: 'the response given up', stepMs: 200, timeoutMs: 30000 });
  assert.match(await value(`SELECT failure FROM responses WHERE id = '${id}'`), /Internal Server Error/);
  assert.equal(await value(`SELECT state || attempts FROM outbox WHERE kind = 'response' AND response_id = '${id}'`), 'dead5');
  await until(() => messages(one.id).some((message) => message.text.includes('Не доставлен')), { what: 'the word to the driver' });
  assert.equal((await one.driver.get(`/api/v1/cargos/${one.cargo}`)).json.response.status, 'failed');
});

test('messages of a chat keep their order and a second between them', async () => {
  const chat = ids.next().value;
  const rows = [1, 2, 3, 4].map((n) => `('greeting', '${chat}', '{"text":"слово ${n}"}')`);
  await sql(`INSERT INTO outbox (kind, chat_key, payload) VALUES ${rows.join()}; SELECT pg_notify('fura_jobs', 'outbox.send')`);
  await until(() => messages(chat).length === 4, { what: 'four messages' });
  assert.deepEqual(messages(chat).map((message) => message.text), ['слово 1', 'слово 2', 'слово 3', 'слово 4']);
  const begun = product.simulators.telegram.entries.filter((entry) => entry.body.chat_id === chat)
    .map((entry) => Date.parse(entry.at) - entry.took_ms);
  for (let n = 1; n < begun.length; n++) assert.ok(begun[n] - begun[n - 1] >= 950, `${begun}`);
  assert.ok(product.simulators.telegram.entries.every((entry) => entry.status !== 429));
});

test('a chat whose message must wait does not hold up the others', async () => {
  const [slow, quick] = [ids.next().value, ids.next().value];
  await misbehave({ action: 'delay_ms', delay_ms: 3000 });
  await sql(`INSERT INTO outbox (kind, chat_key, payload) VALUES ('greeting', '${slow}', '{"text":"a"}'); SELECT pg_notify('fura_jobs', 'outbox.send')`);
  await untilTaken();
  await sql(`INSERT INTO outbox (kind, chat_key, payload) VALUES ('greeting', '${quick}', '{"text":"b"}'); SELECT pg_notify('fura_jobs', 'outbox.send')`);
  await until(() => messages(quick).length === 1, { what: 'the quick chat', timeoutMs: 2500 });
  assert.equal(messages(slow).length, 0);
  await until(() => messages(slow).length === 1, { what: 'the slow chat' });
});

test('a driver who blocked the bot is unreachable until they come back', async () => {
  const one = await subscriber();
  product.simulators.telegram.people.set(String(one.id), 'blocked');
  await respond(one);
  const unreachable = () => value(`SELECT unreachable_at IS NOT NULL FROM drivers WHERE id = ${one.id}`);
  await until(async () => (await unreachable()) === 't', { what: 'the mark' });
  await until(async () => /^fura_outbox_dead\S* 0$/m.test((await product.client.get('/metrics')).text), { what: 'no dead letter counted' });
  assert.equal(await statusOf(one.id), 'sent');
  await telegram.post('user', { id: one.id, state: 'ok' });
  await until(async () => (await unreachable()) === 'f', { what: 'the mark to go' });
  await press(about(one.id)[0], 'Принять');
  await until(() => messages(one.id).some((message) => message.text.includes('Принят')), { what: 'the word to the driver' });
});

test('a group that became a supergroup is followed, for exactly the old id', async () => {
  const moved = '-1002222333344';
  const one = await subscriber();
  await telegram.post('migrate', { from: Number(GROUP), to: Number(moved) });
  await respond(one);
  await until(() => messages(moved).length === 1, { what: 'the message in the new chat' });
  await untilStatus(one.id, 'sent');
  assert.deepEqual(await sql('SELECT old_id, new_id FROM telegram_chats'), [[GROUP, moved]]);
  await press(messages(moved)[0], 'Принять');
  assert.equal(await statusOf(one.id), 'accepted');
  await sql('DELETE FROM telegram_chats');
});

test('a refused bot loses nothing: messages wait until the token is right again', async () => {
  const one = await subscriber();
  await misbehave({ action: 'status', status: 401, body: { ok: false, error_code: 401, description: 'Unauthorized' } });
  await respond(one);
  await untilTaken();
  await until(async () => (await value("SELECT last_error FROM outbox WHERE state = 'waiting' AND kind = 'response'"))?.includes('Unauthorized'), { what: 'the entry put back' });
  assert.equal(await statusOf(one.id), 'queued');
  await sql("UPDATE outbox SET next_at = now() WHERE state = 'waiting'; SELECT pg_notify('fura_jobs', 'outbox.send')");
  await untilStatus(one.id, 'sent');
  assert.equal(repeats(one.id).length, 0);
});

test('the database dies and comes back while Telegram answers: nothing is lost', async () => {
  const one = await subscriber();
  await misbehave({ action: 'delay_ms', delay_ms: 800, after: true });
  await respond(one);
  await until(() => about(one.id).length === 1, { what: 'the message at Telegram' });
  await sql('CHECKPOINT'); // the tests' Postgres is fast rather than durable
  await product.postgres.kill();
  await product.postgres.up();
  await untilStatus(one.id, 'sent', 30000);
  assert.ok(about(one.id).length - repeats(one.id).length === 1);
  assert.ok(repeats(one.id).length <= 1);
});
