'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { SETTINGS } = require('../support/fura.js');
const { until } = require('../support/client.js');

const GROUP = SETTINGS.TELEGRAM_RESPONSES_CHAT_ID;
let product;
let telegram;
const ids = (function* numbers() { for (let id = 1001; ; id++) yield id; })();

before(async () => {
  product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' } });
  telegram = product.control('telegram');
});
after(() => product.stop());

async function subscriber() {
  const id = ids.next().value;
  const driver = await product.login({ id, first_name: 'Иван' });
  await product.postgres.query(`INSERT INTO subscription_grants (driver_id, source, source_id, days) VALUES (${id}, 'gift', 'test-${id}', 30)`);
  const { json } = await driver.get('/api/v1/cargos?mode=my');
  return { id, driver, cargo: json.cards[id % 20].id };
}

const messages = (chat) => product.simulators.telegram.chats.get(String(chat)) ?? [];
const responseMessage = (cargo, id) => messages(GROUP).find((one) => one.text.includes(cargo) && one.text.includes(String(id)));
const respond = (driver, cargo) => driver.post('/api/v1/responses', { cargo_id: cargo, phone: '8 (999) 888-77-66', name: 'Иван' });
const untilSent = (cargo, id) => until(() => responseMessage(cargo, id), { what: 'the message in the responses chat' });

test('without access a response answers 402', async () => {
  const driver = await product.login({ id: ids.next().value });
  const { json } = await driver.get('/api/v1/cargos?mode=my');
  const answer = await respond(driver, json.cards[0].id);
  assert.equal(answer.status, 402);
  assert.equal(answer.json.code, 'payment_required');
});

test('a response reaches the dispatchers once, and answering again shows its state', async () => {
  const { id, driver, cargo } = await subscriber();
  const first = await respond(driver, cargo);
  assert.equal(first.status, 202);
  assert.equal(first.json.status, 'queued');
  const message = await untilSent(cargo, id);
  const buttons = message.reply_markup.inline_keyboard.flat().map((button) => button.text);
  assert.deepEqual(buttons, ['Принять', 'Отклонить', 'Завершить']);
  const again = await respond(driver, cargo);
  assert.equal(again.status, 200);
  assert.equal(again.json.response_id, first.json.response_id);
  assert.equal(messages(GROUP).filter((one) => one.text.includes(`${cargo}`) && one.text.includes(String(id))).length, 1);
});

test('«Принять» changes the status, the message and tells the driver', async () => {
  const { id, driver, cargo } = await subscriber();
  await respond(driver, cargo);
  const message = await untilSent(cargo, id);
  await telegram.post('press', { chat_id: Number(GROUP), message_id: message.message_id, button: 'Принять' });
  const status = async () => (await driver.get('/api/v1/responses')).json.data[0].status;
  await until(async () => (await status()) === 'accepted', { what: 'accepted' });
  await until(() => messages(id).some((one) => one.text.includes(cargo)), { what: 'the word to the driver' });
  const { callbacks } = await telegram.get('state');
  assert.ok(Object.values(callbacks).every((callback) => callback.answer));
});

test('a button from another chat changes nothing', async () => {
  const { id, driver, cargo } = await subscriber();
  await respond(driver, cargo);
  const message = await untilSent(cargo, id);
  const { callback_data: data } = message.reply_markup.inline_keyboard.flat()[0];
  const update = { callback_query: { id: '1', data, chat_instance: '1', from: { id: 66, is_bot: false, first_name: 'X' },
    message: { ...message, chat: { id: 66, type: 'private' } } } };
  await telegram.post('update', update);
  await until(() => product.simulators.telegram.pending.length === 0, { what: 'the update to be taken' });
  const { json } = await driver.get('/api/v1/responses');
  assert.equal(json.data[0].status, 'sent');
});

test('while Telegram fails the response waits and arrives later', async () => {
  const { id, driver, cargo } = await subscriber();
  await telegram.post('misbehave', { match: { path: '/sendMessage' }, action: 'status', status: 502, body: '<html>502</html>' });
  assert.equal((await respond(driver, cargo)).status, 202);
  await until(() => responseMessage(cargo, id), { what: 'the message after the failure', timeoutMs: 30000 });
});

test('a bad phone, a long name and an unknown cargo are refused', async () => {
  const { driver, cargo } = await subscriber();
  const post = (fields) => driver.post('/api/v1/responses', { cargo_id: cargo, phone: '', name: 'Иван', ...fields });
  const phone = await post({ phone: 'позвоните мне' });
  assert.equal(phone.status, 422);
  assert.equal(phone.json.errors[0].field, 'phone');
  assert.equal((await post({ name: 'я'.repeat(256) })).status, 422);
  const unknown = await post({ cargo_id: '999999999' });
  assert.equal(unknown.status, 404);
  assert.equal(unknown.json.code, 'cargo_not_found');
});

test('the phone is normalised, name and phone are asked once and remembered', async () => {
  const { id, driver, cargo } = await subscriber();
  const list = await driver.get('/api/v1/cargos?mode=my');
  const other = list.json.cards.find((card) => card.id !== cargo).id;
  await driver.post('/api/v1/responses', { cargo_id: cargo, phone: '8 (999) 888-77-66', name: '  Пётр \n Петров ' });
  await driver.post('/api/v1/responses', { cargo_id: other });
  const { json } = await driver.get('/api/v1/responses');
  assert.deepEqual(json.data.map((one) => [one.cargo_id, one.phone, one.name]),
    [[other, '+79998887766', 'Пётр Петров'], [cargo, '+79998887766', 'Пётр Петров']]);
  const message = await untilSent(other, id);
  assert.equal(message.text, `🚚 Отклик водителя\nГруз: ${other}\nИмя: Пётр Петров\nТелефон: +79998887766\nTelegram ID: ${id}`);
});

test('responses are paged by a cursor, newest first, and filtered', async () => {
  const { id, driver } = await subscriber();
  const { json } = await driver.get('/api/v1/cargos?mode=my');
  const ids5 = json.cards.slice(0, 5).map((card) => card.id);
  for (const cargo of ids5) assert.equal((await respond(driver, cargo)).status, 202);
  const seen = [];
  let cursor = '';
  do {
    const page = (await driver.get(`/api/v1/responses?limit=2${cursor && `&cursor=${cursor}`}`)).json;
    seen.push(...page.data.map((one) => one.cargo_id));
    cursor = page.next_cursor;
  } while (cursor);
  assert.deepEqual(seen, [...ids5].reverse());
  assert.equal((await driver.get('/api/v1/responses?cursor=x')).status, 422);
  await product.postgres.query(`UPDATE responses SET status = 'sent' WHERE driver_id = ${id} AND status = 'queued' AND cargo_id = '${ids5[0]}';
    UPDATE responses SET status = 'accepted' WHERE driver_id = ${id} AND cargo_id = '${ids5[0]}'`);
  assert.deepEqual((await driver.get('/api/v1/responses?filter=accepted')).json.data.map((one) => one.cargo_id), [ids5[0]]);
});

test("another driver's responses are not to be seen", async () => {
  const one = await subscriber();
  await respond(one.driver, one.cargo);
  const two = await subscriber();
  assert.deepEqual((await two.driver.get('/api/v1/responses')).json, { data: [], next_cursor: null });
  assert.equal((await two.driver.get(`/api/v1/cargos/${one.cargo}`)).json.response, null);
});

test('the sheet shows the form, then the state, and asks again until it is final', async () => {
  const { id, driver, cargo } = await subscriber();
  const html = { 'hx-request': 'true' };
  const sheet = async () => (await driver.get(`/api/v1/cargos/${cargo}`, html)).text;
  assert.match(await sheet(), /hx-post="\/api\/v1\/responses"/);
  const bad = await driver.post('/api/v1/responses', { cargo_id: cargo, phone: '12' }, html);
  assert.equal(bad.status, 422);
  assert.equal(bad.headers['hx-retarget'], '#resp-problem');
  assert.match(bad.text, /Проверьте номер/);
  const sent = await driver.post('/api/v1/responses', { cargo_id: cargo }, html);
  assert.equal(sent.status, 202);
  assert.match(sent.text, /id="resp"[^>]*delay:5s/);
  assert.match(sent.text, /Отправляется/);
  await untilSent(cargo, id);
  const { json } = await driver.get(`/api/v1/cargos/${cargo}`);
  await until(async () => (await driver.get(`/api/v1/cargos/${cargo}`)).json.response.status === 'sent', { what: 'sent' });
  assert.equal(json.response.id, (await driver.get('/api/v1/responses')).json.data[0].response_id);
  await product.postgres.query(`UPDATE responses SET created_at = now() - interval '2 min' WHERE driver_id = ${id}`);
  assert.match(await sheet(), /delay:20s/);
  await product.postgres.query(`UPDATE responses SET status = 'rejected' WHERE driver_id = ${id}`);
  assert.match(await sheet(), /Отказ/);
  assert.doesNotMatch(await sheet(), /load delay/);
});

test('a cargo that is gone still shows what was answered', async () => {
  const { id, driver, cargo } = await subscriber();
  await respond(driver, cargo);
  await untilSent(cargo, id);
  await product.postgres.query(`UPDATE responses SET cargo_id = '999999998', cargo = jsonb_set(cargo, '{id}', '"999999998"') WHERE driver_id = ${id}`);
  const gone = await driver.get('/api/v1/cargos/999999998', { 'hx-request': 'true' });
  assert.equal(gone.status, 404);
  assert.match(gone.text, /уже забрали/);
  assert.match(gone.text, /id="resp"/);
  assert.equal((await driver.get('/api/v1/cargos/999999998')).json.code, 'cargo_not_found');
});

test('/start greets with the button of the app; /startled does not', async () => {
  await telegram.post('send', { from: { id: 5001 }, text: '/startled' });
  await telegram.post('send', { from: { id: 5002 }, text: '/start cargo_481600' });
  await until(() => messages(5002).length === 2, { what: 'the greeting' });
  const button = messages(5002)[1].reply_markup.inline_keyboard.flat()[0];
  assert.ok(button.web_app.url.startsWith(SETTINGS.WEBAPP_URL));
  assert.equal(messages(5001).length, 1);
});

test('the bot webhook needs its secret and then always answers 200 to JSON', async () => {
  const secret = { 'x-telegram-bot-api-secret-token': SETTINGS.TELEGRAM_WEBHOOK_SECRET };
  assert.equal((await product.client.post('/webhooks/telegram', { update_id: 1 })).status, 401);
  assert.equal((await product.client.post('/webhooks/telegram', { update_id: 1 }, { ...secret, 'x-telegram-bot-api-secret-token': 'x' })).status, 401);
  assert.equal((await product.client.post('/webhooks/telegram', { update_id: 2, something: { new: true } }, secret)).status, 200);
});
