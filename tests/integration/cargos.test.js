'use strict';
const { test, before, beforeEach, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');

let product;
let driver;
let cargotech;
const drivers = (function* ids() { for (let id = 601; ; id++) yield id; })();

before(async () => {
  product = await Product.start();
  cargotech = product.control('cargotech');
});
after(() => product.stop());

/** Each test reads its own page of the market, so that no cache of another test answers. */
const fresh = (function* offsets() { for (let radius = 1; ; radius++) yield `mode=all&start_point_id=62&start_point_radius=${radius}`; })();
const next = () => fresh.next().value;

beforeEach(async () => {
  driver = await product.login({ id: drivers.next().value });
});

/** Calls for first pages; the next page may be fetched ahead in the background. */
function listCalls() {
  const lists = product.simulators.cargotech.entries.filter((entry) => entry.path === '/v2/cargos/views');
  return lists.filter((entry) => entry.query.offset === '0').length;
}

test('the first list is a miss, the second a hit: one login and one list call upstream', async () => {
  const first = await driver.get('/api/v1/cargos');
  assert.equal(first.status, 200);
  assert.equal(first.headers['x-cache'], 'MISS');
  assert.equal(first.json.cache, 'miss');
  assert.equal(listCalls(), 1);
  const second = await driver.get('/api/v1/cargos');
  assert.equal(second.headers['x-cache'], 'HIT');
  assert.deepEqual(second.json.cards, first.json.cards);
  assert.equal(listCalls(), 1);
  assert.equal(product.counts('cargotech')['POST /v1/auth/login'], 1);
});

test('drivers who ask the same share one upstream call, also at the same moment', async () => {
  const others = [];
  for (let n = 0; n < 5; n++) others.push(await product.login({ id: drivers.next().value }));
  const query = next();
  const before = listCalls();
  const answers = await Promise.all(others.map((one) => one.get(`/api/v1/cargos?${query}&limit=100`)));
  assert.ok(answers.every((answer) => answer.status === 200 && answer.json.cards.length > 0));
  assert.equal(listCalls() - before, 1);
});

test('a page has its cards and says how many there are and where to go on', async () => {
  const { json } = await driver.get('/api/v1/cargos?mode=my&limit=10&offset=10');
  const { meta, cards } = json;
  assert.equal(cards.length, 10);
  assert.equal(meta.limit, 10);
  assert.equal(meta.offset, 10);
  assert.equal(meta.next_offset, 20);
  assert.equal(meta.loaded, 20);
  assert.ok(meta.total > 20);
  const [card] = cards;
  assert.match(card.id, /^\d+$/);
  assert.equal(card.title, `${card.route.from} → ${card.route.to}`);
  assert.match(card.price, /^[\d ]+(,\d\d)? ₽$|^—$/);
  assert.ok(Array.isArray(card.tags));
});

test('required parameters always go upstream, filters in their place', async () => {
  await driver.get('/api/v1/cargos?mode=all&start_point_id=70&weight_volume=15-65&load_types=1,3&start_date=2026-12-01');
  const { requests } = await cargotech.get('log');
  const { query } = requests.findLast((request) => request.path === '/v2/cargos/views' && request.query['filter[start_point_id]'] === '70');
  assert.equal(query.include, 'contacts');
  assert.equal(query['filter[mode]'], 'all');
  assert.equal(query['filter[user_id]'], '0');
  assert.equal(query['filter[start_point_type]'], '2');
  assert.equal(query['filter[start_point_radius]'], '50');
  assert.equal(query['filter[wv]'], '15-65');
  assert.equal(query['filter[load_types]'], '1,3');
  assert.equal(query['filter[start_date]'], '2026-12-01');
});

test('malformed cargos do not break the page', async () => {
  const { status, json } = await driver.get('/api/v1/cargos?mode=all&limit=100');
  assert.equal(status, 200);
  assert.ok(json.cards.every((card) => /^[1-9]\d*$/.test(card.id)));
  const ids = json.cards.map((card) => card.id);
  for (const id of ['481517', '481518', '481519', '481520', '481521']) assert.ok(ids.includes(id), `card ${id}`);
  const strange = json.cards.find((card) => card.id === '481519');
  assert.equal(strange.price, '—');
  assert.equal(json.cards.find((card) => card.id === '481518').price, '352,50 ₽');
});

test('every invalid filter is named at once with 400', async () => {
  const { status, json } = await driver.get('/api/v1/cargos?limit=0&offset=x&mode=none&weight_volume=15-&start_date=2026-02-30&load_types=1,&price=5,1&unknown=1');
  assert.equal(status, 400);
  assert.equal(json.code, 'invalid_filter');
  const fields = json.errors.map((error) => error.field).sort();
  assert.deepEqual(fields, ['limit', 'load_types', 'mode', 'offset', 'price', 'start_date', 'weight_volume']);
});

test('an expired upstream token is renewed once and the call repeated', async () => {
  await driver.get(`/api/v1/cargos?${next()}`);
  const logins = product.simulators.cargotech.logins;
  await cargotech.post('revoke_tokens');
  const { status } = await driver.get(`/api/v1/cargos?${next()}`);
  assert.equal(status, 200);
  assert.equal(product.simulators.cargotech.logins - logins, 1);
});

test('a hiccup upstream is retried', async () => {
  await cargotech.post('misbehave', { match: { path: '/v2/cargos/views' }, action: 'status', status: 503 });
  const { status } = await driver.get(`/api/v1/cargos?${next()}`);
  assert.equal(status, 200);
});

test('garbage from upstream is 502 when nothing is stored, with no word of upstream', async () => {
  await cargotech.post('misbehave', { match: { path: '/v2/cargos/views' }, times: 4, action: 'garbage' });
  const { status, json, text } = await driver.get(`/api/v1/cargos?${next()}`);
  await product.simulators.cargotech.misbehaviour.clear();
  assert.equal(status, 502);
  assert.equal(json.code, 'upstream_unavailable');
  assert.doesNotMatch(text, /cargotech|127\.0\.0\.1|lua/i);
});

test('the detail shows comment and addresses; contacts stay locked without access', async () => {
  const { json } = await driver.get('/api/v1/cargos?mode=my');
  const { status, json: detail } = await driver.get(`/api/v1/cargos/${json.cards[0].id}`);
  assert.equal(status, 200);
  assert.equal(detail.id, json.cards[0].id);
  assert.ok('comment' in detail && 'loading_address' in detail);
  assert.deepEqual(detail.locked, ['contact']);
  assert.equal(detail.contact.phone, null);
  assert.doesNotMatch(detail.comment ?? '', /888-77-66/);
});

test('a cargo that is gone is 404, a malformed id 400', async () => {
  const gone = await driver.get('/api/v1/cargos/999999999');
  assert.equal(gone.status, 404);
  assert.equal(gone.json.code, 'cargo_not_found');
  for (const id of ['abc', '1%3Fx=1', '-5', '1234567890123456789', '%20', '1%20', '1.0', '%D9%A1', '%01']) {
    const { status, json } = await driver.get(`/api/v1/cargos/${id}`);
    assert.equal(status, 400, id);
    assert.equal(json.code, 'invalid_cargo_id');
  }
});

test('prices of seen cargos come with those that are gone', async () => {
  const query = 'mode=my&start_point_id=70&start_point_radius=400&limit=100';
  const { json: list } = await driver.get(`/api/v1/cargos?${query}`);
  const ids = list.cards.map((card) => card.id);
  assert.ok(ids.length > 2);
  const { status, json } = await driver.get(`/api/v1/cargos/prices?${query}&seen_ids=${ids.join(',')},1`);
  assert.equal(status, 200);
  assert.equal(json.prices[ids[0]], list.cards[0].price);
  assert.deepEqual(json.gone, ['1']);
});

test('cities are found by name, whatever its case and spaces', async () => {
  const { status, json } = await driver.get(`/api/v1/dictionaries/points?${new URLSearchParams({ q: '  мОСК ' })}`);
  assert.equal(status, 200);
  assert.deepEqual(json.data.map((point) => [point.id, point.name, point.type])[0], [62, 'Москва', 2]);
  const calls = product.counts('cargotech')['GET /v1/dictionaries/points'];
  await driver.get(`/api/v1/dictionaries/points?${new URLSearchParams({ name: 'моск' })}`);
  assert.equal(product.counts('cargotech')['GET /v1/dictionaries/points'], calls);
  assert.equal((await driver.get('/api/v1/dictionaries/points?q=')).text, '{"data":[]}');
});

test('dictionaries of load and truck types are served', async () => {
  const loads = await driver.get('/api/v1/dictionaries/load_types');
  assert.deepEqual(loads.json.data[0], { id: 1, name: 'Задняя', short_name: 'зад' });
  assert.equal((await driver.get('/api/v1/dictionaries/truck_types')).json.data.length, 4);
});

test('entries of a dictionary that are none are left out, the rest is served', async () => {
  const data = [{ id: 1.5, name: 'A' }, { id: '3', name: 'B' }, { id: 0, name: 'C' }, null, 7, { id: 1e300, name: 'D' }, { id: 9, name: 5, type: 2.5 }, { id: 10, name: 'Ту\u0000ла', type: 2.5 }];
  await cargotech.post('misbehave', { match: { path: '/v1/dictionaries/points' }, action: 'status', status: 200, body: { data } });
  const points = await driver.get(`/api/v1/dictionaries/points?${new URLSearchParams({ q: 'странное' })}`);
  assert.equal(points.status, 200);
  assert.deepEqual(points.json, { data: [{ id: 10, name: 'Ту ла', type: 2 }] });
  await product.redis.command('DEL', 'truck_types:all');
  await cargotech.post('misbehave', { match: { path: '/v1/dictionaries/truck_types' }, action: 'status', status: 200, body: { data } });
  const types = await driver.get('/api/v1/dictionaries/truck_types');
  await product.redis.command('DEL', 'truck_types:all');
  assert.deepEqual(types.json?.data, [{ id: 9, name: null, short_name: null }, { id: 10, name: 'Ту ла', short_name: null }]);
});

test('an unchanged list answers 304 to its ETag', async () => {
  const { headers } = await driver.get('/api/v1/cargos');
  assert.equal(headers['cache-control'], 'private, no-cache');
  const again = await driver.get('/api/v1/cargos', { 'if-none-match': headers.etag });
  assert.equal(again.status, 304);
  assert.equal(again.bytes.length, 0);
});

test('so does the list as HTML, whose tag is another one; what is no list is never kept', async () => {
  const html = { 'hx-request': 'true' };
  for (const path of ['/api/v1/cargos', '/api/v1/dictionaries/truck_types', '/api/v1/responses']) {
    const { headers } = await driver.get(path, html);
    assert.match(headers['content-type'], /^text\/html/);
    assert.equal(headers['cache-control'], 'private, no-cache', path);
    assert.equal((await driver.get(path, { ...html, 'if-none-match': headers.etag })).status, 304, path);
    assert.equal((await driver.get(path, { 'if-none-match': headers.etag })).status, 200, `${path} as JSON`);
  }
  const { headers } = await driver.get('/api/v1/paywall', html);
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(headers.etag, undefined);
});
