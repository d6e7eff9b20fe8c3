'use strict';
// Two nodes with the same Redis, PostgreSQL and CargoTech act as one.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { Fura } = require('../support/fura.js');
const { until } = require('../support/client.js');

const LIST = '/v2/cargos/views';
const LOGIN = '/v1/auth/login';

let product;
let nodes;
let radius = 0;

before(async () => {
  product = await Product.start({ serve: false });
  nodes = [product.fura, new Fura({ env: product.serviceEnv() })];
  await Promise.all(nodes.map((node) => node.serve()));
});
after(async () => {
  await nodes?.[1].stop();
  await product.stop();
});

const search = () => `/api/v1/cargos?mode=all&limit=100&start_point_id=62&start_point_radius=${++radius}`;
const calls = (path) => product.simulators.cargotech.entries.filter((entry) => entry.path === path).length;
const slowly = (delay) => product.control('cargotech').post('misbehave', { match: { path: LIST }, action: 'delay_ms', delay_ms: delay });

/** The same driver speaking with either node. */
async function login(id, node = nodes[0]) {
  const { json } = await node.client.post('/api/v1/auth/telegram', { init_data: product.initData({ id }) });
  return nodes.map((one) => one.client.as(json.session_token));
}

test('two nodes that start together log in once', async () => {
  await until(async () => (await product.redis.command('EXISTS', 'cargotech:api:token')) === '1', { what: 'a token' });
  const [onA, onB] = await login(6101);
  for (const client of [onA, onB]) assert.equal((await client.get(search())).status, 200);
  assert.equal(calls(LOGIN), 1);
});

test('many who ask on both nodes at the same moment cost one call', async () => {
  const drivers = [];
  for (let id = 6201; id <= 6220; id++) drivers.push(await login(id, nodes[id % 2]));
  const path = search();
  const before = calls(LIST);
  await slowly(700);
  const answers = await Promise.all(drivers.map((clients, index) => clients[index % 2].get(path)));
  for (const answer of answers) {
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.json.cards, answers[0].json.cards);
  }
  assert.equal(calls(LIST) - before, 1);
});

test('a token that died costs one login of all nodes', async () => {
  const drivers = [];
  for (let id = 6301; id <= 6310; id++) drivers.push(await login(id));
  await product.control('cargotech').post('revoke_tokens');
  const before = calls(LOGIN);
  const answers = await Promise.all(drivers.map((clients, index) => clients[index % 2].get(search())));
  assert.deepEqual(answers.map((answer) => answer.status), Array(10).fill(200));
  assert.equal(calls(LOGIN) - before, 1);
});

test('a login on one node ends the session on the other within a second', async () => {
  const [oldOnA] = await login(6401, nodes[0]);
  assert.equal((await oldOnA.get('/api/v1/me')).status, 200);
  await login(6401, nodes[1]);
  const told = await until(async () => {
    const answer = await oldOnA.get('/api/v1/me');
    return answer.status === 401 && answer;
  }, { what: 'the end of the session', timeoutMs: 2000 });
  assert.equal(told.json.code, 'session_replaced');
});

test('a node that dies while it fetches holds up the other for seconds only', async () => {
  const [onA] = await login(6501);
  const [, onB] = await login(6502);
  const path = search();
  const before = calls(LIST);
  await slowly(9000);
  const lost = onA.get(path).catch((error) => error);
  await until(async () => (await product.redis.command('KEYS', 'lock:cargos:page:*')) !== '', { what: 'the lock' });
  const workers = nodes[0].workers();
  workers.forEach((pid) => process.kill(pid, 'SIGKILL'));
  const answer = await onB.get(path);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(calls(LIST) - before, 1, 'the lost call is answered to nobody yet');
  assert.ok(await lost instanceof Error, 'the request of the dead worker is lost');
  await until(() => nodes[0].workers().length === workers.length, { what: 'new workers' });
  await nodes[0].untilReady();
  assert.equal((await onA.get(path)).status, 200);
});

test('a driver has one allowance, whichever node is asked', async () => {
  const clients = await login(6601);
  const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => clients[index % 2].get('/api/v1/tariffs').then(() => clients[index % 2].get('/api/v1/subscription'))));
  const passed = answers.filter((answer) => answer.status === 200).length;
  assert.ok(passed >= 20 && passed < 50, `${passed} of 60 passed`);
  assert.ok(answers.every((answer) => answer.status === 200 || answer.status === 429));
});
