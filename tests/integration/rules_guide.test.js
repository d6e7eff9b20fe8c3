'use strict';
// The guides for product people, done word for word: every edit they show goes live or is refused with the text they foretell.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { Product } = require('../support/product.js');
const { AppCopy } = require('../support/app_copy.js');
const { ROOT } = require('../support/fura.js');
const guide = require('../support/guide.js');

const GUIDES = ['docs/rules.md', 'docs/ru/rules.md'];

let app, product, driver;
before(async () => {
  app = new AppCopy();
  product = await Product.start({ root: app.root });
  driver = await product.login({ id: 501 });
});
after(async () => {
  await product?.stop();
  app?.close();
});

const page = async (path) => (await driver.get(path, { accept: 'text/html' })).text;

/** What an edit of a file is good for, seen from outside. */
const EFFECTS = {
  'lua/rules/tariffs.lua': async () => {
    const { json } = await product.client.get('/api/v1/tariffs');
    assert.equal(json.data.find(({ name }) => name === '1_month').price_kopecks, 59900);
  },
  'lua/rules/access.lua': async ({ hunks }) => {
    const { features } = (await driver.get('/api/v1/subscription')).json;
    assert.equal(features[hunks[0].from.includes('respond') ? 'respond' : 'view_contacts'], true);
  },
  'lua/rules/texts.lua': async () => assert.match(await page('/paywall'), /Подписка не куплена/),
  'lua/rules/card.lua': async () => {
    const { json } = await driver.get('/api/v1/cargos?mode=all');
    assert.equal(json.cards.find(({ id }) => id === '481517').price, 'Договорная');
  },
};

async function goesLive(edit) {
  const reload = await product.fura.command('reload');
  assert.equal(reload.code, 0, reload.output);
  assert.match(reload.stdout, /^worker 1 generation \d+ ok$/m);
  await EFFECTS[edit.hunks[0].file](edit);
}

/** A guide need not be written anew each time a rule grows by a line. */
const lineless = (text) => text.replace(/:\d+:/g, ':LINE:').replace(/line \d+/g, 'line LINE');

async function isRefused({ refusal }) {
  const check = await product.fura.command('check');
  assert.equal(check.code, 1);
  assert.ok(lineless(check.output).includes(lineless(refusal)), `${refusal}\n— but fura check says\n${check.output}`);
}

for (const file of GUIDES) {
  for (const edit of guide.edits(file)) {
    const what = edit.refusal ? 'is refused as foretold' : 'goes live and is seen by drivers';
    test(`${file}:${edit.line}: the edit of ${edit.hunks[0].file} ${what}`, async () => {
      try {
        guide.apply(app, edit);
        await (edit.refusal ? isRefused : goesLive)(edit);
      } finally {
        app.restore();
      }
    });
  }

  test(`${file}: its pictures are there`, () => {
    const pictures = guide.pictures(file);
    assert.equal(pictures.length, 4);
    for (const picture of pictures) assert.ok(fs.existsSync(path.join(ROOT, picture)), `${picture}: node tests/e2e/guide_pictures.js`);
  });
}
