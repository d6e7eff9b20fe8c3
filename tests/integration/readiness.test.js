'use strict';
// When is a node ready? With pending migrations it says so, and heals by itself once they are applied.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { Product } = require('../support/product.js');
const { until } = require('../support/client.js');
const { Fura, ROOT } = require('../support/fura.js');

let product;
before(async () => {
  product = new Product();
  await product.startServices({});
  product.fura = new Fura({ env: product.serviceEnv() });
  await product.fura.serve({ ready: false });
});
after(() => product.stop());

test('a node with pending migrations names them and is ready once they are applied', async () => {
  const { status, json } = await product.client.get('/readyz');
  assert.equal(status, 503);
  assert.equal(json.code, 'not_ready');
  assert.ok(json.failing.includes('migrations'), JSON.stringify(json));
  const known = fs.readdirSync(path.join(ROOT, 'migrations')).filter((file) => file.endsWith('.sql')).sort();
  assert.deepEqual(json.migrations, { count: known.length, first: path.parse(known[0]).name });
  assert.equal((await product.client.get('/readyz?serve=1')).status, 200);
  await product.fura.migrate();
  await product.fura.untilReady();
});

/** What operations look at, whatever has happened so far. */
const FIGURES = [
  'fura_http_requests_total', 'fura_http_request_seconds_bucket', 'fura_waits_total', 'fura_wait_seconds_total', 'fura_pg_up', 'fura_pg_idle',
  'fura_pg_busy', 'fura_pg_waiting', 'fura_redis_up', 'fura_breaker_open', 'fura_upstream_calls_total', 'fura_cache_total', 'fura_outbox_waiting',
  'fura_outbox_oldest_seconds', 'fura_logins_total', 'fura_rule_calls_total', 'fura_worker_cpu_seconds', 'fura_generation', 'fura_reloads_total',
  'fura_worker_script_bytes',
];

test('a driver who looked at the list has left its traces in every figure of /metrics', async () => {
  const driver = await product.login({ id: 7301 });
  assert.equal((await driver.get('/api/v1/cargos')).status, 200);
  let missing;
  await until(async () => {
    const { text } = await product.client.get('/metrics');
    const names = new Set(text.split('\n').map((line) => line.match(/^[a-z_]+/)?.[0]));
    missing = FIGURES.filter((name) => !names.has(name));
    return missing.length === 0;
  }, { what: 'all figures' }).catch(() => assert.deepEqual(missing, []));
  const { text } = await product.client.get('/metrics');
  assert.match(text, /^fura_pg_up\{worker="1"\} 1$/m);
  assert.match(text, /^fura_redis_up\{worker="1"\} 1$/m);
  assert.match(text, /^fura_breaker_open\{service="cargotech"\} 0$/m);
  assert.match(text, /^fura_waits_total\{what="pg[^"]*"\} \d+$/m);
});

test('a node that never reached a database stops as soon as one that did', async () => {
  const alone = new Fura({ env: { DATABASE_URL: undefined, FURA_WORKERS: '1' } });
  await alone.serve({ ready: false });
  const began = Date.now();
  await alone.stop();
  assert.ok(Date.now() - began < 15000, `it took ${Date.now() - began} ms`);
  assert.doesNotMatch(alone.log, /draining took too long/);
});
