'use strict';
const { test, beforeEach, afterEach } = require('node:test');
const assert = require('node:assert/strict');
const { CargoTech } = require('./cargotech.js');
const { Client } = require('../support/client.js');

const ACCOUNT = { phone: '+7 (911) 111-11-11', password: 'demo-password', remember: true };
let simulator;
let client;

beforeEach(async () => {
  simulator = new CargoTech({ clock: 'frozen' });
  client = new Client((await simulator.listen()).url);
});
afterEach(() => simulator.close());

async function login() {
  const { json } = await client.post('/v1/auth/login', ACCOUNT);
  return client.as(json.data.token);
}

function views(filters = {}, { limit = 20, offset = 0 } = {}) {
  const all = { mode: 'all', user_id: 0, ...filters };
  const query = new URLSearchParams({ include: 'contacts', limit, offset });
  for (const [name, value] of Object.entries(all)) query.set(`filter[${name}]`, value);
  return `/v2/cargos/views?${query}`;
}

test('a login gives a Sanctum-like token that opens the account', async () => {
  const { status, json } = await client.post('/v1/auth/login', ACCOUNT);
  assert.equal(status, 200);
  assert.match(json.data.token, /^\d+\|[\w-]{48}$/);
  assert.equal((await client.as(json.data.token).get('/v1/me')).status, 200);
});

test('wrong credentials are refused with 422, a missing or revoked token with 401', async () => {
  assert.equal((await client.post('/v1/auth/login', { ...ACCOUNT, password: 'x' })).status, 422);
  assert.equal((await client.get('/v1/me')).status, 401);
  const driver = await login();
  await client.post('/__control/revoke_tokens', {});
  assert.equal((await driver.get('/v1/me')).status, 401);
});

test('the same seed is the same market', async () => {
  const driver = await login();
  const other = new CargoTech({ clock: 'frozen' });
  const twin = new Client((await other.listen()).url);
  const { json } = await twin.post('/v1/auth/login', ACCOUNT);
  const mine = await driver.get(views());
  const theirs = await twin.as(json.data.token).get(views());
  await other.close();
  assert.deepEqual(mine.json, theirs.json);
});

test('pages follow each other and size is the number of all matches', async () => {
  const driver = await login();
  const first = (await driver.get(views({ mode: 'my' }))).json;
  const second = (await driver.get(views({ mode: 'my' }, { offset: 20 }))).json;
  assert.equal(first.data.length, 20);
  assert.ok(first.meta.size > 40);
  const ids = new Set([...first.data, ...second.data].map((cargo) => cargo.id));
  assert.equal(ids.size, 40);
});

test('every filter narrows the list to what it says', async () => {
  const driver = await login();
  const get = async (filters) => (await driver.get(views(filters, { limit: 100 }))).json.data;
  const near = { start_point_id: 62, start_point_type: 2, start_point_radius: 0 };
  assert.ok((await get(near)).every((cargo) => cargo.points.start.city.name === 'Москва'));
  const wider = await get({ ...near, start_point_radius: 50 });
  assert.ok(wider.some((cargo) => cargo.points.start.city.name === 'Химки'));
  const light = await get({ wv: '5-36' });
  assert.ok(light.length > 0 && light.every((cargo) => cargo.weight <= 5000 && cargo.volume <= 36));
  const side = await get({ load_types: '3' });
  assert.ok(side.length > 0 && side.every((cargo) => cargo.load_types.some((type) => type.id === 3)));
  const far = await get({ distance: '1000,2000' });
  assert.ok(far.length > 0 && far.every((cargo) => cargo.distance >= 1000 && cargo.distance <= 2000));
  const one = await get({ owner_company: '7700000000' });
  assert.ok(one.length > 0 && one.every((cargo) => cargo.company.inn === '7700000000'));
  const day = new Date().toISOString().slice(0, 10);
  assert.ok((await get({ start_date: day })).every((cargo) => cargo.points.start.first_date.startsWith(day)));
});

test('a list request that lacks a required parameter or has a malformed one is refused with 422', async () => {
  const driver = await login();
  assert.equal((await driver.get('/v2/cargos/views?limit=20&offset=0')).status, 422);
  assert.equal((await driver.get(views({ user_id: 1 }))).status, 422);
  assert.equal((await driver.get(views({ wv: '15 - 65' }))).status, 422);
  assert.equal((await driver.get(views({ start_point_id: 62 }))).status, 422);
  assert.equal((await driver.get(views({}, { limit: 101 }))).status, 422);
});

test('malformed cargos stand among good ones', async () => {
  const driver = await login();
  const { data } = (await driver.get(views({}, { limit: 100 }))).json;
  assert.ok(data.includes(null) && data.includes('нет данных'));
  assert.ok(data.some((cargo) => cargo && cargo.weight === '20000'));
  assert.ok(data.some((cargo) => cargo && cargo.points?.start?.city === null));
});

test('time moves prices, takes cargos away and brings new ones', async () => {
  const driver = await login();
  const before = (await driver.get(views({ mode: 'my' }, { limit: 100 }))).json.data;
  await client.post('/__control/time', { advance_s: 1800 });
  const after = (await driver.get(views({ mode: 'my' }, { limit: 100 }))).json.data;
  const later = new Map(after.map((cargo) => [cargo.id, cargo]));
  assert.ok(before.some((cargo) => !later.has(cargo.id)));
  assert.ok(after.some((cargo) => cargo.id > before[0].id));
  assert.ok(before.some((cargo) => later.has(cargo.id) && later.get(cargo.id).price !== cargo.price));
});

test('the detail has the note and the contacts; a cargo that vanished is 404', async () => {
  const driver = await login();
  const [cargo] = (await driver.get(views({ mode: 'my' }))).json.data;
  const path = `/v1/carrier/cargos/${cargo.id}?source=1&include=contacts`;
  const { data } = (await driver.get(path)).json;
  assert.ok('note' in data.extra && data.contacts.length > 0 && data.points.start.address.includes('<'));
  await client.post('/__control/vanish', { ids: [cargo.id] });
  assert.equal((await driver.get(path)).status, 404);
});

test('points are found by a part of the name, whatever its case', async () => {
  const driver = await login();
  const { json } = await driver.get(`/v1/dictionaries/points?${new URLSearchParams({ 'filter[name]': 'МОСК', limit: 10, offset: 0 })}`);
  assert.deepEqual(json.data.map((point) => [point.id, point.type]), [[62, 2], [1077, 1], [6201, 2]]);
  assert.equal((await driver.get('/v1/dictionaries/load_types')).json.data.length, 4);
});

test('the account is limited per minute and says when to come back', async () => {
  await client.post('/__control/account', { per_minute: 2 });
  const driver = await login();
  const second = await driver.get('/v1/me');
  assert.equal(second.headers['x-ratelimit-remaining'], '0');
  const third = await driver.get('/v1/me');
  assert.equal(third.status, 429);
  assert.ok(Number(third.headers['retry-after']) > 0);
  await client.post('/__control/time', { advance_s: 61 });
  assert.equal((await driver.get('/v1/me')).status, 200);
});

test('the log shows what was asked and no secret', async () => {
  const driver = await login();
  await driver.get('/v1/me');
  const { json, text } = await client.get('/__control/log');
  assert.deepEqual(json.counts, { 'POST /v1/auth/login': 1, 'GET /v1/me': 1 });
  assert.equal(json.requests[1].path, '/v1/me');
  assert.ok(!text.includes('demo-password') && !text.includes('Bearer'));
});
