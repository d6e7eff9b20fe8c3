'use strict';
// Every screen and state at 320 px, in both schemes and in a theme that cannot be read as it is: no fault that axe finds.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { AxeBuilder } = require('@axe-core/playwright');
const { AppCopy } = require('../support/app_copy.js');
const { until } = require('../support/client.js');
const { Product } = require('../support/product.js');
const { MiniApp, ask, openCargo, press, toPayment, untilListed } = require('../support/mini_app.js');

const PAID = { id: 802, first_name: 'Иван' };
const tap = (selector, then) => async (page) => {
  await untilListed(page);
  await page.click(selector);
  await page.waitForSelector(then);
};
const NOTHING = { mode: 'all', start_date: '2031-01-01' };

/** The shop says how a payment that the page waits for has ended. */
const settled = (how, then) => async (page) => {
  await product.control('yookassa').post(how, { id: await toPayment(page) });
  await page.waitForSelector(then);
};

/** One response of each status, as `id` sees them. */
async function answerAll(id) {
  const statuses = ['queued', 'sent', 'accepted', 'rejected', 'completed', 'failed'];
  await product.postgres.query(`ALTER TABLE responses DISABLE TRIGGER USER;
    INSERT INTO responses (driver_id, cargo_id, code, cargo, status, failure, created_at, updated_at)
    SELECT ${id}, 900 + n, lpad(to_hex(${id} * 10 + n), 20, '0'), '${JSON.stringify(card)}', status,
      CASE status WHEN 'failed' THEN 'gone' END, now() - n * interval '1 minute', now() + interval '1 minute'
    FROM unnest(ARRAY['${statuses.join("','")}']) WITH ORDINALITY AS made (status, n) ON CONFLICT DO NOTHING;
    ALTER TABLE responses ENABLE TRIGGER USER`);
}

const STATES = {
  'the list': { garish: true, reach: untilListed },
  'the list that is empty': { reach: async (page) => {
    await untilListed(page);
    await ask(page, NOTHING);
    await page.waitForSelector('.empty');
  } },
  'the list while offline': { reach: async (page) => {
    await untilListed(page);
    await page.context().setOffline(true);
    await page.waitForSelector('#offline:not([hidden])');
  } },
  'the filters': { garish: true, reach: tap('.bar [data-open=filters]', '.types .chip') },
  'the city field': { reach: async (page) => {
    await tap('.bar [data-open=filters]', '.types .chip')(page);
    await page.fill('#start-city', 'моск');
    await page.waitForSelector('#start-cities [role=option]');
    await page.keyboard.press('ArrowDown');
  } },
  'a locked cargo': { garish: true, reach: async (page) => { await untilListed(page); await openCargo(page); } },
  'an open cargo': { driver: PAID, reach: async (page) => { await untilListed(page); await openCargo(page); } },
  'the response form': { driver: PAID, reach: async (page) => {
    await untilListed(page);
    await openCargo(page);
    await press(page, 'MainButton');
    await page.waitForSelector('#resp-title');
  } },
  'new answers, and the responses of every status': { reach: async (page) => {
    await untilListed(page);
    await answerAll(await page.locator('#app').getAttribute('data-driver'));
    await page.evaluate(() => window.telegramEmit('activated'));
    await page.waitForSelector('#response-count:not([hidden])');
    await checkAll(page);
    await tap('[data-act=root][data-root=responses]', '.resp-card .badge')(page);
  } },
  'no responses': { reach: tap('[data-act=root][data-root=responses]', '#responses-title') },
  'the subscription in a layer': { garish: true, reach: tap('.bar a', '.tariff') },
  'the subscription as a page': { driver: PAID, path: '/paywall', reach: async (page) => { await page.waitForSelector('.tariff'); } },
  'waiting for a payment': { reach: toPayment },
  'a payment that is paid': { garish: true, reach: settled('pay', '#pay-screen .mark.ok') },
  'a payment that failed': { reach: settled('refuse', '#pay-screen .mark.fail') },
  'a session that was replaced': { reach: async (page) => {
    await untilListed(page);
    await product.login({ id: Number(await page.locator('#app').getAttribute('data-driver')) });
    await until(async () => {
      await page.click('.refresh').catch(() => {});
      return page.locator('.edge h1').count();
    }, { what: 'the word that the session is elsewhere' });
  } },
  'the return page': { outside: true, path: '/payments/return', reach: (page) => page.waitForSelector('.edge') },
  'a browser outside of Telegram': { outside: true, reach: (page) => page.waitForSelector('.edge') },
};

/** What everybody sees once the feed is gone: after all the others. */
const BROKEN = {
  'a list that is stale': { garish: true, reach: async (page) => {
    await untilListed(page);
    await product.control('cargotech').post('misbehave', { match: { path: '/v2/cargos/views*' }, times: 0, action: 'status', status: 503 });
    await until(async () => {
      await page.click('.refresh');
      await page.waitForSelector('#results:not([aria-busy])');
      return page.locator('#results .strip.warn').count();
    }, { what: 'the notice of a stale list' });
  } },
  'a feed that is down': { reach: async (page) => {
    await untilListed(page);
    await ask(page, { mode: 'all', start_date: '2032-01-01' });
    await page.waitForSelector('#results.problem');
  } },
};
const CLOSED = {
  'maintenance in the open app': { reach: async (page) => {
    await untilListed(page);
    await close(true);
    await page.click('.refresh');
    await page.waitForSelector('.edge h1');
  } },
  'maintenance at the start': { garish: true, reach: async (page) => {
    await close(true);
    await page.reload();
    await page.waitForSelector('.edge h1');
  } },
};

/** Begin or end the maintenance. */
async function close(is) {
  if (close.now === is) return;
  close.now = is;
  configure(is ? '{ maintenance = { back_at = "15:30" } }' : '{}');
  const end = await product.fura.command('reload');
  assert.equal(end.code, 0, end.output);
}

close.now = false;

let copy;
let product;
let app;
let card; // of a cargo, as responses keep it

/** Lists are fresh for a second only: a broken feed shows soon. */
const configure = (plugins) => copy.configure(plugins, 'cache = { list_s = 1 },\n');

before(async () => {
  copy = new AppCopy();
  configure('{}');
  product = await Product.start({ root: copy.root, env: { FURA_RATE_LIMITS: 'off' } });
  app = await MiniApp.start(product);
  const paid = await product.login(PAID);
  await product.buyAccess(paid);
  [card] = (await paid.get('/api/v1/cargos?mode=my')).json.cards;
});
after(async () => {
  await app?.close();
  await product?.stop();
  copy?.close();
});

const describe = ({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join('; ')}`;

/** No fault that axe finds; nothing sticks out, not even when the text is twice as large. */
async function checkAll(page) {
  await page.evaluate(() => Promise.all(document.getAnimations().map((one) => one.animationName === 'rise' && one.finished)));
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map(describe), []);
  for (const size of ['200%', '']) {
    const width = await page.evaluate((text) => {
      document.documentElement.style.fontSize = text;
      return document.documentElement.scrollWidth;
    }, size);
    assert.ok(width <= 320, `no side scroll (${width} px, text ${size || '100%'})`);
  }
}

let lastId = 8100; // a driver for each, whose filters nobody else remembers
for (const states of [STATES, CLOSED, BROKEN]) for (const theme of ['light', 'dark', 'garish']) {
  for (const [name, { driver = { id: ++lastId, first_name: 'Пётр' }, path: where = '/', outside, garish, reach }] of Object.entries(states)) {
    if (theme === 'garish' && !garish) continue;
    test(`${name}, ${theme}: axe finds nothing, nothing is wider than the screen`, async () => {
      const device = { colorScheme: theme === 'dark' ? 'dark' : 'light' };
      const page = outside
        ? await app.openOutside({ path: where, width: 320, height: 640, device })
        : await app.open({ driver, path: where, theme, width: 320, height: 640, device });
      try {
        await reach(page);
        await checkAll(page);
      } finally {
        await page.context().close();
        await close(false);
      }
    });
  }
}
