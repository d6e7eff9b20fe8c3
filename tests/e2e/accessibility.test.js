'use strict';
// Every screen and state at 320 px, in both schemes and in a theme that cannot be read as it is: no fault that axe finds.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const path = require('node:path');
const { AxeBuilder } = require('@axe-core/playwright');
const { Product } = require('../support/product.js');
const { MiniApp, openCargo, press, untilListed } = require('../support/mini_app.js');

const PAID = { id: 802, first_name: 'Иван' };
const tap = (selector, then) => async (page) => {
  await untilListed(page);
  await page.click(selector);
  await page.waitForSelector(then);
};
const NOTHING = { mode: 'all', start_date: '2031-01-01' };

const STATES = {
  'the list': { garish: true, reach: untilListed },
  'the list that is empty': { reach: async (page) => {
    await untilListed(page);
    await page.evaluate((filters) => window.htmx.ajax('GET', `/api/v1/cargos?${new URLSearchParams(filters)}`, { target: '#results', swap: 'outerHTML' }), NOTHING);
    await page.waitForSelector('.empty');
  } },
  'the list while offline': { reach: async (page) => {
    await untilListed(page);
    await page.context().setOffline(true);
    await page.waitForSelector('#offline:not([hidden])');
  } },
  'the filters': { garish: true, reach: tap('[data-open=filters]', '.types .chip') },
  'the city field': { reach: async (page) => {
    await tap('[data-open=filters]', '.types .chip')(page);
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
  'the responses': { reach: tap('[data-act=root][data-root=responses]', '#responses-title') },
  'the subscription in a layer': { garish: true, reach: tap('.bar a', '.tariff') },
  'the subscription as a page': { driver: PAID, path: '/paywall', reach: async (page) => { await page.waitForSelector('.tariff'); } },
  'waiting for a payment': { reach: async (page) => {
    await tap('.bar a', '.tariff')(page);
    await press(page, 'MainButton');
    await page.waitForSelector('#pay-state');
  } },
  'the return page': { outside: true, path: '/payments/return', reach: (page) => page.waitForSelector('.edge') },
  'a browser outside of Telegram': { outside: true, reach: (page) => page.waitForSelector('.edge') },
};

let product;
let app;

before(async () => {
  product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' }, conf: path.join(__dirname, 'conf/unwatched.lua') });
  app = await MiniApp.start(product);
  await product.buyAccess(await product.login(PAID));
});
after(async () => {
  await app?.close();
  await product?.stop();
});

const describe = ({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join('; ')}`;

let lastId = 8100; // a driver for each, whose filters nobody else remembers
for (const theme of ['light', 'dark', 'garish']) {
  for (const [name, { driver = { id: ++lastId, first_name: 'Пётр' }, path: where = '/', outside, garish, reach }] of Object.entries(STATES)) {
    if (theme === 'garish' && !garish) continue;
    test(`${name}, ${theme}: axe finds nothing, nothing is wider than the screen`, async () => {
      const device = { colorScheme: theme === 'dark' ? 'dark' : 'light' };
      const page = outside
        ? await app.openOutside({ path: where, width: 320, height: 640, device })
        : await app.open({ driver, path: where, theme, width: 320, height: 640, device });
      await reach(page);
      await page.evaluate(() => Promise.all(document.getAnimations().map((one) => one.animationName === 'rise' && one.finished)));
      const { violations } = await new AxeBuilder({ page }).analyze();
      assert.deepEqual(violations.map(describe), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 320), 'no side scroll');
      await page.context().close();
    });
  }
}
