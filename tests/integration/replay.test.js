'use strict';
// `fura replay`: what an edit would change in the answers to the requests of late, told before it goes live.
const { test, before, after, afterEach } = require('node:test');
const assert = require('node:assert/strict');
const { AppCopy } = require('../support/app_copy.js');
const { Product } = require('../support/product.js');
const { Small, load, until } = require('../support/process.js');

const CARD = 'lua/rules/card.lua';
const LIST = '/api/v1/cargos?limit=5';
const HTML = { 'hx-request': 'true', accept: 'text/html' };

let app;
let product;
let driver;

before(async () => {
  app = new AppCopy();
  product = await Product.start({ root: app.root, env: { FURA_RATE_LIMITS: 'off' } });
  driver = await product.login({ id: 501 });
  assert.equal((await driver.get(LIST)).status, 200);
});

after(async () => {
  await product?.stop();
  app?.close();
});

afterEach(async () => {
  app.restore();
  app.configure('{}');
});

async function replay(...args) {
  const end = await product.fura.command('replay', '--json', ...args);
  return { code: end.code, ...JSON.parse(end.stdout || '{}'), output: end.output };
}

const cardsOf = async (path = LIST) => (await driver.get(path)).json.cards;

/** Make a price of whole roubles end in « р.» instead of « ₽» when it is below a limit. */
function editPrice(limitKopecks) {
  app.edit(CARD, 'return decimal.grouped(roubles, use.thousands, use.point) .. " " .. CURRENCY',
    `return decimal.grouped(roubles, use.thousands, use.point) .. " " .. (kopecks < ${limitKopecks} and "р." or CURRENCY)`);
  app.edit(CARD, 'examples = {', 'examples = nil and {');
}

test('a changed price rule shows exactly the cards it changes, and a reload then answers what was foretold', async () => {
  const cards = await cardsOf();
  const prices = cards.filter((card) => card.price_kopecks).map((card) => card.price_kopecks).sort((a, b) => a - b);
  const limit = prices[Math.floor(prices.length / 2)];
  const changed = cards.filter((card) => card.price_kopecks && card.price_kopecks < limit);
  assert.ok(changed.length > 0 && changed.length < cards.length, 'some cards change and some do not');
  editPrice(limit);

  const end = await product.fura.command('replay', '--route', 'GET /api/v1/cargos');
  assert.equal(end.code, 0, end.output);
  const lines = end.stdout.trimEnd().split('\n');
  const expected = changed.map((card) =>
    `GET ${LIST} driver 501: card ${card.id}: price «${card.price}» → «${card.price.replace('₽', 'р.')}»`);
  assert.deepEqual(lines.slice(0, -1).sort(), expected.sort());
  assert.match(lines.at(-1), new RegExp(`^1 of \\d+ answers? differs: ${changed.length} cards?$`));

  assert.deepEqual(await cardsOf(), cards, 'nothing has changed yet');
  assert.equal((await product.fura.command('reload')).code, 0);
  const now = new Map((await cardsOf()).map((card) => [card.id, card.price]));
  for (const card of cards) {
    assert.equal(now.get(card.id), changed.includes(card) ? card.price.replace('₽', 'р.') : card.price);
  }
  app.restore();
  app.configure('{}');
  assert.equal((await product.fura.command('reload')).code, 0);
});
