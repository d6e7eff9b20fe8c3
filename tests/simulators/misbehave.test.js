'use strict';
const { test, beforeEach, afterEach } = require('node:test');
const assert = require('node:assert/strict');
const { Simulator, answer } = require('./simulator.js');
const { Client } = require('../support/client.js');

let simulator;
let client;
let done;

beforeEach(async () => {
  done = 0;
  simulator = new Simulator('sample');
  simulator.route('POST', '/orders/{id}', ({ params }) => answer(200, { id: params.id, done: ++done }));
  simulator.route('GET', '/orders/{id}', ({ params }) => answer(200, { id: params.id }));
  client = new Client((await simulator.listen()).url);
});
afterEach(() => simulator.close());

const misbehave = (rule) => client.post('/__control/misbehave', { match: { path: '/orders/*' }, ...rule });

test('a fault comes as often as asked and only where it matches', async () => {
  await misbehave({ match: { method: 'POST', path: '/orders/*' }, times: 2, action: 'status', status: 503, headers: { 'retry-after': '7' } });
  assert.equal((await client.get('/orders/1')).status, 200);
  const first = await client.post('/orders/1', {});
  assert.equal(first.status, 503);
  assert.equal(first.headers['retry-after'], '7');
  assert.equal((await client.post('/orders/1', {})).status, 503);
  assert.equal((await client.post('/orders/1', {})).status, 200);
  assert.equal(done, 1);
});

test('a fault after the work spoils the answer only', async () => {
  await misbehave({ action: 'close', after: true });
  await assert.rejects(client.post('/orders/1', {}));
  assert.equal(done, 1);
});

test('half a body breaks off in the middle', async () => {
  await misbehave({ action: 'half_body' });
  await assert.rejects(client.get('/orders/1'));
});

test('garbage is not JSON and a redirect leads away', async () => {
  await misbehave({ action: 'garbage' });
  assert.equal((await client.get('/orders/1')).json, undefined);
  await misbehave({ action: 'redirect' });
  assert.equal((await client.get('/orders/1')).status, 302);
});

test('a delayed answer is late but right', async () => {
  await misbehave({ action: 'delay_ms', delay_ms: 150 });
  const started = Date.now();
  assert.equal((await client.get('/orders/1')).status, 200);
  assert.ok(Date.now() - started >= 140);
});

test('a duplicated request is taken twice', async () => {
  await misbehave({ action: 'duplicate' });
  assert.equal((await client.post('/orders/1', {})).json.done, 2);
});

test('a reset forgets faults and log', async () => {
  await misbehave({ times: 0, action: 'status' });
  assert.equal((await client.get('/orders/1')).status, 500);
  await client.post('/__control/reset', {});
  assert.equal((await client.get('/orders/1')).status, 200);
  assert.deepEqual((await client.get('/__control/log')).json.counts, { 'GET /orders/{id}': 1 });
});

test('an unknown action is refused by name', async () => {
  const { status, json } = await misbehave({ action: 'explode' });
  assert.equal(status, 400);
  assert.match(json.error, /status, delay_ms/);
});
