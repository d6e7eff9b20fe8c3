'use strict';
// The panel's door and walls, for every route of its table: what is added there is tested here without being named.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { Product } = require('../support/product.js');
const { Panel, addAdmin, oneTimeCode } = require('../support/panel.js');
const { ROOT } = require('../support/fura.js');
const { until } = require('../support/client.js');

const TABLE = fs.readFileSync(path.join(ROOT, 'lua/web/admin/routes.lua'), 'utf8');
const UUID = '0f8fad5b-d9cb-469f-a165-70867728950e';
const EXAMPLES = { '/admin/payments/{id}': UUID, '/admin/promo-codes/{code}': 'NOSUCH12', '/admin/jobs/{name}': 'outbox.clean',
  '/admin/flags/{name}': 'responses', '/admin/rules/{name}': 'card', '/admin/plugins/{name}': 'gate' };

/** {method, path} of every route, parameters filled in. */
const ROUTES = [...TABLE.matchAll(/\{ "(\w+)", "([^"]+)", access = "(\w+)"/g)].map(([, method, pattern, access]) => {
  const [start] = Object.keys(EXAMPLES).filter((key) => pattern.startsWith(key));
  return { method, access, pattern, path: pattern.replace(/\{\w+\}/, EXAMPLES[start] ?? '2001') };
});
const POSTS = ROUTES.filter(({ method, access }) => method === 'POST' && access !== 'public');
const GETS = ROUTES.filter(({ method, access }) => method === 'GET' && access !== 'public');

let product, boss, admin, viewer;
before(async () => {
  product = await Product.start();
  boss = await addAdmin(product.fura, 'boss', '--no-totp');
  admin = await new Panel(product.client).login(boss);
  viewer = await Panel.of(product, 'guest', '--role', 'viewer');
  await admin.send('/admin/search'); // both learn their token
  await viewer.send('/admin/search');
});
after(() => product.stop());

const fresh = () => new Panel(product.client);
const calm = () => product.postgres.query('DELETE FROM admin_login_attempts');
const trail = () => product.postgres.value("SELECT count(*) FROM audit_log WHERE action NOT LIKE 'admin.%'");
const hashOf = (panel) => crypto.createHash('sha256').update(Buffer.from(panel.cookie, 'base64url')).digest('hex');
const session = (panel, change) => product.postgres.query(`UPDATE admin_sessions SET ${change} WHERE token_hash = '\\x${hashOf(panel)}'`);
const isOpen = async (panel) => (await panel.get('/admin/')).status === 200;

test('the table was read as the server reads it', async () => {
  assert.equal(ROUTES.length, TABLE.match(/access = /g).length);
  assert.ok(POSTS.length > 20);
  for (const { method, path: target } of ROUTES) {
    const wrong = method === 'POST' ? await admin.client.request('DELETE', target, { headers: admin.headers }) : undefined;
    if (wrong) assert.equal(wrong.status, 405, target);
  }
});

test('without a session every page and every form leads to the login, and nothing happens', async () => {
  const before = await trail();
  for (const { path: target, method } of [...GETS, ...POSTS]) {
    for (const cookie of [undefined, crypto.randomBytes(32).toString('base64url'), 'x', '']) {
      const panel = fresh();
      panel.cookie = cookie;
      const answer = method === 'GET' ? await panel.get(target) : await panel.form(target, { csrf: admin.csrf });
      assert.equal(answer.status, 303, `${method} ${target}`);
      assert.match(answer.headers.location, /^\/admin\/login/);
      assert.equal(answer.text, '');
    }
  }
  assert.equal(await trail(), before);
});

test('every form needs its session\'s token and a page of ours', async () => {
  const before = await trail();
  const other = await fresh().login(boss);
  await other.send('/admin/search');
  assert.notEqual(other.csrf, admin.csrf);
  for (const { path: target } of POSTS) {
    const refused = async (fields, headers, what) => {
      const answer = await admin.form(target, fields, headers);
      assert.equal(answer.status, 403, `${target} ${what}`);
      assert.match(answer.text, /<h1>Нельзя<\/h1>/);
    };
    await refused({}, {}, 'without a token');
    await refused({ csrf: '' }, {}, 'with an empty token');
    await refused({ csrf: other.csrf }, {}, 'with the token of another session');
    await refused({ csrf: admin.csrf }, { origin: 'https://evil.example' }, 'from another site');
    await refused({ csrf: admin.csrf }, { origin: 'null' }, 'from nowhere');
    const silent = await admin.client.request('POST', target, { body: `csrf=${admin.csrf}`,
      headers: { ...admin.headers, 'content-type': 'application/x-www-form-urlencoded' } });
    assert.equal(silent.status, 403, `${target} without an origin`);
  }
  assert.equal(await trail(), before);
  assert.ok(await isOpen(admin), 'nobody logged it out either');
});

test('a viewer may do nothing but look and leave, whatever the form holds', async () => {
  const before = await trail();
  const sensible = { days: '5', reason: 'x', key: UUID, amount: '1', enabled: 'false', step: 'save', name_1: 'x', title_1: 'X', days_1: '1',
    price_1: '1', shop_id: '1', driver: '2001', action: 'extend_30', max_uses: '1', valid_from: '2026-01-01', valid_until: '2099-01-01',
    source: 'return {}', function: 'format' };
  for (const { path: target } of POSTS.filter(({ pattern }) => pattern !== '/admin/logout')) {
    for (const fields of [{}, sensible, { ...sensible, step: 'preview' }]) {
      const answer = await viewer.send(target, fields);
      assert.equal(answer.status, 403, `${target} ${JSON.stringify(fields).slice(0, 40)}`);
      assert.match(answer.text, /ваша роль только смотрит/);
    }
  }
  assert.equal(await trail(), before);
  const tried = () => product.postgres.value(`SELECT count(*) FROM audit_log WHERE action = 'admin.refused' AND actor_id = 'guest'
    AND details->>'action' = 'admin.refund_payment' AND address IS NOT NULL AND request_id IS NOT NULL`);
  await until(async () => (await tried()) === '3', { what: 'the attempts in the journal' });
});

test('a form is refused by the method too: opening its address does nothing', async () => {
  const readable = new Set(GETS.map(({ pattern }) => pattern));
  for (const { path: target, pattern } of POSTS.filter((route) => !readable.has(route.pattern))) {
    const answer = await admin.get(target);
    assert.ok([404, 405].includes(answer.status), `${pattern}: ${answer.status}`);
    assert.match(answer.text, /<a class="brand" href="\/admin\/">/, 'a page of the panel');
  }
});

test('no answer of the panel may be framed, stored or sniffed, errors and the login included', async () => {
  const answers = [await fresh().get('/admin/login'), await fresh().tryLogin({ login: 'x', password: 'wrong wrong wrong' }),
    await admin.get('/admin/no-such-page'), await admin.get('/admin/rules/reload'), await admin.form('/admin/rules/reload', {}),
    await viewer.send('/admin/rules/reload'), await admin.get('/admin/payments?min=x')];
  for (const { path: target } of GETS) answers.push(await admin.get(target));
  for (const { headers, status } of answers) {
    if (status === 303) continue;
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    if (/csv/.test(headers['content-type'])) continue;
    assert.equal(headers['x-frame-options'], 'DENY');
    const policy = headers['content-security-policy'];
    assert.match(policy, /frame-ancestors 'none'/);
    assert.match(policy, /script-src 'self';/);
    assert.match(policy, /form-action 'self'/);
    assert.match(policy, /base-uri '(none|self)'/);
    assert.doesNotMatch(policy, /unsafe|telegram/);
    assert.equal(headers['referrer-policy'], 'same-origin');
  }
  await calm();
});

test('errors look like the panel and say what to do', async () => {
  const missing = await admin.get('/admin/no-such-page');
  assert.deepEqual([missing.status, /<h1>Не найдено<\/h1>/.test(missing.text), /К сводке/.test(missing.text)], [404, true, true]);
  assert.match(missing.text, new RegExp(missing.headers['x-request-id']));
  const method = await admin.get('/admin/settings/switch');
  assert.deepEqual([method.status, method.headers.allow], [405, 'POST, OPTIONS']);
  assert.equal((await fresh().get('/admin/no-such-page')).status, 303, 'and tell a stranger nothing');
});

test('an idle session ends, a used one goes on, and none lives longer than half a day', async () => {
  const idle = await fresh().login(boss);
  await session(idle, "expires_at = now() - interval '1 second'");
  assert.equal(await isOpen(idle), false);
  const used = await fresh().login(boss);
  await session(used, "last_seen_at = now() - interval '50 minutes', expires_at = now() + interval '10 minutes'");
  assert.ok(await isOpen(used));
  const left = async (panel) => Number(await product.postgres.value(`SELECT extract(epoch FROM expires_at - now()) FROM admin_sessions
    WHERE token_hash = '\\x${hashOf(panel)}'`));
  assert.ok(await left(used) > 3500, 'an hour again');
  const old = await fresh().login(boss);
  await session(old, "created_at = now() - interval '11 hours 50 minutes', last_seen_at = now() - interval '5 minutes'");
  assert.ok(await isOpen(old));
  assert.ok(await left(old) <= 600, 'ten minutes, whatever it is used for');
});

test('of logins with the same one-time code at the same moment one comes in', async () => {
  await calm();
  const olga = await addAdmin(product.fura, 'olga', '--totp');
  const code = oneTimeCode(olga.secret);
  const answers = await Promise.all([1, 2, 3, 4].map(() => fresh().tryLogin({ ...olga, code })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [303, 401, 401, 401]);
  assert.equal((await fresh().tryLogin({ ...olga, code: oneTimeCode(olga.secret, Date.now() - 300000) })).status, 401, 'an old one');
  await calm();
  const kira = await addAdmin(product.fura, 'kira', '--totp');
  assert.equal((await fresh().tryLogin({ ...kira, code: oneTimeCode(olga.secret) })).status, 401, 'one of somebody else');
  await calm();
});

test('an account is shut for all addresses after five failures, one that is none too, and who is in stays in', async () => {
  await calm();
  for (let n = 0; n < 5; n++) await fresh().tryLogin({ login: 'boss', password: 'wrong wrong wrong' });
  await product.postgres.query("DELETE FROM admin_login_attempts WHERE subject LIKE 'address:%'");
  const locked = await fresh().tryLogin(boss);
  assert.equal(locked.status, 429, 'the account is shut for other addresses too');
  assert.ok(Number(locked.headers['retry-after']) <= 60);
  assert.ok(await isOpen(admin), 'who is in stays in');
  const nobody = async (login) => (await fresh().tryLogin({ login, password: 'wrong wrong wrong' })).status;
  await product.postgres.query("DELETE FROM admin_login_attempts WHERE subject LIKE 'address:%'");
  const statuses = [];
  for (let n = 0; n < 6; n++) statuses.push(await nobody('no-such-account'));
  assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429], 'an account that is none is shut as well');
  await calm();
});

test('a spreadsheet takes no cell of the file for a formula', async () => {
  const NASTY = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '=HYPERLINK("http://evil.example";"x")', 'a;b', 'a"b', 'a\nb'];
  for (const [n, name] of NASTY.entries()) {
    const driver = await product.login({ id: 7000 + n, first_name: 'x' });
    await driver.post('/api/v1/payments', { tariff: '1_month' });
    await product.postgres.query(`UPDATE drivers SET first_name = '${name}', username = NULL WHERE id = ${7000 + n}`);
  }
  const { text } = await admin.get('/admin/payments.csv');
  assert.ok(text.startsWith('\ufeff') || text.startsWith('Создан'));
  const cells = text.replace(/^\ufeff/, '').match(/("([^"]|"")*"|[^;\r\n"]*)(?=;|\r\n)/g);
  for (const cell of cells) assert.doesNotMatch(cell.replace(/^"/, ''), /^[=+\-@\t\r]/);
  assert.match(text, /"'=HYPERLINK\(""http:\/\/evil\.example"";""x""\)"/);
});
