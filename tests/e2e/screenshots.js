#!/usr/bin/env node
'use strict';
// Pictures of the Mini App's screens and states, to be looked at: node tests/e2e/screenshots.js [FOLDER] [NAME…]
// They land in .data/screenshots, light and dark.
const fs = require('node:fs');
const path = require('node:path');
const { AppCopy } = require('../support/app_copy.js');
const { Product } = require('../support/product.js');
const { MiniApp, ask, cards, openCargo, press, toPayment, untilListed } = require('../support/mini_app.js');
const { until } = require('../support/client.js');

const [folder = path.resolve(__dirname, '../../.data/screenshots'), ...wanted] = process.argv.slice(2);
const PAID = { id: 602, first_name: 'Иван', language_code: 'ru' };
let lastId = 6000; // each picture has a driver of its own, whose filters nobody else remembers

const misbehave = (product, name, rule) => product.control(name).post('misbehave', rule);

/** name → [width, height, what to do once the page of `driver` is open] */
const SHOTS = {
  '01-skeleton': { width: 320, height: 568, async take(page) { await page.waitForSelector('.skeleton'); }, before: (product) => misbehave(product, 'cargotech', { match: { path: '/v2/cargos/views*' }, times: 1, action: 'delay_ms', delay_ms: 8000 }), early: true },
  '02-list-320': { width: 320, height: 568, take: untilListed },
  '03-list-filters': { async take(page) {
    await untilListed(page);
    await ask(page, { mode: 'all', start_point_id: 62, start_point_type: 2, start_point_name: 'Москва', start_point_radius: 500, weight_volume: '20-83', truck_types: '4' });
    await page.waitForSelector('#filter-chips .chip');
  } },
  '04-nasty': { width: 320, height: 700, async take(page) {
    await untilListed(page);
    await ask(page, { mode: 'all' });
    await page.waitForSelector('#cargo-card-481517');
    await page.locator('#cargo-card-481517').scrollIntoViewIfNeeded();
  } },
  '07-empty-filtered': { async take(page) {
    await untilListed(page);
    await ask(page, { mode: 'all', price: '99999000000,99999900000', start_date: '2030-01-01' });
    await page.waitForSelector('.empty');
  } },
  '09-end': { width: 320, height: 568, async take(page) {
    await untilListed(page);
    await ask(page, { mode: 'my', start_point_id: 62, start_point_type: 2, start_point_name: 'Москва', start_point_radius: 0 });
    await page.waitForFunction(() => document.querySelector('#filter-chips .chip'));
    await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
  } },
  '10-prices': { async take(page) {
    await untilListed(page);
    const [first, second] = await cards(page).evaluateAll((all) => all.map((card) => card.id.slice(11)));
    const body = `<p class="price num" id="cargo-price-${first}" hx-swap-oob="true">99 000 ₽</p>
      <span id="card-gone-${second}" hx-swap-oob="true" data-gone="${second}"><span class="badge gone">Уже забрали</span></span>`;
    await page.route('**/api/v1/cargos/prices*', (route) => route.fulfill({ contentType: 'text/html', body }));
    await page.evaluate(() => window.telegramEmit('activated'));
    await page.waitForSelector('.card.gone');
  } },
  '11-filters': { width: 320, height: 568, async take(page) { await untilListed(page); await page.click('.bar [data-open=filters]'); await page.waitForSelector('.types .chip'); } },
  '11-filters-390': { async take(page) { await untilListed(page); await page.click('.bar [data-open=filters]'); await page.waitForSelector('.types .chip'); } },
  '11-filters-chosen': { async take(page) {
    await untilListed(page);
    await page.click('.bar [data-open=filters]');
    await page.locator('#start-city').pressSequentially('моск', { delay: 30 });
    await page.locator('#start-cities [role=option]').first().click();
    await page.click('[data-date]');
    await page.click('#filters summary');
    await page.fill('[data-range=price]', '12000');
    await page.evaluate(() => { document.activeElement.blur(); document.querySelector('#filters-box').scrollTop = 0; });
  } },
  '12-city': { width: 320, height: 568, async take(page) {
    await untilListed(page);
    await page.click('.bar [data-open=filters]');
    await page.locator('#start-city').pressSequentially('моск', { delay: 30 });
    await page.waitForSelector('#start-cities [role=option]');
    await page.keyboard.press('ArrowDown');
  } },
  '13-detail-paid': { driver: PAID, async take(page) { await untilListed(page); await openCargo(page); } },
  '14-detail-end': { driver: PAID, width: 320, height: 568, async take(page) {
    await untilListed(page);
    await openCargo(page, cards(page).nth(3));
    await page.evaluate(() => { const box = document.querySelector('#sheet-box'); box.scrollTop = box.scrollHeight; });
  } },
  '15-detail-locked': { async take(page) { await untilListed(page); await openCargo(page); } },
  '16-response-step': { driver: PAID, async take(page) {
    await untilListed(page);
    await openCargo(page);
    await press(page, 'MainButton');
    await page.waitForSelector('#resp-title');
  } },
  '16-responses-news': { driver: { id: 603, first_name: 'Олег' }, before: (product) => answerFive(product, 603), async take(page) { await untilListed(page); } },
  '16-responses-statuses': { driver: { id: 603, first_name: 'Олег' }, before: (product) => answerFive(product, 603), async take(page) {
    await untilListed(page);
    await page.click('[data-root=responses][data-act]');
    await page.waitForSelector('.resp-card');
  } },
  '17-responses-empty': { async take(page) { await untilListed(page); await page.click('[data-root=responses][data-act]'); await page.waitForSelector('#responses .empty'); } },
  '18-paywall': { width: 320, height: 640, async take(page) { await untilListed(page); await page.click('.bar a'); await page.waitForSelector('.tariff'); } },
  '18-paywall-receipt': { width: 320, height: 568, before: (product) => product.fura.commandWith('{"vat_code":1}', 'settings', 'set', 'receipts'), async take(page) {
    await untilListed(page);
    await until(async () => {
      await page.click('.bar a');
      await page.waitForSelector('.tariff');
      if (await page.locator('#pay-form [type=email]').count()) return true;
      await press(page, 'BackButton');
      return false;
    }, { what: 'receipts' });
  }, after: (product) => product.fura.command('settings', 'unset', 'receipts') },
  '18-paywall-key': { driver: PAID, async take(page) {
    await untilListed(page);
    await page.click('.bar a');
    await page.click('.key summary');
    await page.click('#access-key button');
    await page.waitForSelector('.key-text');
    await page.click('.history summary');
  } },
  '18-paywall-active': { driver: PAID, async take(page) { await untilListed(page); await page.click('.bar a'); await page.waitForSelector('.tariff'); } },
  '18-paywall-page': { path: '/paywall', driver: PAID, async take(page) { await page.waitForSelector('.tariff'); } },
  '19-waiting': { take: toPayment },
  '19-paid': { driver: { id: 604 }, async take(page, product) { await pay(page, product, 'pay'); await page.waitForSelector('.mark.ok'); } },
  '19-failed': { driver: { id: 605 }, async take(page, product) { await pay(page, product, 'refuse'); await page.waitForSelector('.mark.fail'); } },
  '20-return': { outside: true, path: '/payments/return?payment=00000000-0000-4000-8000-000000000000', async take(page) { await page.waitForSelector('.edge'); } },
  '20-outside': { outside: true, async take(page) { await page.waitForSelector('.edge h1'); } },
  '21-desktop': { driver: PAID, width: 820, height: 900, async take(page) { await untilListed(page); await openCargo(page, cards(page).nth(1)); } },
  '21-desktop-paywall': { width: 820, height: 900, async take(page) { await untilListed(page); await page.click('.bar a'); await page.waitForSelector('.tariff'); } },
  '21-desktop-filters': { width: 820, height: 900, async take(page) { await untilListed(page); await page.click('.top [data-open=filters]'); await page.waitForSelector('.types .chip'); } },
  '22-garish': { theme: 'garish', async take(page) { await untilListed(page); } },
  '22-garish-detail': { theme: 'garish', async take(page) { await untilListed(page); await openCargo(page); } },
  '30-english': { driver: { id: 606, first_name: 'Ann', language_code: 'en' }, async take(page) { await untilListed(page); await openCargo(page); } },
  '31-large-text': { width: 320, height: 640, async take(page) { await untilListed(page); await page.evaluate(() => { document.documentElement.style.fontSize = '200%'; }); } },
  '06-offline': { async take(page) { await untilListed(page); await page.context().setOffline(true); await page.waitForSelector('#offline:not([hidden])'); } },
  '32-maintenance': { before: (product) => product.use('{ maintenance = { back_at = "15:30" } }'), after: (product) => product.use('{}'),
    async take(page) { await page.waitForSelector('.edge h1'); } },
  '05-stale': { last: true, before: stale, async take(page) { await page.waitForSelector('#results .strip'); } },
  '08-feed-down': { last: true, async take(page) {
    await page.waitForSelector('#results');
    await ask(page, { mode: 'all', start_date: '2029-01-01' });
    await page.waitForSelector('.problem');
  } },
};

async function pay(page, product, how) {
  await product.control('yookassa').post(how, { id: await toPayment(page) });
  await page.waitForTimeout(300);
  await page.evaluate(() => window.htmx.trigger('#pay-state', 'fura:check'));
}

/** One response of each status. */
async function answerFive(product, id) {
  if (answerFive.done) return;
  answerFive.done = true;
  const driver = await product.login({ id });
  await product.buyAccess(driver);
  const { json } = await driver.get('/api/v1/cargos?mode=my');
  for (const card of json.cards.slice(0, 6)) await driver.post('/api/v1/responses', { cargo_id: card.id, phone: '+79998887766', name: 'Олег' });
  await until(async () => (await driver.get('/api/v1/responses')).json.data.every((one) => one.status === 'sent'), { what: 'all sent', timeoutMs: 60000 });
  const statuses = ['queued', 'sent', 'accepted', 'rejected', 'completed', 'failed'];
  for (const [index, status] of statuses.entries()) {
    await product.postgres.query(`ALTER TABLE responses DISABLE TRIGGER USER;
      UPDATE responses SET updated_at = now(), status = '${status}'${status === 'failed' ? ", failure = 'the chat is gone'" : ''} WHERE driver_id = ${id} AND cargo_id = '${json.cards[index].id}';
      ALTER TABLE responses ENABLE TRIGGER USER`);
  }
}

async function stale(product) {
  await product.control('cargotech').post('misbehave', { match: { path: '/v2/cargos/views*' }, times: 1000, action: 'status', status: 503 });
}

async function shoot(app, name, shot, theme) {
  const { width = 390, height = 844, path: where = '/' } = shot;
  const driver = shot.driver ?? { id: ++lastId, first_name: 'Пётр', language_code: 'ru' };
  await shot.before?.(app.product);
  const device = { colorScheme: theme === 'dark' ? 'dark' : 'light' };
  const page = shot.outside
    ? await app.openOutside({ path: where, width, height, device })
    : await app.open({ driver, path: where, theme: shot.theme ?? theme, width, height, device });
  page.setDefaultTimeout(10000);
  try {
    await shot.take(page, app.product);
    await page.evaluate(() => new Promise((done) => setTimeout(done, 250)));
    await page.screenshot({ path: path.join(folder, `${name}-${theme}.png`) });
    if (page.problems.length) console.error(`${name} ${theme}: ${page.problems.join(' | ')}`);
  } catch (error) {
    console.error(`${name} ${theme}: ${error.message.split('\n')[0]}`);
    await page.screenshot({ path: path.join(folder, `${name}-${theme}-failed.png`) });
  }
  await page.context().close();
  await shot.after?.(app.product);
}

/** A copy whose lists are fresh for a second only: a broken feed shows soon. */
async function start(copy) {
  const configure = (plugins) => copy.configure(plugins, 'cache = { list_s = 1 },\n');
  configure('{}');
  const product = await Product.start({ root: copy.root, env: { FURA_RATE_LIMITS: 'off' } });
  product.use = (plugins) => {
    configure(plugins);
    return product.fura.command('reload');
  };
  return product;
}

async function main() {
  fs.mkdirSync(folder, { recursive: true });
  const copy = new AppCopy();
  const product = await start(copy);
  const app = await MiniApp.start(product);
  try {
    await product.buyAccess(await product.login(PAID));
    for (const [name, shot] of Object.entries(SHOTS)) {
      if (wanted.length && !wanted.some((one) => name.startsWith(one))) continue;
      for (const theme of shot.theme ? ['light'] : ['light', 'dark']) await shoot(app, name, shot, theme);
    }
  } finally {
    await app.close();
    await product.stop();
    copy.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
