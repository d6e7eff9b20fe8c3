'use strict';
// The plans of PostgreSQL for everything the panel shows and for what money takes, on tables large enough to tell: nothing reads a
// table through. How fast a million rows are is measured by tests/bench/money.js.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { Panel } = require('../support/panel.js');
const { fillTables } = require('../support/big_tables.js');
const { TELLING, heavyScans, plansOf } = require('../support/plans.js');
const { walk } = require('../support/panel_walk.js');

const ROWS = 50000;
const MOST = 25000; // lists count to 10,000 among what a filter lets through; a whole table is more
const LANES = 4;
let product, panel;

before(async () => {
  product = await Product.start({ serve: false, postgres: TELLING, env: { FURA_RATE_LIMITS: 'off' } });
  await fillTables(product.postgres, { payments: ROWS });
  await product.fura.serve();
  await product.connectWebhooks();
  panel = await Panel.of(product, 'boss');
});
after(() => product?.stop());

test('no list, filter, order, page, search or summary of the panel reads a table through', async () => {
  let addresses = 0;
  const addressesLeft = walk(panel, product.postgres);
  const lane = async () => {
    for await (const { kind, path } of addressesLeft) {
      if (kind === 'csv') continue; // asks what its list asks
      assert.ok([200, 303].includes((await panel.get(path)).status), path);
      addresses += 1;
    }
  };
  const plans = await plansOf(product.postgres, () => Promise.all(Array.from({ length: LANES }, lane)));
  assert.ok(addresses > 250, `${addresses} addresses`);
  assert.ok(plans.length > addresses, `${plans.length} plans`);
  // A summary of a year adds that year up, a day at a time from an index alone.
  assert.deepEqual(heavyScans(plans, MOST), []);
});

test('paying, notifying, refunding and using a code read no table through', async () => {
  await product.postgres.query("INSERT INTO promo_codes (code, action, days, max_uses, valid_from, valid_until) VALUES ('PLANNED1', 'extend_30', 30, 9, now(), now() + interval '1 day')");
  const driver = await product.login({ id: 4701 });
  const plans = await plansOf(product.postgres, async () => {
    const { payment_id: id } = await product.buyAccess(driver);
    assert.equal((await driver.post('/api/v1/promocodes/apply', { code: 'PLANNED1' })).status, 200);
    assert.equal((await driver.get('/api/v1/payments')).status, 200);
    const { text } = await panel.get(`/admin/payments/${id}`);
    const key = /name="key" value="([^"]+)"/.exec(text)[1];
    assert.equal((await panel.send(`/admin/payments/${id}/refund`, { amount: '100', reason: 'план', key })).status, 303);
    const form = { action: 'extend_30', code: 'PLANNED2', max_uses: '3', valid_from: new Date().toISOString().slice(0, 10), valid_until: '2099-01-01' };
    assert.equal((await panel.send('/admin/promo-codes', form)).status, 303);
    for (const job of ['payments.inbox', 'payments.reconcile', 'subscriptions.expiring']) assert.equal((await product.fura.command('jobs', 'run', job)).code, 0);
  });
  assert.ok(plans.some(({ query }) => /subscription_grants/.test(query)));
  assert.deepEqual(heavyScans(plans, MOST), []);
});

test('a plan that reads a table through is found', async () => {
  const plans = await plansOf(product.postgres, () => product.postgres.query("SELECT count(*) FROM payments WHERE confirmation_url LIKE '%42'"));
  assert.deepEqual(heavyScans(plans, MOST).map(({ table, how }) => [table, how]), [['payments', 'Seq Scan']]);
});
