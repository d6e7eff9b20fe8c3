'use strict';
// When is a node ready? With pending migrations it says so, and heals by itself once they are applied.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { Fura } = require('../support/fura.js');

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
  assert.equal((await product.client.get('/readyz?serve=1')).status, 200);
  await product.fura.migrate();
  await product.fura.untilReady();
});
