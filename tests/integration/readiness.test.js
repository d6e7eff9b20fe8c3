'use strict';
// When is a node ready? With pending migrations it says so, and heals by itself once they are applied.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { Product } = require('../support/product.js');
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

test('a node that never reached a database stops as soon as one that did', async () => {
  const alone = new Fura({ env: { DATABASE_URL: undefined, FURA_WORKERS: '1' } });
  await alone.serve({ ready: false });
  const began = Date.now();
  await alone.stop();
  assert.ok(Date.now() - began < 15000, `it took ${Date.now() - began} ms`);
  assert.doesNotMatch(alone.log, /draining took too long/);
});
