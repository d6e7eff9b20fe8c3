'use strict';
// A thousand drivers, ten searches, one account of 600 calls a minute at a CargoTech that takes 700 ms.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');

const DRIVERS = 1000;
const LANES = 100;
const LIST = '/v2/cargos/views';
const SEARCHES = Array.from({ length: 10 }, (_, index) => `/api/v1/cargos?mode=all&start_point_id=62&start_point_radius=${50 + index}`);

let product;
before(async () => {
  product = await Product.start();
  await product.control('cargotech').post('misbehave', { match: { path: LIST }, action: 'delay_ms', delay_ms: 700, times: 0 });
});
after(() => product.stop());

/** Run `work(item)` for all items, so many at a time. */
async function inLanes(items, lanes, work) {
  const left = items.slice().reverse();
  const results = [];
  const lane = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) results.push(await work(item));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}

const percentile = (values, share) => values.sort((a, b) => a - b)[Math.ceil(values.length * share) - 1];

test('a thousand drivers with the same ten searches cost ten list calls and their prefetches', async (context) => {
  const ids = Array.from({ length: DRIVERS }, (_, index) => 1000001 + index);
  const drivers = await inLanes(ids, 20, (id) => product.login({ id }));
  const started = Date.now();
  for (const path of SEARCHES) {
    const answers = await inLanes(drivers, LANES, (driver) => driver.get(path));
    assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [200], path);
    const bodies = new Set(answers.map((answer) => JSON.stringify(answer.json.cards)));
    assert.equal(bodies.size, 1, 'all see the same cards');
  }
  const minutes = Math.max(1, (Date.now() - started) / 60000);

  const lists = product.simulators.cargotech.entries.filter((entry) => entry.path === LIST);
  const first = lists.filter((entry) => entry.query.offset === '0');
  const ahead = lists.filter((entry) => entry.query.offset !== '0');
  const distinct = (entries) => new Set(entries.map((entry) => JSON.stringify(entry.query))).size;
  assert.equal(first.length, SEARCHES.length);
  assert.equal(distinct(first), SEARCHES.length);
  assert.equal(distinct(ahead), ahead.length, 'no page was fetched ahead twice');
  assert.ok(ahead.length <= SEARCHES.length);
  assert.ok(lists.length / minutes < 600);
  assert.ok(lists.every((entry) => entry.status === 200));
  assert.equal(product.counts('cargotech')['POST /v1/auth/login'], 1);

  const samples = await inLanes(drivers, 10, async (driver) => {
    const asked = performance.now();
    assert.equal((await driver.get(SEARCHES[0])).headers['x-cache'], 'HIT');
    return performance.now() - asked;
  });
  context.diagnostic(`cached list: p50 ${percentile(samples, 0.5).toFixed(1)} ms, p95 ${percentile(samples, 0.95).toFixed(1)} ms`);
});
