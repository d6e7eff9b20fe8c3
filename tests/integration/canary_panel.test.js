'use strict';
// A canary of the product: who meets it, what its rules fall back to, and the panel's hold on it.
const { test, before, after, afterEach } = require('node:test');
const assert = require('node:assert/strict');
const { AppCopy } = require('../support/app_copy.js');
const { Product } = require('../support/product.js');
const { Panel } = require('../support/panel.js');
const { until } = require('../support/client.js');

const CARD = 'lua/rules/card.lua';
const TEXTS = 'lua/rules/texts.lua';
const LIST = '/api/v1/cargos?limit=20&mode=all';

let product, application, admin, viewer;
const drivers = new Map();

before(async () => {
  application = new AppCopy();
  product = await Product.start({ root: application.root });
  admin = await Panel.of(product, 'boss');
  viewer = await Panel.of(product, 'guest', '--role', 'viewer');
  for (const id of [7001, 7002]) drivers.set(id, await product.login({ id }));
});
after(async () => {
  await product.stop();
  application.close();
});
afterEach(async () => {
  await product.fura.command('reload', '--withdraw');
  application.restore();
});

const status = async () => JSON.parse((await product.fura.command('status', '--json')).stdout);
const list = (id) => drivers.get(id).get(LIST);
const newest = async (action) => product.postgres.value(
  `SELECT details::text FROM audit_log WHERE action = '${action}' AND actor_id = 'boss' ORDER BY id DESC LIMIT 1`);

/** No example of the rule makes a whole card, so its checks find nothing. */
function breakCards() {
  application.edit(CARD, 'local function format(cargo, language)', 'local function format(cargo, language)\n  error("no card today")');
}

test('a driver is the same driver with a cookie and with a token, on every worker', async () => {
  application.edit(TEXTS, '"Такой страницы нет."', '"Сюда больше не ходят."');
  const end = await product.fura.command('reload', '--canary', 'drivers:7001', '--for', '1h');
  assert.equal(end.code, 0, end.output);
  const texts = async (headers) => (await product.client.get('/api/v1/no-such-page', { 'accept-language': 'ru', ...headers })).text;
  for (let i = 0; i < 10; i += 1) {
    assert.match(await texts({ authorization: `Bearer ${drivers.get(7001).token}` }), /Сюда больше не ходят/);
    assert.match(await texts({ cookie: `fura_session=${drivers.get(7001).token}` }), /Сюда больше не ходят/);
    assert.match(await texts({ authorization: `Bearer ${drivers.get(7002).token}` }), /Такой страницы нет/);
    assert.match(await texts({}), /Такой страницы нет/);
  }
});

test('a rule that fails in a canary is answered by the live source, and the canary is withdrawn with its file and line', async () => {
  const before = (await list(7002)).json;
  assert.ok(before.cards.length > 0);
  await list(7001);
  breakCards();
  assert.equal((await product.fura.command('reload', '--canary', 'drivers:7001', '--for', '1h')).code, 0);
  await until(async () => {
    const answer = await list(7001);
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json.cards.map((cargo) => cargo.price), before.cards.map((cargo) => cargo.price));
    return !(await status()).canary;
  }, { what: 'the canary is withdrawn' });
  const [last] = (await status()).reloads;
  assert.match(last.reason, /^canary drivers:7001 withdrawn: it fails more often/);
  assert.match(last.reason, /\nlua\/rules\/card\.lua:\d+: no card today \(rule card\.format\)/);
  assert.equal((await list(7001)).status, 200);
});

test('a setting changed during a canary is in force on both sides', async () => {
  const shown = async (id) => (await drivers.get(id).get('/api/v1/tariffs')).json.data[0].price_kopecks;
  application.edit(TEXTS, '"Такой страницы нет."', '"Сюда больше не ходят."');
  assert.equal((await product.fura.command('reload', '--canary', 'drivers:7001', '--for', '1h')).code, 0);
  const was = await shown(7001);
  const tariffs = [{ name: '1_month', title: { ru: '1 месяц', en: '1 month' }, days: 30, price_kopecks: was + 100, on_sale: true }];
  const end = await product.fura.commandWith(JSON.stringify(tariffs), 'settings', 'set', 'tariffs');
  assert.equal(end.code, 0, end.output);
  for (const id of [7001, 7002]) await until(async () => await shown(id) === was + 100, { what: `the new price for ${id}` });
  assert.equal((await product.fura.command('settings', 'unset', 'tariffs')).code, 0);
});

test('the panel begins a canary, shows both sides and makes it live', async () => {
  application.edit(TEXTS, '"Такой страницы нет."', '"Сюда больше не ходят."');
  const begun = await admin.send('/admin/rules/canary', { percent: '30', drivers: '', minutes: '10' });
  assert.equal(begun.status, 303, begun.text);
  const page = (await admin.get(begun.headers.location)).text;
  assert.match(page, /Пробное поколение \d+ .*30%/);
  assert.match(page, /Осталось <b>(10:00|9:\d\d)</);
  assert.match(page, /action="\/admin\/rules\/canary\/withdraw"/);
  const guest = (await viewer.get('/admin/rules')).text;
  assert.match(guest, /Пробное поколение/);
  assert.doesNotMatch(guest, /canary\/withdraw/);
  assert.equal((await viewer.send('/admin/rules/canary/withdraw')).status, 403);
  const { canary } = await status();
  const promoted = await admin.send('/admin/rules/canary/promote');
  assert.equal(`${promoted.status} ${promoted.headers.location}`, '303 /admin/rules?done=canary_promoted');
  assert.equal((await status()).generation, canary.generation);
  assert.equal(JSON.parse(await newest('server.canary_begun')).share, '30%');
  assert.equal(JSON.parse(await newest('server.canary_promoted')).generation, canary.generation);
});

test('the panel begins a canary for named drivers and withdraws it, and says when it was over before', async () => {
  const begun = await admin.send('/admin/rules/canary', { percent: '10', drivers: '7001, 7002', minutes: '5' });
  assert.equal(begun.status, 303, begun.text);
  assert.equal((await status()).canary.share, 'drivers:7001,7002');
  assert.match((await admin.get('/admin/rules')).text, /Пробное поколение \d+ .*водители 7001, 7002/);
  assert.equal((await admin.send('/admin/rules/canary/withdraw')).headers.location, '/admin/rules?done=canary_withdrawn');
  assert.equal((await status()).canary ?? null, null);
  assert.ok(await newest('server.canary_withdrawn'));
  assert.match((await admin.get('/admin/rules')).text, /canary drivers:7001,7002 withdrawn: by order/);
  const late = await admin.send('/admin/rules/canary/promote');
  assert.equal(late.status, 409);
  assert.match(late.text, /уже закончилось/);
});

test('edits that do not pass the checks are refused in the panel by file and line', async () => {
  application.edit(CARD, 'local CURRENCY', 'locl CURRENCY');
  const answer = await admin.send('/admin/rules/canary', { percent: '10', minutes: '5' });
  assert.equal(answer.status, 422);
  assert.match(answer.text, /<code><b>lua\/rules\/card\.lua:\d+<\/b><\/code>/);
  const wrong = await admin.send('/admin/rules/canary', { percent: '0', minutes: '5' });
  assert.equal(wrong.status, 422);
  assert.equal((await status()).canary ?? null, null);
});
