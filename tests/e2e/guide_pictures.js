#!/usr/bin/env node
'use strict';
// The pictures of docs/rules.md, taken after doing its edits: node tests/e2e/guide_pictures.js
const fs = require('node:fs');
const path = require('node:path');
const { AppCopy } = require('../support/app_copy.js');
const { MiniApp, cards, openCargo, untilListed } = require('../support/mini_app.js');
const { Product } = require('../support/product.js');
const { ROOT } = require('../support/fura.js');
const { addAdmin } = require('../support/panel.js');
const guide = require('../support/guide.js');

const FOLDER = path.join(ROOT, 'docs', 'images');
const PHONE = { driver: { id: 7001, first_name: 'Пётр', language_code: 'ru' }, width: 390, height: 560 };

async function shoot(page, name) {
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished)));
  await page.screenshot({ path: path.join(FOLDER, `${name}.png`) });
}

async function listOfAll(page) {
  await untilListed(page);
  await page.evaluate(() => window.htmx.ajax('GET', '/api/v1/cargos?mode=all', { target: '#results', swap: 'outerHTML' }));
  await untilListed(page);
}

/** By file of the guide's edit: what to look at once it is live. */
const LIVE = {
  'lua/rules/tariffs.lua': async (page) => {
    await untilListed(page);
    await page.click('.bar a');
    await page.waitForSelector('.tariff');
    await shoot(page, 'tariff');
  },
  'lua/rules/access.lua': async (page) => {
    await untilListed(page);
    await openCargo(page);
    await page.locator('#sheet-box').evaluate((box) => { box.scrollTop = box.scrollHeight; });
    await shoot(page, 'access');
  },
  'lua/rules/card.lua': async (page) => {
    await listOfAll(page);
    await cards(page).filter({ hasText: 'Договорная' }).first().scrollIntoViewIfNeeded();
    await shoot(page, 'card');
  },
};

async function shootLive(app, edit) {
  await app.product.fura.command('reload');
  const page = await app.open(PHONE);
  await LIVE[edit.hunks[0].file](page);
  await page.context().close();
}

async function shootRefused({ product, browser }, copy, edit) {
  const olga = await addAdmin(product.fura, 'olga', '--no-totp');
  guide.apply(copy, edit);
  await product.fura.command('reload');
  const device = { viewport: { width: 1000, height: 700 }, hasTouch: false, isMobile: false };
  const page = await browser.open(`${product.client.url}/admin/rules`, {}, device);
  await page.getByLabel('Логин').fill('olga');
  await page.getByLabel('Пароль').fill(olga.password);
  await page.getByRole('button', { name: 'Войти' }).click();
  await page.waitForURL(/admin\/rules/);
  await shoot(page, 'refused');
}

async function main() {
  fs.mkdirSync(FOLDER, { recursive: true });
  const copy = new AppCopy();
  const product = await Product.start({ root: copy.root, env: { FURA_RATE_LIMITS: 'off' } });
  const app = await MiniApp.start(product);
  const all = guide.edits('docs/rules.md');
  try {
    for (const file of Object.keys(LIVE)) {
      const edit = all.find(({ hunks, refusal }) => !refusal && hunks[0].file === file);
      guide.apply(copy, edit);
      await shootLive(app, edit);
      copy.restore();
    }
    await shootRefused(app, copy, all.find(({ refusal }) => refusal));
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
