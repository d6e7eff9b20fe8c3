'use strict';
// What is fetched for nobody in particular: fresh prices, pages ahead, dictionaries; and the limit it all shares.
const { test, describe, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { AppCopy } = require('../support/app_copy.js');
const { Product } = require('../support/product.js');
const { until } = require('../support/client.js');

const LIST = '/v2/cargos/views';
const POINTS = '/v1/dictionaries/points';
let product;
let radius = 100;

/** A search of its own: {list(limit), prices(ids)} as paths. */
function search() {
  const filters = `mode=all&start_point_id=62&start_point_radius=${++radius}`;
  return {
    list: (limit = 100) => `/api/v1/cargos?${filters}&limit=${limit}`,
    prices: (ids) => `/api/v1/cargos/prices?${filters}&seen_ids=${ids.join(',')}`,
  };
}

const entries = (path = LIST) => product.simulators.cargotech.entries.filter((entry) => entry.path === path);
const control = (what, body) => product.control('cargotech').post(what, body);

/** Stored copies under a pattern become `seconds` older. */
const age = (pattern, seconds) => product.redis.command('EVAL', `for _, key in ipairs(redis.call("KEYS", ARGV[1])) do
  local stamp, text = redis.call("GET", key):match("^([%d%.]+)(\\n.*)$")
  redis.call("SET", key, ("%.3f"):format(tonumber(stamp) - ARGV[2]) .. text, "EX", 80000)
end`, '0', pattern, String(seconds));

describe('with all services there', () => {
  let driver;
  before(async () => {
    product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' } });
    driver = await product.login({ id: 9101 });
  });
  after(() => product.stop());

  test('drivers who poll the prices of one search share its pages', async () => {
    const { list, prices } = search();
    const ids = (await driver.get(list())).json.cards.map((card) => card.id);
    const others = await Promise.all([9102, 9103, 9104].map((id) => product.login({ id })));
    const before = entries().length;
    const answers = await Promise.all(others.map((one) => one.get(prices(ids))));
    for (const { json } of answers) assert.deepEqual([Object.keys(json.prices).length, json.gone], [ids.length, []]);
    assert.equal(entries().length, before, 'the list itself is the page of the prices');
  });

  test('prices older than a minute are refreshed in the background, once for all', async () => {
    const { list, prices } = search();
    const [card] = (await driver.get(list())).json.cards;
    await control('patch', { id: Number(card.id), fields: { price_carrier: 4242000, price: 4242000 } });
    await age('cargos:page:*', 100);
    const before = entries().length;
    const polls = await Promise.all(Array.from({ length: 6 }, () => driver.get(prices([card.id]))));
    for (const poll of polls) assert.equal(poll.status, 200);
    await until(async () => (await driver.get(prices([card.id]))).json.prices[card.id] === '42 420 ₽', { what: 'the new price' });
    assert.equal(entries().length, before + 1);
  });

  test('what the scan did not reach is not called gone', async () => {
    const everything = '/api/v1/cargos/prices?mode=all&seen_ids=1';
    const { json } = await driver.get(everything);
    assert.deepEqual(json, { prices: {}, gone: [] });
    const { json: page } = await driver.get('/api/v1/cargos?mode=all');
    assert.ok(page.meta.total > 300, 'there is more than a scan covers');
  });

  test('a cargo that appeared after the scan is not called gone', async () => {
    const { list, prices } = search();
    const [first] = (await driver.get(search().list())).json.cards;
    await control('vanish', { ids: [Number(first.id)] });
    const { json } = await driver.get(prices([first.id]));
    assert.deepEqual(json.gone, [first.id]);
    await control('reset');
    assert.ok((await driver.get(list(99))).json.cards.some((card) => card.id === first.id));
    assert.deepEqual((await driver.get(prices([first.id]))).json, { prices: {}, gone: [] });
  });

  test('an empty page of a list that is not empty makes nothing gone', async () => {
    const { prices } = search();
    await control('misbehave', { match: { path: LIST }, action: 'status', status: 200, body: { data: [], meta: { size: 137 } } });
    assert.deepEqual((await driver.get(prices(['5']))).json.gone, []);
  });

  test('two hundred ids are looked at, and only ids', async () => {
    const { prices } = search();
    const ids = Array.from({ length: 220 }, (_, index) => 700000 + index);
    assert.equal((await driver.get(prices([...ids, 'x', '-1']))).json.gone.length, 200);
    assert.deepEqual((await driver.get(prices(['x', '']))).json, { prices: {}, gone: [] });
  });

  test('the next page is fetched ahead: who scrolls does not wait', async () => {
    const { list } = search();
    const first = await driver.get(list(5));
    const next = `${list(5)}&offset=${first.json.meta.next_offset}`;
    await until(() => entries().some((entry) => entry.query.offset === '5' && entry.query['filter[start_point_radius]'] === String(radius)), { what: 'the page ahead' });
    await until(async () => Number(await product.redis.command('EVAL', 'return #redis.call("KEYS", "lock:cargos:page:*")', '0')) === 0, { what: 'its end' });
    const before = entries().length;
    assert.equal((await driver.get(next)).headers['x-cache'], 'HIT');
    assert.equal(entries().length - before, 0);
  });

  test('without room in the limit drivers are served and nothing is fetched ahead', async () => {
    const { list } = search();
    const [seconds, micros] = (await product.redis.command('TIME')).split('\n').map(Number);
    await product.redis.command('HSET', 'cargotech:limiter', 'tokens', '12', 'at', String(seconds + micros / 1e6));
    assert.equal((await driver.get(list(5))).status, 200);
    const limited = async () => /upstream_limited_total\{[^}]*\} [1-9]/.test((await product.client.get('/metrics')).text);
    await until(limited, { what: 'the page ahead to be given up' });
    assert.ok(!entries().some((entry) => entry.query.offset === '5' && entry.query['filter[start_point_radius]'] === String(radius)));
  });

  test('cities come degraded while CargoTech is away: the stored ones, or none', async () => {
    const ask = async (q) => (await driver.get(`/api/v1/dictionaries/points?${new URLSearchParams({ q })}`)).json;
    const known = await ask('каз');
    assert.ok(known.data.length > 0);
    await age('cities:*', 90000);
    await control('misbehave', { match: { path: POINTS }, action: 'status', status: 500, times: 3 });
    assert.deepEqual(await ask('Каз'), { ...known, degraded: true });
    assert.deepEqual(await ask('неизвестно'), { data: [], degraded: true });
  });
});

describe('without Redis, on one of four nodes', () => {
  let app;
  before(async () => {
    app = new AppCopy();
    app.configure('{}', '  cluster = { nodes = 4 },\n');
    product = await Product.start({ root: app.root, env: { FURA_RATE_LIMITS: 'off' } });
  });
  after(async () => {
    await product.stop();
    app.close();
  });

  test('a node takes no more than its quarter of the limit', async () => {
    const driver = await product.login({ id: 9201 });
    assert.equal((await driver.get(search().list())).status, 200);
    await product.redis.kill();
    await until(async () => (await product.client.get('/readyz')).status === 503, { what: 'readyz to notice' });
    const started = Date.now();
    const answers = await Promise.all(Array.from({ length: 40 }, () => driver.get(search().list())));
    const tookS = (Date.now() - started) / 1000;
    const sent = entries().filter((entry) => Date.parse(entry.at) >= started).length;
    assert.ok(sent >= 10 && sent <= 15 + (590 - 60) / 60 / 4 * tookS + 1, `${sent} calls in ${tookS} s`);
    assert.ok(answers.every((answer) => [200, 502].includes(answer.status)));
    assert.equal(answers.filter((answer) => answer.status === 200).length, sent);
  });
});
