'use strict';
const { test, beforeEach, afterEach } = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const { Telegram } = require('./telegram.js');
const { Client, until } = require('../support/client.js');

const GROUP = -1001234567890;
const buttons = { inline_keyboard: [[{ text: 'Принять', callback_data: 'r:a:1' }]] };
let simulator;
let client;
let call;

beforeEach(async () => {
  simulator = new Telegram({ token: '42:abc' });
  client = new Client((await simulator.listen()).url);
  call = (method, body = {}) => client.post(`/bot42:abc/${method}`, body);
});
afterEach(() => simulator.close());

/** A bot's webhook: collects updates, answers with `statuses` in turn and then 200. */
async function webhook(context, statuses = []) {
  const seen = [];
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ secret: request.headers['x-telegram-bot-api-secret-token'], update: JSON.parse(body) });
    response.writeHead(statuses.shift() ?? 200).end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => { server.close(); server.closeAllConnections(); });
  return { seen, url: `http://127.0.0.1:${server.address().port}/webhooks/telegram` };
}

test('a message is kept and numbered, and the chats are shown to a human', async () => {
  const { json } = await call('sendMessage', { chat_id: GROUP, text: 'Отклик <1>', reply_markup: buttons });
  assert.equal(json.ok, true);
  assert.equal(json.result.chat.type, 'supergroup');
  assert.equal((await client.get('/__control/state')).json.chats[GROUP].length, 1);
  assert.match((await client.get('/')).text, /Отклик &#60;1&#62;/);
});

test('a wrong token is 401, a malformed one 404, an unknown method 404', async () => {
  assert.equal((await client.get('/bot42:xyz/getMe')).status, 401);
  assert.equal((await client.get('/botabc/getMe')).status, 404);
  assert.equal((await call('sendNonsense')).json.description, 'Not Found');
});

test('too many messages to one chat answer 429 with the seconds to wait', async () => {
  for (let n = 0; n < 3; n++) assert.equal((await call('sendMessage', { chat_id: 7, text: 'x' })).status, 200);
  const { status, json } = await call('sendMessage', { chat_id: 7, text: 'x' });
  assert.equal(status, 429);
  assert.ok(json.parameters.retry_after >= 1);
  assert.equal((await call('sendMessage', { chat_id: 8, text: 'x' })).status, 200);
});

test('a blocked bot is refused with 403, a migrated group tells its new id', async () => {
  await client.post('/__control/user', { id: 7, state: 'blocked' });
  assert.match((await call('sendMessage', { chat_id: 7, text: 'x' })).json.description, /blocked by the user/);
  await client.post('/__control/migrate', { from: -5, to: -1005 });
  assert.equal((await call('sendMessage', { chat_id: -5, text: 'x' })).json.parameters.migrate_to_chat_id, -1005);
});

test('texts, buttons and edits are checked as Telegram checks them', async () => {
  assert.equal((await call('sendMessage', { chat_id: 7, text: ' ' })).status, 400);
  assert.equal((await call('sendMessage', { chat_id: 7, text: 'x'.repeat(4097) })).status, 400);
  const long = { inline_keyboard: [[{ text: 'x', callback_data: 'я'.repeat(33) }]] };
  assert.equal((await call('sendMessage', { chat_id: 7, text: 'x', reply_markup: long })).status, 400);
  const { json } = await call('sendMessage', { chat_id: 7, text: 'x' });
  const same = { chat_id: 7, message_id: json.result.message_id, text: 'x' };
  assert.match((await call('editMessageText', same)).json.description, /message is not modified/);
  assert.equal((await call('editMessageText', { ...same, text: 'y' })).json.result.text, 'y');
});

test('a pressed button reaches the webhook with the secret and can be answered once in time', async (context) => {
  const { seen, url } = await webhook(context);
  await call('setWebhook', { url, secret_token: 'hush', allowed_updates: ['message', 'callback_query'] });
  const { json } = await call('sendMessage', { chat_id: GROUP, text: 'Отклик', reply_markup: buttons });
  await client.post('/__control/press', { chat_id: GROUP, message_id: json.result.message_id, button: 'Принять' });
  await until(() => seen.length === 1);
  assert.equal(seen[0].secret, 'hush');
  const query = seen[0].update.callback_query;
  assert.equal(query.data, 'r:a:1');
  assert.equal((await call('answerCallbackQuery', { callback_query_id: query.id, text: 'Принято' })).json.result, true);
  await client.post('/__control/time', { advance_s: 60 });
  assert.match((await call('answerCallbackQuery', { callback_query_id: query.id })).json.description, /too old/);
});

test('an update is repeated until the webhook answers 2xx, in order', async (context) => {
  const { seen, url } = await webhook(context, [500, 503]);
  await call('setWebhook', { url });
  await client.post('/__control/send', { from: { id: 7 }, text: '/start' });
  await client.post('/__control/send', { from: { id: 8 }, text: '/start cargo_1' });
  await until(() => seen.length === 4);
  assert.deepEqual(seen.map(({ update }) => update.message.from.id), [7, 7, 7, 8]);
  assert.equal((await call('getWebhookInfo')).json.result.pending_update_count, 0);
});

test('kinds of updates that were not asked for do not come', async (context) => {
  const { seen, url } = await webhook(context);
  await call('setWebhook', { url, allowed_updates: ['message'] });
  await client.post('/__control/user', { id: 7, state: 'blocked' });
  await client.post('/__control/send', { from: { id: 8 }, text: 'привет' });
  await until(() => seen.length === 1);
  assert.equal(seen[0].update.message.text, 'привет');
});

test('the log shows methods, never the token', async () => {
  await call('getMe');
  const { json, text } = await client.get('/__control/log');
  assert.equal(json.requests[0].path, '/getMe');
  assert.ok(!text.includes('42:abc'));
});
