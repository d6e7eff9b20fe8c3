'use strict';
const { test, beforeEach, afterEach } = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const { YooKassa } = require('./yookassa.js');
const { Client, until } = require('../support/client.js');

const basic = { authorization: `Basic ${Buffer.from('100500:test_key').toString('base64')}` };
let simulator;
let client;

beforeEach(async () => {
  simulator = new YooKassa({ secretKey: 'test_key' });
  client = new Client((await simulator.listen()).url, basic);
});
afterEach(() => simulator.close());

const order = (extra = {}) => ({
  amount: { value: '499.00', currency: 'RUB' }, capture: true, description: 'Подписка на 30 дней',
  confirmation: { type: 'redirect', return_url: 'http://127.0.0.1:9/payments/return' }, metadata: { payment_id: 'p-1' }, ...extra,
});
const post = (path, json, key) => client.post(path, json, { 'idempotence-key': key });
const create = async (key = 'k-1', extra = {}) => (await post('/v3/payments', order(extra), key)).json;

/** The shop's address for notifications: collects them, answers with `statuses` in turn and then 200. */
async function shop(context, statuses = []) {
  const seen = [];
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push(JSON.parse(body));
    response.writeHead(statuses.shift() ?? 200).end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => { server.close(); server.closeAllConnections(); });
  await client.post('/__control/notifications', { url: `http://127.0.0.1:${server.address().port}/` });
  return seen;
}

test('wrong credentials are 401 and a missing key is 400', async () => {
  const stranger = new Client(client.url);
  assert.equal((await stranger.get('/v3/me')).json.code, 'invalid_credentials');
  assert.equal((await client.post('/v3/payments', order())).json.parameter, 'Idempotence-Key');
});

test('the same key and body are the same payment; another body is refused; a day later the key is new', async () => {
  const first = await create('k-1');
  assert.equal((await create('k-1')).id, first.id);
  const other = await post('/v3/payments', order({ description: 'другое' }), 'k-1');
  assert.equal(other.status, 400);
  await client.post('/__control/time', { advance_s: 86401 });
  assert.notEqual((await create('k-1')).id, first.id);
});

test('malformed amounts, descriptions and metadata are refused with the name of the parameter', async () => {
  const refused = async (extra) => (await post('/v3/payments', order(extra), 'k')).json.parameter;
  assert.equal(await refused({ amount: { value: '499', currency: 'RUB' } }), 'amount');
  assert.equal(await refused({ description: 'x'.repeat(129) }), 'description');
  assert.equal(await refused({ metadata: { payment_id: 7 } }), 'metadata');
});

test('a human pays on the page, is led back, and the shop is told', async (context) => {
  const seen = await shop(context);
  const payment = await create();
  assert.equal(payment.status, 'pending');
  const page = new URL(payment.confirmation.confirmation_url).pathname;
  assert.match((await client.get(page)).text, /Оплатить/);
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const back = await client.request('POST', page, { body: 'decision=pay', headers: form });
  assert.equal(back.status, 303);
  assert.equal(back.headers.location, 'http://127.0.0.1:9/payments/return');
  await until(() => seen.length === 1);
  assert.equal(seen[0].event, 'payment.succeeded');
  assert.equal(seen[0].object.id, payment.id);
  assert.equal((await client.get(`/v3/payments/${payment.id}`)).json.paid, true);
});

test('a refused payment is canceled for good', async () => {
  const { id } = await create();
  await client.post('/__control/refuse', { id, reason: 'insufficient_funds' });
  await client.post('/__control/pay', { id });
  const { json } = await client.get(`/v3/payments/${id}`);
  assert.equal(json.status, 'canceled');
  assert.equal(json.cancellation_details.reason, 'insufficient_funds');
});

test('without capture the money waits for it', async () => {
  const { id } = await create('k-1', { capture: false });
  await client.post('/__control/pay', { id });
  assert.equal((await client.get(`/v3/payments/${id}`)).json.status, 'waiting_for_capture');
  assert.equal((await post(`/v3/payments/${id}/capture`, {}, 'k-2')).json.status, 'succeeded');
});

test('refunds add up to the amount and no further', async (context) => {
  const seen = await shop(context);
  const { id } = await create();
  await client.post('/__control/pay', { id });
  const refund = (value, key) => post('/v3/refunds', { payment_id: id, amount: { value, currency: 'RUB' } }, key);
  assert.equal((await refund('200.00', 'r-1')).json.status, 'succeeded');
  assert.equal((await refund('299.01', 'r-2')).status, 400);
  assert.equal((await refund('299.00', 'r-3')).status, 200);
  assert.equal((await client.get(`/v3/payments/${id}`)).json.refundable, false);
  await until(() => seen.filter((one) => one.event === 'refund.succeeded').length === 2);
});

test('the list is newest first and goes on at the cursor', async () => {
  for (let n = 0; n < 3; n++) await create(`k-${n}`);
  const first = (await client.get('/v3/payments?limit=2')).json;
  const rest = (await client.get(`/v3/payments?limit=2&cursor=${first.next_cursor}`)).json;
  assert.equal(first.items.length, 2);
  assert.equal(rest.items.length, 1);
  assert.equal(rest.next_cursor, undefined);
  assert.ok(first.items[0].created_at >= rest.items[0].created_at);
});

test('an unpaid payment expires after an hour', async () => {
  const { id } = await create();
  await client.post('/__control/time', { advance_s: 3601 });
  assert.equal((await client.get(`/v3/payments/${id}`)).json.cancellation_details.reason, 'expired_on_confirmation');
});

test('notifications come doubled, in reverse, and again until answered 200', async (context) => {
  const seen = await shop(context, [500]);
  await client.post('/__control/notifications', { duplicates: 1, hold: 4, order: 'reverse' });
  const first = await create('k-1');
  const second = await create('k-2');
  await client.post('/__control/pay', { id: first.id });
  await client.post('/__control/pay', { id: second.id });
  await until(() => seen.length === 5);
  assert.equal(seen[0].object.id, second.id);
  assert.equal(seen.filter((one) => one.object.id === second.id).length, 3);
});
