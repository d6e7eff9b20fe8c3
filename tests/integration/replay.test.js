'use strict';
// `fura replay`: what an edit would change in the answers to the requests of late, told before it goes live.
const { test, before, after, afterEach } = require('node:test');
const assert = require('node:assert/strict');
const { AppCopy } = require('../support/app_copy.js');
const { Product } = require('../support/product.js');
const { Monitor } = require('../support/redis.js');
const { until } = require('../support/process.js');

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

afterEach(() => app.restore());

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
  assert.equal((await product.fura.command('reload')).code, 0);
});

test('the page shows the same cards as the list', async () => {
  const cards = await cardsOf();
  assert.equal((await driver.get(LIST, HTML)).status, 200);
  const [first] = cards.filter((card) => card.price_kopecks);
  editPrice(first.price_kopecks + 1);
  const { code, changes, items } = await replay('--route', 'GET /api/v1/cargos');
  assert.equal(code, 0);
  const below = cards.filter((card) => card.price_kopecks && card.price_kopecks <= first.price_kopecks);
  const places = (kind) => changes.filter((change) => change.where.startsWith(`${kind} `)).map((change) => change.where).sort();
  assert.deepEqual(places('cargo'), below.map((card) => `cargo ${card.id}`).sort());
  assert.deepEqual(places('card'), below.map((card) => `card ${card.id}`).sort());
  assert.deepEqual(items, { card: below.length, cargo: below.length });
  assert.equal(changes.length, 2 * below.length);
});

test('nothing changes anywhere while requests are replayed', async () => {
  await driver.get('/api/v1/me');
  await driver.get('/api/v1/paywall', HTML);
  await driver.get('/api/v1/responses');
  await driver.get('/');
  await driver.post('/api/v1/responses', { cargo_id: '1' });
  editPrice(1e9);
  const compared = () => product.counts('yookassa')['GET /v3/refunds'];
  await until(compared, { what: "the day's comparison with YooKassa's list, which begins soon after the start", timeoutMs: 60000 });
  const tables = ['drivers', 'driver_filters', 'sessions', 'responses', 'payments', 'subscriptions', 'outbox', 'audit_log'];
  const digest = () => Promise.all(tables.map((table) =>
    product.postgres.value(`SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM ${table} AS t`)));
  const rows = await digest();
  const calls = ['cargotech', 'telegram', 'yookassa'].map((name) => product.counts(name));
  const monitor = new Monitor(product.redis);
  await monitor.ready();
  const report = await replay();
  const commands = await monitor.stop();

  assert.ok(report.compared >= 4, report.output);
  assert.equal(Object.values(report.skipped['would write']).length, 1);
  assert.deepEqual(await digest(), rows);
  assert.deepEqual(['cargotech', 'telegram', 'yookassa'].map((name) => product.counts(name)), calls);
  const ofDrivers = commands.filter((line) => /"(user|driver|cargos|copy|rate|lock|flow|session)[:s]/.test(line));
  assert.ok(ofDrivers.some((line) => /"GET" "cargos:page:/.test(line)), `it reads:\n${commands.join('\n')}`);
  assert.deepEqual(ofDrivers.filter((line) => !/^\S+ \[[^\]]*\] "(GET|MGET|TTL|EXISTS)"/.test(line)), []);
});

test('what has run away from the cache is not compared, and nobody is asked for it', async () => {
  const [{ id }] = await cardsOf();
  const path = `/api/v1/cargos/${id}`;
  assert.equal((await driver.get(path)).status, 200);
  const forget = "for _, key in ipairs(redis.call('KEYS', '*' .. ARGV[1] .. '*')) do redis.call('DEL', key) end";
  await product.redis.command('EVAL', forget, '0', id);
  editPrice(1e9);
  const asked = product.counts('cargotech')['GET /v1/carrier/cargos/{id}'];
  const { code, incomparable, changes } = await replay('--route', 'GET /api/v1/cargos/{id}');
  assert.equal(code, 0);
  assert.deepEqual(Object.values(incomparable), [{ [`GET ${path} driver 501`]: 1 }]);
  assert.match(Object.keys(incomparable)[0], /^that need calling http:\/\/127\.0\.0\.1/);
  assert.deepEqual(changes, []);
  assert.equal(product.counts('cargotech')['GET /v1/carrier/cargos/{id}'], asked);
});

test('nothing a client sends makes a replay of it', async () => {
  const { url } = product.client;
  const tries = [
    ['/api/v1/me', { 'x-replay-of': '501', 'replay-of': '501', replay_of: '501', 'x-fura-replay': '501' }],
    ['/api/v1/me?replay_of=501', {}],
    ['/api/v1/me', { cookie: 'replay_of=501; fura_session=501' }],
    ['/api/v1/me', { authorization: 'Replay 501' }],
    ['/api/v1/me', { authorization: 'Bearer 501', 'x-request-id': 'replay' }],
  ];
  for (const [path, headers] of tries) assert.equal((await product.client.get(path, headers)).status, 401, `${url}${path}`);
  assert.equal((await product.client.post('/api/v1/me', { replay_of: '501' })).status, 405);
});

test('a rule that breaks is told with file and line, though its previous version answers', async () => {
  assert.equal((await driver.get(LIST)).status, 200);
  app.edit(CARD, 'local function format(cargo, language)\n', 'local function format(cargo, language)\n  if cargo.distance then error("no distance today") end\n');
  app.edit(CARD, 'examples = {', 'examples = nil and {');
  const end = await product.fura.command('replay', '--route', 'GET /api/v1/cargos');
  assert.equal(end.code, 1, end.output);
  assert.match(end.stdout, /^ERROR logged \d+ times?: rule failed: lua\/rules\/card\.lua:\d+: no distance today$/m);
});

test('sources that a reload would refuse are refused with file and line', async () => {
  app.edit(CARD, 'local CURRENCY = "₽"', 'local CURRENCY = ₽');
  const end = await product.fura.command('replay');
  assert.equal(end.code, 1);
  assert.match(end.stderr, /^lua\/rules\/card\.lua:\d+: /m);
  assert.equal(end.stdout, '');
});

test('without an edit no answer differs', async () => {
  for (const path of [LIST, '/api/v1/me', '/api/v1/paywall', '/api/v1/tariffs', '/']) await driver.get(path);
  for (const path of [LIST, '/api/v1/paywall', '/']) await driver.get(path, HTML);
  const end = await product.fura.command('replay');
  assert.equal(end.code, 0, end.output);
  assert.match(end.stdout, /^\d+ answers compared, none differs$/m);
});

test('plugins come along: what they put into answers is compared, what they do besides is not done', async () => {
  const COUNTER = `return {
    name = "counter", version = "1.0.0", api = 1, stage = "observe", needs = { "redis", "pg", "http", "timer" },
    start = function(self)
      self.host = host
      host.redis.command("INCR", "started")
      host.timer.after(1, function() host.redis.command("INCR", "timed") end)
    end,
    on_request = function() host.redis.command("INCR", "asked") end,
    on_response = function(self, req, res) res.body = res.body:gsub("₽", "MARK") end,
    after_response = function() host.redis.command("INCR", "done") end,
  }\n`;
  app.write('plugins/counter/plugin.lua', COUNTER.replace('MARK', '₽'));
  app.configure('{ counter = {}, slow_requests = { threshold_ms = 1 } }');
  assert.equal((await product.fura.command('reload')).code, 0);
  const [card] = (await cardsOf()).filter((one) => one.price_kopecks);
  const keys = ['started', 'timed', 'asked', 'done'].map((name) => `plugin:counter:${name}`);
  const counts = () => Promise.all(keys.map((key) => product.redis.command('GET', key)));
  await until(async () => (await counts()).every((count) => Number(count) > 0), { what: 'the plugin counted' });
  const counted = await counts();
  app.write('plugins/counter/plugin.lua', COUNTER.replace('MARK', 'р.'));
  const { code, changes, lines } = await replay('--route', 'GET /api/v1/cargos', '--last', '1');
  assert.equal(code, 0, lines?.join('\n'));
  assert.equal(changes.find((change) => change.where === `card ${card.id}`)?.new, card.price.replace('₽', 'р.'), lines.join('\n'));
  assert.deepEqual(await counts(), counted);
  app.restore();
  assert.equal((await product.fura.command('reload')).code, 0);
});
