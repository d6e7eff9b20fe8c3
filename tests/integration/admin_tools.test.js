'use strict';
// The panel's tools: drafts of rules, the journal, the cache.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { Product } = require('../support/product.js');
const { Panel, unescape } = require('../support/panel.js');
const { ROOT } = require('../support/fura.js');

let product, admin, viewer;
before(async () => {
  product = await Product.start();
  admin = await Panel.of(product, 'boss');
  viewer = await Panel.of(product, 'guest', '--role', 'viewer');
});
after(() => product.stop());

const RULES = fs.readdirSync(path.join(ROOT, 'lua/rules')).filter((name) => name.endsWith('.lua')).map((name) => name.slice(0, -4));
/** Text of a page without its markup. */
const plain = (html) => html.replace(/<(script|style)[^]*?<\/\1>/g, '').replace(/<[^>]+>/g, ' ').replaceAll('&amp;', '&').replace(/\s+/g, ' ');
const sourceOf = async (name) => unescape(/<textarea id="source"[^>]*>\n([^]*?)<\/textarea>/.exec((await admin.get(`/admin/rules/${name}`)).text)[1]);
const attempt = (name, fields) => admin.send(`/admin/rules/${name}/try`, fields);
const resultOf = (text) => unescape(/id="tried"[^]*?<pre[^>]*>([^]*?)<\/pre>/.exec(text)?.[1] ?? '');
const refusalOf = (text) => plain(/id="refusals"[^]*?<\/div>/.exec(text)?.[0] ?? '');
const generation = async () => (await admin.get('/admin/rules')).text.match(/Поколение<\/dt><dd><b>(\d+)/)[1];

// ---- drafts of rules ----

test('every rule is tried with each of its own samples', async () => {
  for (const name of RULES) {
    const { text } = await admin.get(`/admin/rules/${name}`);
    const samples = [...(/<select id="sample"[^]*?<\/select>/.exec(text)?.[0] ?? '').matchAll(/<option value="(\d+)">/g)].map(([, value]) => value);
    assert.ok(samples.length > 0, name);
    for (const sample of [samples[0], samples.at(-1)]) {
      const answer = await attempt(name, { source: await sourceOf(name), sample, function: 'x', arguments: '' });
      assert.equal(answer.status, 200, `${name} ${sample}: ${refusalOf(answer.text)}`);
      assert.notEqual(resultOf(answer.text), '');
    }
  }
});

test('a draft is tried on a stored cargo, and its card is shown as drivers would see it', async () => {
  const driver = await product.login({ id: 4001 });
  const [card] = (await driver.get('/api/v1/cargos?mode=all')).json.cards;
  const draft = (await sourceOf('card')).replace('return decimal.grouped(roubles, use.thousands, use.point) .. " " .. CURRENCY', 'return "даром"')
    .replace(/ {2}examples = \{[^]*?\n {2}\},\n/, '');
  const answer = await attempt('card', { source: draft, function: 'format', cargo: card.id });
  assert.equal(answer.status, 200);
  assert.match(plain(/class="card-preview"[^]*?<\/div>/.exec(answer.text)[0]), /даром/);
  assert.equal(JSON.parse(resultOf(answer.text)).id, card.id);
  assert.notEqual((await driver.get('/api/v1/cargos?mode=all')).json.cards[0].price, 'даром', 'drivers go on seeing the live rule');
  const gone = await attempt('card', { source: draft, function: 'format', cargo: '999999999999' });
  assert.deepEqual([gone.status, /Такого груза нет/.test(gone.text)], [404, true]);
});

test('a mistake in a draft is told with its file and line, in the text that was typed', async () => {
  const live = await sourceOf('tariffs');
  for (const [draft, place, what] of [
    [`-- a comment\nlocal x = = 1\n${live}`, 'lua/rules/tariffs.lua:2', /=/],
    [live.replace('return {', 'local y = nil\nlocal z = y.field\nreturn {'), /lua\/rules\/tariffs\.lua:\d+/, /nil/],
    [live.replace('{ 49900 }, "499.00"', '{ 49900 }, "500.00"'), /lua\/rules\/tariffs\.lua:\d+/, /example 1: amount: expected 500\.00, got 499\.00|500\.00/],
    ['local nothing = 1', /lua\/rules\/tariffs\.lua:1/, /return \{/],
  ]) {
    const answer = await attempt('tariffs', { source: draft, function: 'amount', arguments: '[1]' });
    assert.equal(answer.status, 422, String(what));
    assert.match(answer.text, /Живое правило не тронуто/);
    assert.match(refusalOf(answer.text), place instanceof RegExp ? place : new RegExp(place));
    assert.match(refusalOf(answer.text), what);
    assert.equal(unescape(/<textarea id="source"[^>]*>\n([^]*?)<\/textarea>/.exec(answer.text)[1]), draft);
  }
  const wrong = await attempt('tariffs', { source: live, function: 'amount', arguments: '{"a":1}' });
  assert.deepEqual([wrong.status, /нужен список JSON/.test(wrong.text)], [422, true]);
});

test('a draft that loops is stopped, wherever it does, and the server goes on', async () => {
  const before = await generation();
  const live = await sourceOf('tariffs');
  for (const bad of ['while true do end', 'local t = {} while true do t[#t % 9 + 1] = {} end']) {
    for (const draft of [`${bad}\n${live}`, live.replace(/amount = /, `looping = function() ${bad} end,\n  amount = `)]) {
      const answer = await attempt('tariffs', { source: draft, function: draft.startsWith(bad) ? 'amount' : 'looping', arguments: '[1]' });
      assert.equal(answer.status, 422, bad);
      assert.match(refusalOf(answer.text), /computed for longer than its budget/);
      assert.match(answer.text, /Черновик остановлен: считал дольше половины секунды/);
      assert.equal((await product.client.get('/api/v1/tariffs')).status, 200);
    }
  }
  assert.equal(await generation(), before);
});

test('a draft that hoards memory is stopped and told of, and the server goes on', async () => {
  const before = await generation();
  const live = await sourceOf('tariffs');
  const bad = 'local s = "x" while true do s = s .. s end';
  for (const draft of [`${bad}\n${live}`, live.replace(/amount = /, `looping = function() local held = ("y"):rep(1e6) ${bad} return held end,\n  amount = `)]) {
    const answer = await attempt('tariffs', { source: draft, function: draft.startsWith(bad) ? 'amount' : 'looping', arguments: '[1]' });
    assert.equal(answer.status, 422);
    assert.match(refusalOf(answer.text), /lua_memory_mb|not enough memory/);
    for (let n = 0; n < 6; n++) assert.equal((await product.client.get('/api/v1/tariffs')).status, 200);
  }
  assert.equal(await generation(), before);
  assert.equal((await attempt('tariffs', { source: live, function: 'amount', arguments: '[1]' })).status, 200);
});

test('a draft reaches neither the world nor the server nor anything of other drivers', async () => {
  const live = await sourceOf('tariffs');
  const peek = async (expression) => {
    const draft = live.replace(/ {2}examples = \{/, `  peek = function() return ${expression} end,\n  examples = {`);
    return attempt('tariffs', { source: draft, function: 'peek', arguments: '[]' });
  };
  assert.equal(resultOf((await peek('"reached"')).text), '"reached"', 'the way works');
  for (const name of ['host', 'require', 'io', 'os', 'debug', 'package', 'ffi', 'jit', 'load', 'loadstring', 'dofile', '_G', 'getfenv', 'setfenv',
    'setmetatable', 'getmetatable', 'rawset', 'rawget', 'collectgarbage', 'coroutine', 'print', 'string.dump', 'newproxy']) {
    const answer = await peek(`tostring(${name})`);
    assert.equal(answer.status, 422, name);
    assert.ok(unescape(refusalOf(answer.text)).includes(`has no '${name.split('.').pop()}'`), `${name}: ${refusalOf(answer.text)}`);
  }
  for (const change of ['(function() string.rep = nil end)()', '(function() table.concat = nil end)()', '(function() leaked = 1 end)()',
    '(function() text.lower = nil end)()']) assert.equal((await peek(change)).status, 422, change);
  assert.equal((await product.client.get('/api/v1/tariffs')).status, 200);
});

test('a viewer reads a rule and tries nothing', async () => {
  const { text, status } = await viewer.get('/admin/rules/card');
  assert.deepEqual([status, /<textarea/.test(text), /<pre[^>]*>[^]*return/.test(text)], [200, false, true]);
  assert.equal((await viewer.send('/admin/rules/card/try', { source: 'x', function: 'format' })).status, 403);
});

// ---- the cache ----

test('the cache page shows the age, size and contents of a driver\'s lists and no secret, and clears that driver\'s only', async () => {
  const [one, two] = [await product.login({ id: 4101 }), await product.login({ id: 4102 })];
  const { cards } = (await one.get('/api/v1/cargos?mode=all')).json;
  await two.get('/api/v1/cargos?mode=all');
  const lists = async (id) => /Списков<\/dt><dd><span class="num">(\d+)/.exec((await admin.get(`/admin/cache?driver=${id}`)).text)[1];
  const { text } = await admin.get('/admin/cache?driver=4101');
  const words = plain(text);
  assert.match(words, /Сессия ✓ совпадает/);
  assert.match(words, /user:4101:cargos:\w+ \d+ с назад \d+ (с|мин) [\d ]+ (КБ|Б) 20/);
  assert.ok(words.includes(cards[0].id));
  assert.match(words, /В Redis \d+ ключей, [\d ,]+ (КБ|МБ)/);
  const token = await product.redis.client?.get?.('cargotech:token');
  for (const secret of [one.token, token].filter(Boolean)) assert.ok(!text.includes(secret));
  assert.equal((await admin.send('/admin/cache/clear', { driver: '4101' })).status, 303);
  assert.deepEqual([await lists(4101), await lists(4102)], ['0', '1']);
  assert.equal((await one.get('/api/v1/me')).status, 200, 'the driver stays in');
  assert.match(plain((await admin.get('/admin/cache?driver=4101')).text), /Списков в кэше нет/);
  assert.match(plain((await admin.get('/admin/cache?driver=abc')).text), /driver/);
});

// ---- the journal ----

test('the journal says in words what every part of the server writes into it', async () => {
  const files = fs.readdirSync(path.join(ROOT, 'lua'), { recursive: true }).filter((name) => name.endsWith('.lua'));
  // What a payment may become, by the table itself: names of actions are made of it.
  const statuses = /CHECK \(status IN\s*\(([^)]+)\)\)/.exec(fs.readFileSync(path.join(ROOT, 'migrations/0008_payments.sql'), 'utf8'))[1]
    .match(/\w+/g).filter((status) => status !== 'pending');
  const written = new Set();
  for (const name of files) {
    const text = fs.readFileSync(path.join(ROOT, 'lua', name), 'utf8');
    if (!/audit\.write|admin_trail|trail\(/.test(text)) continue;
    for (const [said] of text.matchAll(/action = [^,}]*|(?:write_trail|note|finish|change)\([^{)]*/g)) {
      for (const [, action] of said.matchAll(/"([a-z_]+\.[a-z_]+)"/g)) written.add(action);
      for (const [, what] of said.matchAll(/"([a-z_]+\.)" \.\. status/g)) statuses.forEach((status) => written.add(what + status));
    }
  }
  assert.ok(written.size > 45, `${written.size} found`);
  const worded = /<select[^>]*name="action"[^]*?<\/select>/.exec((await admin.get('/admin/audit')).text)[0].match(/(?<=value=")[^"]+/g);
  assert.deepEqual(worded.filter((action) => !written.has(action)), [], 'words for what nobody writes');
  await product.postgres.query(`INSERT INTO audit_log (actor_type, action, target_type, details)
    SELECT 'system', unnest('{${[...written].join(',')}}'::text[]), 'server', '{}'`);
  for (const action of written) {
    const { text } = await admin.get(`/admin/audit?type=system&action=${action}`);
    assert.match(text, new RegExp(`<td[^>]*>[А-ЯЁа-яё][^<]+<small class="muted"><code>${action.replace('.', '\\.')}</code>`), action);
  }
});

test('the journal shows values as people read them: roubles, local time, yes and no, before and after', async () => {
  await product.postgres.query(`INSERT INTO audit_log (actor_type, actor_id, action, target_type, target_id, details) VALUES ('admin', 'reader', 'setting.changed', 'setting', 'tariffs',
    '{"before": {"expires_at": "2026-01-26T08:00:00Z", "on_sale": true, "days": 30}, "after": {"expires_at": "2026-01-27T21:30:00Z", "on_sale": false, "days": 30},
      "amount_kopecks": 129900, "reason": "<b>x</b>"}')`);
  const { text } = await admin.get('/admin/audit?actor=reader');
  const words = plain(text);
  assert.match(words, /до было 26 янв( 2026)? 11:00:00 → стало 28 янв( 2026)? 00:30:00/);
  assert.match(words, /в продаже было да → стало нет/);
  assert.doesNotMatch(words, /дней было/, 'what stayed is not in the difference');
  assert.match(words, /сумма 1 299 ₽/);
  assert.ok(text.includes('&lt;b&gt;x&lt;/b&gt;'));
  assert.match(plain((await admin.get('/admin/audit?actor=nobody-of-that-name')).text), /По фильтру ничего нет/);
  assert.match((await admin.get('/admin/audit?action=flag.changed')).text, /Что: Флаг изменён/, 'the filter in force is named in words');
});

// ---- two at once ----

test('a form that somebody else overtook is not saved unseen: tariffs, flags', async () => {
  const field = (text, name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(text)[1];
  const tariffs = { name_1: 'week', title_1: 'Неделя', days_1: '7', on_sale_1: 'true', order_1: '1', step: 'save' };
  const old = field((await admin.get('/admin/settings')).text, 'version');
  assert.equal((await admin.send('/admin/settings/tariffs', { ...tariffs, price_1: '150', version: old })).status, 303);
  const late = await admin.send('/admin/settings/tariffs', { ...tariffs, price_1: '170', version: old });
  assert.equal(late.status, 409);
  assert.match(plain(late.text), /тарифы изменил кто-то ещё/);
  assert.match(plain(late.text), /было 150 ₽ → стало 170 ₽/, 'what would change now');
  assert.equal((await admin.send('/admin/settings/tariffs', { ...tariffs, price_1: '170', version: field(late.text, 'version') })).status, 303);

  const flag = { enabled: 'true', rollout_percent: '50' };
  const seen = field((await admin.get('/admin/flags')).text, 'seen');
  assert.equal((await admin.send('/admin/flags/responses', { ...flag, seen })).status, 303);
  const missed = await admin.send('/admin/flags/responses', { ...flag, rollout_percent: '10', seen });
  assert.equal(missed.status, 409);
  assert.match(plain(missed.text), /флаг responses тем временем изменил кто-то ещё/);
  assert.equal(await product.postgres.value("SELECT rollout_percent FROM feature_flags WHERE name = 'responses'"), '50');
});
