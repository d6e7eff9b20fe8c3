'use strict';
// What a phone must fetch before it shows anything, and what pages may not contain under our Content-Security-Policy.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const zlib = require('node:zlib');
const { Product } = require('../support/product.js');
const { MiniApp, untilListed } = require('../support/mini_app.js');
const { ROOT } = require('../support/fura.js');

const KB = 1024;
let product;

before(async () => { product = await Product.start({ conf: path.join(__dirname, 'conf/unwatched.lua') }); });
after(() => product?.stop());

test('the first load of the list is at most 60 KB compressed', async () => {
  const app = await MiniApp.start(product);
  try {
    const sizes = {};
    const page = await app.open({ driver: { id: 901 }, path: '/livez' });
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    const urls = {};
    session.on('Network.responseReceived', ({ requestId, response }) => { urls[requestId] = response.url; });
    session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      const url = urls[requestId] ?? '';
      if (url.startsWith(product.client.url)) sizes[new URL(url).pathname] = encodedDataLength;
    });
    await page.goto(`${product.client.url}/#tgWebAppData=${encodeURIComponent(product.initData({ id: 901 }))}&tgWebAppPlatform=android`);
    await untilListed(page);
    const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
    assert.ok(Object.keys(sizes).length >= 5, JSON.stringify(sizes));
    assert.ok(total <= 60 * KB, `${total} bytes: ${JSON.stringify(sizes)}`);
  } finally {
    await app.close();
  }
});

test('our own scripts are at most 8 KB compressed together, the styles 8 KB', async () => {
  const page = await product.client.get('/', { accept: 'text/html' });
  const [boot, script] = ['boot', 'app'].map((name) => page.text.match(new RegExp(`/static/${name}(?:\\.min)?\\.[0-9a-f]+\\.js`))[0]);
  const size = async (url) => {
    const { bytes, headers } = await product.client.get(url, { 'accept-encoding': 'gzip' });
    assert.equal(headers['content-encoding'], 'gzip', url);
    return zlib.gunzipSync(bytes) && bytes.length;
  };
  const scripts = (await size(boot)) + (await size(script));
  assert.ok(scripts <= 8 * KB, `${scripts} bytes`);
  assert.ok(await size(page.text.match(/\/static\/app\.[0-9a-f]+\.css/)[0]) <= 8 * KB);
});

test('no view holds a style attribute, an inline handler or an inline script', () => {
  const folder = path.join(ROOT, 'lua/web/views');
  const views = fs.readdirSync(folder, { recursive: true }).filter((file) => file.endsWith('.html'));
  assert.ok(views.length > 20);
  for (const file of views) {
    const text = fs.readFileSync(path.join(folder, file), 'utf8').replace(/<%.*?%>/gs, '');
    assert.doesNotMatch(text, /\sstyle\s*=/i, file);
    assert.doesNotMatch(text, /\son[a-z]+\s*=/i, file);
    assert.doesNotMatch(text, /\shx-on/i, file);
    assert.doesNotMatch(text, /<script(?![^>]*\ssrc=)/i, file);
    assert.doesNotMatch(text, /<style/i, file);
    assert.doesNotMatch(text, /javascript:/i, file);
  }
});
