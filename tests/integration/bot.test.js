'use strict';
// The bot's webhook against the published vectors, and what dispatchers and strangers may do to a response.
const { test, before, beforeEach, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { SETTINGS } = require('../support/fura.js');
const { until } = require('../support/client.js');
const { updates } = require('../vectors/telegram.json');

const GROUP = Number(SETTINGS.TELEGRAM_RESPONSES_CHAT_ID);
const SECRET = { 'x-telegram-bot-api-secret-token': SETTINGS.TELEGRAM_WEBHOOK_SECRET };
const CODE = '5c3f0d0e9a7b4c1d8e2f';
const DRIVER = 501;

let product;
let telegram;
const sql = (text) => product.postgres.query(text);
const value = (text) => product.postgres.value(text);
const vector = (id) => structuredClone(updates.find((one) => one.id === id).update);
const post = (update) => product.client.post('/webhooks/telegram', update, SECRET);
const messages = (chat) => product.simulators.telegram.chats.get(String(chat)) ?? [];
const answers = () => product.simulators.telegram.entries.filter((entry) => entry.path === '/answerCallbackQuery');
const status = () => value(`SELECT status FROM responses WHERE code = '${CODE}'`);
const queued = (kind) => value(`SELECT count(*) FROM outbox WHERE kind = '${kind}'`).then(Number);
const untilQuiet = () => until(async () => (await value("SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')")) === '0', { what: 'an empty outbox' });

before(async () => {
  product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' } });
  telegram = product.control('telegram');
  await product.login({ id: DRIVER, first_name: 'Иван' });
});
after(() => product.stop());

// A response that was sent as message 55 of the group, known by the code of the vectors.
beforeEach(async () => {
  await untilQuiet();
  await telegram.post('reset');
  await telegram.post('limits', { chat_burst: 1000, group_per_min: 1000 });
  await sql(`
    TRUNCATE telegram_updates, outbox, telegram_chats; DELETE FROM responses; UPDATE drivers SET unreachable_at = NULL;
    INSERT INTO responses (driver_id, cargo_id, code, cargo, name) VALUES (${DRIVER}, '481516', '${CODE}', '{}', 'Иван');
    UPDATE responses SET status = 'sent', chat_id = ${GROUP}, message_id = 55`);
  const chat = { id: GROUP, type: 'supergroup', title: 'Отклики' };
  product.simulators.telegram.keep(GROUP, { message_id: 55, date: 1, chat, text: 'x', reply_markup: { inline_keyboard: [] } });
});

async function take(update) {
  const answer = await post(update);
  assert.equal(answer.status, 200, answer.text);
  await untilQuiet();
}

for (const id of ['doc-start', 'doc-start-no-type', 'doc-reply']) {
  test(`${id}: greeted with the button of the app`, async () => {
    await take(vector(id));
    const [greeting] = messages(1111111);
    assert.match(greeting.text, /WebApp/);
    assert.equal(greeting.reply_markup.inline_keyboard[0][0].web_app.url, SETTINGS.WEBAPP_URL);
  });
}

test('what stands behind /start opens in the app; nonsense there is left out', async () => {
  const start = (text) => ({ ...vector('doc-start'), update_id: ++start.id, message: { ...vector('doc-start').message, text } });
  start.id = 90000;
  for (const text of ['/start cargo_481516', '/start@fura_bot sub', '/start <b>', `/start ${'x'.repeat(65)}`]) await take(start(text));
  const urls = messages(1111111).map((one) => one.reply_markup.inline_keyboard[0][0].web_app.url.slice(SETTINGS.WEBAPP_URL.length));
  assert.deepEqual(urls, ['?tgWebAppStartParam=cargo_481516', '?tgWebAppStartParam=sub', '', '']);
});

test('only the command itself is /start', async () => {
  const start = (text) => ({ ...vector('doc-start'), update_id: ++start.id, message: { ...vector('doc-start').message, text } });
  start.id = 91000;
  const others = ['/startled', '/START', 'start', ' /start', 'x /start', '/start!', '/start_', '/start@', '/start@бот', '//start', '/stop', ''];
  for (const text of others) await take(start(text));
  assert.equal(await value('SELECT count(*) FROM outbox'), '0');
  for (const text of ['/start ', '/start\ncargo_1', '/start@cargotech_bot cargo_1']) await take(start(text));
  assert.equal(await queued('greeting'), 3);
  await take({ update_id: ++start.id, edited_message: vector('doc-start').message });
  assert.equal(await queued('greeting'), 3);
});

const ignored = ['doc-forwarded', 'doc-entities', 'doc-voice', 'doc-document', 'doc-inline-query', 'doc-chosen-inline', 'own-start-botname',
  'own-no-update-id', 'own-malformed-0', 'own-malformed-1', 'own-malformed-3', 'own-malformed-5', 'own-malformed-6'];
for (const id of ignored) {
  test(`${id}: answered 200 and nothing else`, async () => {
    await take(vector(id));
    assert.equal(await value('SELECT count(*) FROM outbox'), '0');
    assert.equal(await status(), 'sent');
  });
}

test('a broken body is 400, no or another secret is 401', async () => {
  const broken = await product.client.request('POST', '/webhooks/telegram', { body: '{"update_id":', headers: { ...SECRET, 'content-type': 'application/json' } });
  assert.equal(broken.status, 400);
  assert.equal(broken.json.code, 'invalid_json');
  assert.equal((await product.client.post('/webhooks/telegram', vector('doc-start'))).status, 401);
  assert.equal((await product.client.post('/webhooks/telegram', vector('doc-start'), { 'x-telegram-bot-api-secret-token': 'test-webhook-secreT' })).status, 401);
  assert.equal(await value('SELECT count(*) FROM telegram_updates'), '0');
});

test('«Принять»: accepted, message edited, button answered, driver told once however often the update comes', async () => {
  const update = vector('own-callback-accept');
  await Promise.all([1, 2, 3, 4].map(() => post(update)));
  await take({ ...update, update_id: update.update_id + 1 }); // a second press of the same button
  assert.equal(await status(), 'accepted');
  assert.match(messages(GROUP)[0].text, /Статус: Принят · Диспетчер/);
  assert.deepEqual(messages(GROUP)[0].reply_markup.inline_keyboard.flat().map((button) => button.text), ['Завершить']);
  await until(() => answers().length === 2, { what: 'both presses answered' });
  assert.deepEqual(messages(DRIVER).map((message) => message.text.split('\n')[0]), ['Статус по грузу 481516: Принят']);
});

test('presses at the same moment: one decision stands', async () => {
  const update = vector('own-callback-accept');
  const { data } = vector('own-callback-inaccessible').callback_query;
  const both = Array.from({ length: 8 }, (_, n) => ({ update_id: 800000 + n,
    callback_query: { ...update.callback_query, data: n % 2 ? data : update.callback_query.data } }));
  const all = await Promise.all(both.map(post));
  assert.ok(all.every((answer) => answer.status === 200));
  assert.ok(['accepted', 'rejected'].includes(await status()));
  assert.equal(await queued('driver_status'), 1);
  assert.equal(await value("SELECT count(*) FROM audit_log WHERE action = 'response.status_changed' AND created_at > now() - interval '1 min' AND details->>'from' = 'sent' AND target_id = (SELECT id::text FROM responses)"), '1');
});

test('a button of another chat is refused, with a word to who pressed', async () => {
  await take(vector('own-callback-other-chat'));
  assert.equal(await status(), 'sent');
  await until(() => answers().length === 1, { what: 'an answer' });
  assert.match(answers()[0].body.text, /чате откликов/);
});

test('forged data is answered and changes nothing', async () => {
  const update = vector('own-callback-forged-data');
  await take(update);
  await take({ update_id: 1, callback_query: { ...update.callback_query, data: 'r:a:ffffffffffffffffffff' } });
  await take({ update_id: 2, callback_query: { ...update.callback_query, data: { a: 1 } } });
  await until(() => answers().length === 3, { what: 'three answers' });
  assert.equal(await status(), 'sent');
});

test('what is not legal now is refused and the message shows what is', async () => {
  const { callback_query: query } = vector('own-callback-accept');
  await take({ update_id: 1, callback_query: { ...query, data: `r:c:${CODE}` } });
  assert.equal(await status(), 'sent');
  await take({ update_id: 2, callback_query: { ...query, data: `r:j:${CODE}` } });
  await take({ update_id: 3, callback_query: query });
  assert.equal(await status(), 'rejected');
  await until(() => answers().length === 3, { what: 'three answers' });
  assert.deepEqual(answers().map((entry) => entry.body.show_alert), [true, false, true]);
});

test('a message too old to edit is decided all the same, and told anew', async () => {
  await take(vector('own-callback-inaccessible'));
  assert.equal(await status(), 'rejected');
  assert.match(messages(GROUP).at(-1).text, /Статус: Отказ/);
  assert.equal(messages(GROUP).length, 2);
});

test('the same update id a second time does nothing', async () => {
  await take(vector('own-callback-accept'));
  await take(vector('own-duplicate-update-id'));
  assert.equal(await queued('greeting'), 0);
});

test('who blocks the bot is unreachable, who comes back is not', async () => {
  const unreachable = () => value(`SELECT unreachable_at IS NOT NULL FROM drivers WHERE id = ${DRIVER}`);
  await take(vector('own-blocked-by-user'));
  assert.equal(await unreachable(), 't');
  await take(vector('own-callback-accept'));
  assert.equal(await queued('driver_status'), 0);
  await take(vector('own-unblocked'));
  assert.equal(await unreachable(), 'f');
});

test('who allows the bot to write can be reached again', async () => {
  await take(vector('own-blocked-by-user'));
  const { message } = vector('own-contact');
  await take({ update_id: 9, message: { ...message, contact: undefined, write_access_allowed: { from_request: true } } });
  assert.equal(await value(`SELECT unreachable_at IS NULL FROM drivers WHERE id = ${DRIVER}`), 't');
});

test('the own contact becomes the phone, that of another does not', async () => {
  const update = vector('own-contact');
  const phone = () => value(`SELECT phone FROM drivers WHERE id = ${DRIVER}`);
  await take({ update_id: 5, message: { ...update.message, contact: { ...update.message.contact, user_id: 777, phone_number: '79990000000' } } });
  assert.equal(await phone(), '');
  await take(update);
  assert.equal(await phone(), '+79998887766');
});

test('a group of strangers that migrates is not our business; ours is', async () => {
  await take(vector('own-migrate'));
  assert.equal(await value('SELECT count(*) FROM telegram_chats'), '0');
  const update = vector('own-migrate');
  update.update_id += 1;
  update.message.chat.id = GROUP;
  update.message.migrate_to_chat_id = -1007777777777;
  await take(update);
  assert.deepEqual(await sql('SELECT old_id, new_id FROM telegram_chats'), [[String(GROUP), '-1007777777777']]);
});

test('the new group tells of the migration too, in whatever order', async () => {
  const { message } = vector('own-migrate');
  const from = (id, old) => ({ update_id: id, message: { ...message, migrate_to_chat_id: undefined, chat: { ...message.chat, id: -1007777777777 }, migrate_from_chat_id: old } });
  await take(from(1, -400123));
  assert.equal(await value('SELECT count(*) FROM telegram_chats'), '0');
  await take(from(2, GROUP));
  await take({ update_id: 3, message: { ...message, chat: { ...message.chat, id: GROUP }, migrate_to_chat_id: -1007777777777 } });
  await take(from(4, GROUP));
  assert.deepEqual(await sql('SELECT old_id, new_id FROM telegram_chats'), [[String(GROUP), '-1007777777777']]);
});

test('while the database is away Telegram is asked to come again, and the press is not lost', async () => {
  await product.postgres.kill();
  const refused = await post(vector('own-callback-accept'));
  assert.equal(refused.status, 503);
  await product.postgres.up();
  await until(async () => (await post(vector('own-callback-accept'))).status === 200, { what: 'the database back' });
  assert.equal(await status(), 'accepted');
});
