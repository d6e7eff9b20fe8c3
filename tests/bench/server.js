'use strict';
// Fura as it is measured: one worker on the server's core, either with the smallest application or as the product.
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { AppCopy } = require('../support/app_copy.js');
const { Fura, SETTINGS } = require('../support/fura.js');
const { Product } = require('../support/product.js');
const { pinServer } = require('./machine.js');

const HELLO_CONF = path.join(__dirname, 'app', 'conf', 'bench.lua');
const PRODUCT_CONF = path.join(__dirname, 'product.conf.lua');
const ENV = { FURA_WORKERS: '1', FURA_RATE_LIMITS: undefined };
const LIST = '/api/v1/cargos?limit=20&mode=all';

const pin = (fura) => pinServer([fura.pid, ...fura.workers()]);

/** The smallest application (app/); gives a Fura. */
async function startHello(env = {}) {
  const bare = Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, undefined]));
  const fura = new Fura({ conf: HELLO_CONF, env: { ...bare, FURA_LISTEN: SETTINGS.FURA_LISTEN, ...env } });
  await fura.serve({ ready: false });
  await pin(fura);
  return fura;
}

const helloTarget = (fura, location = '/hello') => ({ url: fura.client.url + location, pid: fura.workers()[0] });

/** The product with its services and a driver whose list is stored. */
async function startProduct() {
  return warm(await Product.start({ conf: PRODUCT_CONF, env: ENV }));
}

async function warm(product) {
  await pin(product.fura);
  product.driver = await product.login({ id: 501 });
  product.page = await untilStored(product.driver);
  return product;
}

async function untilStored(driver) {
  for (let attempt = 0; attempt < 10; attempt++) {
    const { status, headers, json } = await driver.get(LIST);
    if (status === 200 && headers['x-cache'] === 'HIT') return json;
  }
  throw new Error('the list is never a hit');
}

const listTarget = (product) => ({
  url: product.client.url + LIST, headers: { Authorization: `Bearer ${product.driver.token}` },
  pid: product.fura.workers()[0],
});

const STREAM = { path: '/stream', text: Array.from({ length: 50 }, (_, i) => `${i + 1} `).join('') };
const STREAM_ROUTE = `
  { "GET", "${STREAM.path}", access = "public", unlisted = true, streams = function(write)
    for i = 1, 50 do write(i .. " ") host.task.sleep(10) end
  end },`;

/** The product from a copy whose rules may be edited, with a route that answers slowly. */
async function startEditable() {
  const app = new AppCopy();
  app.write('conf/default.lua', fs.readFileSync(PRODUCT_CONF, 'utf8'));
  app.edit('lua/routes.lua', 'local routes = {', `local routes = {${STREAM_ROUTE}`);
  app.edit('lua/init.lua', '  if route.panel then', '  if route.streams then return { stream = route.streams } end\n  if route.panel then');
  const product = await Product.start({ root: app.root, env: ENV });
  await warm(product);
  const stop = product.stop.bind(product);
  return Object.assign(product, { app, stop: () => stop().finally(() => app.close()) });
}

/** What the peer needs to answer the same driver with the same list: the environment of nginx. */
async function sharePage(product) {
  const { cards, meta, fetched_at } = product.page;
  const hash = crypto.createHash('md5').update(LIST.split('?')[1]).digest('hex');
  await product.redis.command('SET', `bench:page:${hash}`, JSON.stringify({ cards, meta, fetched_at }));
  const [head] = product.driver.token.split('.');
  return {
    BENCH_SESSION_SECRET: SETTINGS.SESSION_SECRET,
    BENCH_SESSION_KID: JSON.parse(Buffer.from(head, 'base64url')).kid,
    BENCH_REDIS_SOCKET: product.redis.socket,
  };
}

module.exports = { LIST, STREAM, helloTarget, listTarget, sharePage, startEditable, startHello, startProduct };
