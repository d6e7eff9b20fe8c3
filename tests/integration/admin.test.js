'use strict';
// The admin panel without a browser: who gets in, what each may do, what the journal remembers.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { AppCopy } = require('../support/app_copy.js');
const { Product } = require('../support/product.js');
const { Panel, addAdmin, oneTimeCode, unescape } = require('../support/panel.js');
const { until } = require('../support/client.js');

const HOSTILE = '<img src=x onerror=alert(1)>"\'&';
const PAGES = [
  '/admin/', '/admin/?period=30', '/admin/payments', '/admin/subscriptions', '/admin/promo-codes', '/admin/drivers',
  '/admin/outbox', '/admin/jobs', '/admin/cache', '/admin/settings', '/admin/flags', '/admin/rules', '/admin/audit',
];

let app, product, admin, viewer, boss;
before(async () => {
  app = new AppCopy();
  product = await Product.start({ root: app.root });
  boss = await addAdmin(product.fura, 'boss', '--no-totp');
  admin = await new Panel(product.client).login(boss);
  viewer = await Panel.of(product, 'guest', '--role', 'viewer');
});
after(async () => {
  await product?.stop();
  app?.close();
});

const fresh = () => new Panel(product.client);
const uuid = () => crypto.randomUUID();
/** In the panel's zone. */
const today = () => new Date(Date.now() + 3 * 3600 * 1000).toISOString().slice(0, 10);

/** The newest entry of the journal about an action. */
async function entry(action) {
  const [row] = await product.postgres.query(`SELECT actor_type, actor_id, target_id, details, host(address), request_id
    FROM audit_log WHERE action = '${action}' ORDER BY id DESC LIMIT 1`);
  if (!row) return undefined;
  const [actorType, actor, target, details, address, request] = row;
  return { actorType, actor, target, details: JSON.parse(details), address, request };
}

// ---- the door ----

test('nobody sees a page of the panel without a session', async () => {
  for (const path of PAGES) {
    const answer = await fresh().get(path);
    assert.equal(answer.status, 303, path);
    assert.match(answer.headers.location, /^\/admin\/login/);
    assert.equal(answer.text, '');
  }
});

test('login, password and one-time code open the panel together, and a code opens it once', async () => {
  const olga = await addAdmin(product.fura, 'olga', '--totp');
  const code = oneTimeCode(olga.secret);
  const without = await fresh().tryLogin({ ...olga, code: '' });
  assert.equal(without.status, 401);
  const panel = fresh();
  const answer = await panel.tryLogin({ ...olga, code });
  assert.equal(answer.status, 303);
  const cookie = String(answer.headers['set-cookie']);
  for (const part of ['fura_admin=', 'Path=/admin', 'HttpOnly', 'SameSite=Strict']) assert.ok(cookie.includes(part), part);
  assert.equal((await panel.get('/admin/')).status, 200);
  assert.equal((await fresh().tryLogin({ ...olga, code })).status, 401);
});

test('a wrong login, a wrong password and a closed account are told apart by nobody', async () => {
  const closed = await addAdmin(product.fura, 'closed', '--no-totp');
  const panel = await fresh().login(closed);
  assert.equal((await product.fura.command('admin', 'disable', 'closed')).code, 0);
  assert.equal((await panel.get('/admin/')).status, 303, 'its session is over at once');
  const texts = new Set();
  for (const [login, password] of [['nobody', closed.password], ['guest', 'wrong wrong wrong'], ['closed', closed.password]]) {
    const answer = await fresh().tryLogin({ login, password });
    assert.equal(answer.status, 401);
    texts.add(/role="alert">([^<]+)</.exec(answer.text)[1]);
  }
  assert.equal(texts.size, 1);
});

test('after five failures in a minute the right password does not help, and the page says until when', async () => {
  const kept = await addAdmin(product.fura, 'kept', '--no-totp');
  await product.postgres.query('DELETE FROM admin_login_attempts');
  const tries = await Promise.all(Array.from({ length: 9 }, () => fresh().tryLogin({ login: 'kept', password: 'wrong wrong wrong' })));
  assert.equal(tries.filter((answer) => answer.status === 401).length, 5, 'side by side, no more than five are tried');
  await product.postgres.query("DELETE FROM admin_login_attempts WHERE subject LIKE 'address:%'");
  const answer = await fresh().tryLogin(kept);
  assert.equal(answer.status, 429);
  assert.match(answer.text, /Вход закрыт до \d\d:\d\d:\d\d/);
  assert.equal((await entry('admin.login_refused')).actor, 'kept');
  await product.postgres.query("UPDATE admin_login_attempts SET since = now() - interval '61 seconds'");
  assert.equal((await fresh().tryLogin(kept)).status, 303);
});

test('one address cannot try many accounts', async () => {
  await product.postgres.query('DELETE FROM admin_login_attempts');
  const statuses = [];
  for (let n = 0; n < 7; n++) statuses.push((await fresh().tryLogin({ login: `victim${n}`, password: 'wrong wrong wrong' })).status);
  assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429]);
  await product.postgres.query('DELETE FROM admin_login_attempts');
});

test('a cookie that somebody planted before the login is worth nothing after it', async () => {
  const panel = fresh();
  panel.cookie = crypto.randomBytes(32).toString('base64url');
  const planted = panel.cookie;
  await panel.login(boss);
  assert.notEqual(panel.cookie, planted);
  const thief = fresh();
  thief.cookie = planted;
  assert.equal((await thief.get('/admin/')).status, 303);
});

test('a login ends the session it replaces, and leaving ends the session for everybody who holds it', async () => {
  const panel = await fresh().login(boss);
  const first = panel.cookie;
  await panel.login(boss);
  const old = fresh();
  old.cookie = first;
  assert.equal((await old.get('/admin/')).status, 303);
  const copy = fresh();
  copy.cookie = panel.cookie;
  assert.equal((await panel.send('/admin/logout')).status, 303);
  assert.equal((await copy.get('/admin/')).status, 303);
});

test('the login leads back into the panel and nowhere else', async () => {
  for (const [next, wanted] of [['/admin/audit?type=admin', '/admin/audit?type=admin'], ['https://evil.example/', '/admin/'],
    ['//evil.example/admin/', '/admin/'], ['/admin/\\evil', '/admin/'], ['/', '/admin/']]) {
    const answer = await fresh().form('/admin/login', { login: boss.login, password: boss.password, next });
    assert.equal(answer.headers.location, wanted);
  }
});

test('a login form of another site is refused; a program that names no site may log in', async () => {
  for (const origin of ['https://evil.example', 'null']) {
    const answer = await fresh().tryLogin(boss, { origin });
    assert.equal(answer.status, 403);
    assert.equal(answer.headers['set-cookie'], undefined);
  }
  const body = new URLSearchParams({ login: boss.login, password: boss.password }).toString();
  const { status } = await admin.client.request('POST', '/admin/login', { body, headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  assert.equal(status, 303);
});

test('sessions end by themselves', async () => {
  const panel = await fresh().login(boss);
  const hash = crypto.createHash('sha256').update(Buffer.from(panel.cookie, 'base64url')).digest('hex');
  await product.postgres.query(`UPDATE admin_sessions SET expires_at = now() - interval '1 second' WHERE token_hash = '\\x${hash}'`);
  assert.equal((await panel.get('/admin/')).status, 303);
});

test('neither passwords nor tokens are readable in the database', async () => {
  const dump = JSON.stringify(await product.postgres.query(
    'SELECT row_to_json(admins)::text FROM admins UNION ALL SELECT row_to_json(admin_sessions)::text FROM admin_sessions'));
  assert.ok(!dump.includes(boss.password));
  assert.ok(!dump.includes(admin.cookie));
  assert.ok(!product.fura.log.includes(boss.password));
});

test('a driver is nobody in the panel, and an admin is no driver', async () => {
  const driver = await product.login({ id: 2001 });
  const answer = await driver.get('/admin/', { cookie: `fura_session=${driver.token}; fura_admin=${driver.token}` });
  assert.equal(answer.status, 303);
  assert.equal((await product.client.get('/api/v1/me', { cookie: `fura_admin=${admin.cookie}; fura_session=${admin.cookie}` })).status, 401);
});

test('pages of the panel are in no frame, run no foreign script and are not stored', async () => {
  const { headers } = await admin.get('/admin/');
  const policy = headers['content-security-policy'];
  assert.match(policy, /frame-ancestors 'none'/);
  assert.match(policy, /script-src 'self';/);
  assert.doesNotMatch(policy, /unsafe|telegram/);
  assert.equal(headers['x-frame-options'], 'DENY');
  assert.equal(headers['cache-control'], 'no-store');
});

// ---- forms and roles ----

const ACTIONS = [
  ['/admin/promo-codes', { action: 'extend_30', code: 'NOTMADE1', max_uses: '1', valid_from: today(), valid_until: '2099-01-01' }],
  ['/admin/drivers/2001/extend', { days: '5', reason: 'x', key: uuid() }],
  ['/admin/drivers/2001/revoke', { reason: 'x', key: uuid() }],
  ['/admin/drivers/2001/end-sessions', {}],
  [`/admin/payments/${uuid()}/refund`, { amount: '1', reason: 'x', key: uuid() }],
  [`/admin/payments/${uuid()}/ask`, {}],
  ['/admin/settings/tariffs', { step: 'save', name_1: 'x', title_1: 'X', days_1: '1', price_1: '1', on_sale_1: 'true' }],
  ['/admin/settings/gateway', { shop_id: '1' }],
  ['/admin/settings/switch', { enabled: 'false' }],
  ['/admin/flags/responses', { enabled: 'false' }],
  ['/admin/outbox/1/retry', {}],
  ['/admin/outbox/1/drop', {}],
  ['/admin/jobs/outbox.clean/run', {}],
  ['/admin/cache/clear', { driver: '2001' }],
  ['/admin/cache/drop-token', {}],
  ['/admin/rules/reload', {}],
];

test('a form without the token of the session is refused, whatever it asks for', async () => {
  const before = await product.postgres.value('SELECT count(*) FROM audit_log');
  const other = await fresh().login(boss);
  await other.send('/admin/cache/drop-token');
  for (const [path, fields] of ACTIONS) {
    assert.equal((await admin.form(path, fields)).status, 403, path);
    assert.equal((await admin.form(path, { ...fields, csrf: other.csrf })).status, 403, `${path} with another session's token`);
  }
  const kinds = await product.postgres.query(`SELECT DISTINCT action FROM audit_log WHERE id > ${before} AND actor_id = 'boss'`);
  assert.deepEqual(kinds.flat().sort(), ['admin.logged_in', 'cargo_token.dropped']);
});

test('a viewer sees every page without its buttons, and the server refuses each action', async () => {
  for (const path of PAGES) {
    const answer = await viewer.get(path);
    assert.equal(answer.status, 200, path);
    const forms = answer.text.match(/<form[^>]*method="post"[^>]*action="([^"]+)"/g) ?? [];
    const actions = forms.filter((form) => !/logout/.test(form));
    assert.deepEqual(actions, [], path);
  }
  for (const [path, fields] of ACTIONS) assert.equal((await viewer.send(path, fields)).status, 403, path);
  assert.equal(await product.postgres.value("SELECT count(*) FROM promo_codes WHERE code = 'NOTMADE1'"), '0');
});

// ---- pages ----

test('every page answers, and hostile names stay text', async () => {
  const driver = await product.login({ id: 2002, first_name: HOSTILE, last_name: HOSTILE, username: 'hostile' });
  const payment = await product.buyAccess(driver);
  await product.postgres.query(`INSERT INTO outbox (kind, chat_key, payload, state, last_error)
    VALUES ('driver_message', '2002', '{"text": "<script>alert(1)</script>"}', 'dead', '<script>alert(2)</script>')`);
  const pages = [...PAGES, '/admin/drivers/2002', `/admin/payments/${payment.payment_id}`, '/admin/cache?driver=2002',
    `/admin/search?find=${encodeURIComponent(`нет${HOSTILE}`)}`, `/admin/payments?q=${encodeURIComponent(HOSTILE)}`,
    `/admin/audit?actor=${encodeURIComponent(HOSTILE)}`, '/admin/drivers?q=hostile'];
  for (const path of pages) {
    const answer = await admin.get(path);
    assert.equal(answer.status, 200, path);
    assert.ok(!answer.text.includes('<img src=x'), path);
    assert.ok(!answer.text.includes('<script>alert'), path);
    assert.ok(!/\son\w+=["']|style="|javascript:/.test(answer.text.replaceAll('onerror=alert', '')), `${path}: nothing inline`);
  }
});

test('what does not exist is 404 and what makes no sense is told', async () => {
  assert.equal((await admin.get('/admin/drivers/999999999')).status, 404);
  assert.equal((await admin.get(`/admin/payments/${uuid()}`)).status, 404);
  assert.equal((await admin.get('/admin/promo-codes/NOSUCH12')).status, 404);
  for (const path of ['payments/xyz', 'drivers/99999999999999999999', 'promo-codes/НЕТ', 'plugins/Я', 'rules/a-b']) {
    assert.equal((await admin.get(`/admin/${encodeURI(path)}`)).status, 404, path);
  }
  const wrong = await admin.get('/admin/payments?from=2026-02-30&min=abc');
  assert.equal(wrong.status, 422);
  assert.match(wrong.text, /ГГГГ-ММ-ДД/);
  for (const cursor of ['x', 'W10', Buffer.from('["x","y",1,false]').toString('base64url')]) {
    assert.ok([200, 422].includes((await admin.get(`/admin/payments?cursor=${cursor}`)).status), cursor);
  }
});

test('an id finds its object from the header', async () => {
  const driver = await product.login({ id: 2003, first_name: 'Найдёныш', username: 'findme' });
  const payment = await product.buyAccess(driver);
  const lead = async (words) => (await admin.get(`/admin/search?find=${encodeURIComponent(words)}`)).headers.location;
  assert.equal(await lead('2003'), '/admin/drivers/2003');
  assert.equal(await lead('@FindMe'), '/admin/drivers/2003');
  assert.equal(await lead('найд'), '/admin/drivers/2003');
  assert.equal(await lead(payment.payment_id), `/admin/payments/${payment.payment_id}`);
});

test('pages of a list follow each other without gap or repetition, forward and back', async () => {
  await product.postgres.query(`INSERT INTO drivers (id, first_name, last_login_at)
    SELECT 900000 + n, 'Ряд', now() - interval '1 day' - (n / 3) * interval '1 minute' FROM generate_series(1, 120) AS n`);
  const ids = (text) => [...text.matchAll(/\/admin\/drivers\/(9\d{5})"/g)].map(([, id]) => id);
  const seen = [];
  let page = await admin.get('/admin/drivers?q=%D1%80%D1%8F%D0%B4');
  const firstPage = ids(page.text);
  const link = (rel) => unescape(new RegExp(`rel="${rel}" href="([^"]+)"`).exec(page.text)?.[1] ?? '');
  for (;;) {
    seen.push(...ids(page.text));
    if (!link('next')) break;
    page = await admin.get(link('next'));
  }
  assert.equal(seen.length, 120);
  assert.equal(new Set(seen).size, 120);
  assert.match(page.text, /101–120 из 120/);
  page = await admin.get(link('prev'));
  assert.match(page.text, /51–100 из 120/);
  page = await admin.get(link('prev'));
  assert.deepEqual(ids(page.text), firstPage);
});

test('what happened at one moment follows each other without gap or repetition too', async () => {
  await product.postgres.query(`INSERT INTO audit_log (id, created_at, actor_type, actor_id, action) OVERRIDING SYSTEM VALUE
    SELECT n, date_trunc('minute', now()), 'command', 'moment', 'spec.' || n FROM generate_series(999941, 1000060) AS n`);
  const numbers = (text) => [...text.matchAll(/spec\.(\d+)/g)].map(([, id]) => Number(id));
  const seen = [];
  let link = '/admin/audit?actor=moment';
  while (link) {
    const { text } = await admin.get(link);
    seen.push(...new Set(numbers(text)));
    link = unescape(/rel="next" href="([^"]+)"/.exec(text)?.[1] ?? '');
  }
  assert.deepEqual(seen, Array.from({ length: 120 }, (_, n) => 1000060 - n));
});

test('CSV has the rows of the filter, a BOM, and no formulas', async () => {
  const driver = await product.login({ id: 2004, first_name: '=1+1', username: undefined });
  await product.buyAccess(driver);
  const answer = await admin.get('/admin/payments.csv?q=2004');
  assert.equal(answer.status, 200);
  assert.match(answer.headers['content-disposition'], /attachment/);
  assert.deepEqual([...answer.bytes.subarray(0, 3)], [0xef, 0xbb, 0xbf]);
  const lines = answer.text.replace('\ufeff', '').trim().split('\r\n');
  assert.equal(lines.length, 2);
  assert.equal(lines[0].split(';').length, lines[1].split(';').length);
  assert.ok(lines[1].includes(";'=1+1;"));
  assert.ok(lines[1].includes(';499,00;succeeded;'));
});

// ---- actions ----

test('a refund gives money back once, shortens the access, and shows who did it', async () => {
  const driver = await product.login({ id: 2005 });
  const { payment_id: id } = await product.buyAccess(driver);
  const effect = await admin.get(`/admin/payments/${id}/refund-effect?amount=${encodeURIComponent('99,80')}`);
  assert.match(effect.text, /короче на 6 дней/);
  const form = { amount: '99,80', reason: 'договорились', key: uuid() };
  assert.equal((await admin.send(`/admin/payments/${id}/refund`, form)).status, 303);
  assert.equal((await admin.send(`/admin/payments/${id}/refund`, form)).status, 303);
  const refunds = await product.postgres.query(`SELECT amount_kopecks, status, requested_by FROM refunds WHERE payment_id = '${id}'`);
  assert.deepEqual(refunds, [['9980', 'succeeded', 'boss']]);
  await until(async () => (await driver.get('/api/v1/subscription')).json.days_left === 24, { what: 'shorter access' });
  const asked = await entry('refund.requested');
  assert.deepEqual([asked.actorType, asked.actor, asked.target, asked.address], ['admin', 'boss', id, '127.0.0.1']);
  assert.equal(asked.details.reason, 'договорились');
  assert.deepEqual([asked.details.before, asked.details.after], [{ rest_kopecks: 49900 }, { rest_kopecks: 39920 }]);
  assert.ok(asked.request);
  const { details } = await entry('payment.partially_refunded');
  assert.deepEqual([details.before, details.after],
    [{ status: 'succeeded', refunded_kopecks: 0 }, { status: 'partially_refunded', refunded_kopecks: 9980 }]);
});

test('the summary counts what was paid less what was given back, by day', async () => {
  await product.postgres.query('DELETE FROM admin_login_attempts');
  const revenue = await product.postgres.value(`SELECT ((SELECT sum(amount_kopecks) FROM payments WHERE paid_at IS NOT NULL)
    - (SELECT coalesce(sum(amount_kopecks), 0) FROM refunds WHERE status = 'succeeded')) / 100.0`);
  const shown = Number(revenue).toFixed(2).replace(/\.00$/, '').replace('.', ',').replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
  await until(async () => {
    const page = await admin.get(`/admin/?from=2026-01-01&to=${today()}`);
    assert.equal(page.status, 200);
    return page.text.includes(`<dd class="big num">${shown} ₽</dd>`);
  }, { what: `${shown} ₽ on the summary` });
  const again = await admin.get(`/admin/?from=2026-01-01&to=${today()}`);
  assert.match(again.text, /<rect class="bar"/);
  const kopecks = (text) => Math.round(Number(text.replace('−', '-').replace(/[^\d,-]/g, '').replace(',', '.')) * 100) || 0;
  const [money, answers] = [...again.text.matchAll(/<summary>Таблица<\/summary>(.*?)<\/details>/gs)].map(([, table]) =>
    [...table.matchAll(/<tr>(<td>.*?)<\/tr>/g)].map(([, row]) => [...row.matchAll(/<td[^>]*>(.*?)<\/td>/g)].map(([, cell]) => cell)));
  const sum = (column) => money.reduce((total, row) => total + kopecks(row[column]), 0);
  assert.ok(sum(2) > 0, 'something was given back');
  assert.deepEqual([sum(3), sum(1) - sum(2)], [kopecks(shown), kopecks(shown)], 'the days add up to the revenue of the period');
  const sent = await product.postgres.value('SELECT count(*) FROM responses');
  assert.equal(answers.reduce((total, [, count]) => total + Number(count), 0), Number(sent));
});

test('more than the rest cannot be given back, and the page says so', async () => {
  const driver = await product.login({ id: 2006 });
  const { payment_id: id } = await product.buyAccess(driver);
  const answer = await admin.send(`/admin/payments/${id}/refund`, { amount: '499,01', reason: 'x', key: uuid() });
  assert.equal(answer.status, 422);
  assert.match(answer.text, /больше остатка/);
  assert.equal(await product.postgres.value(`SELECT count(*) FROM refunds WHERE payment_id = '${id}'`), '0');
});

test('a payment whose notification was lost is settled by asking the gateway', async () => {
  const driver = await product.login({ id: 2007 });
  await product.control('yookassa').post('notifications', { url: `${product.client.url}/nowhere` });
  const { json } = await driver.post('/api/v1/payments', { tariff: '1_month' });
  await product.control('yookassa').post('pay', { id: new URL(json.confirmation_url).pathname.split('/').pop() });
  assert.equal((await admin.send(`/admin/payments/${json.payment_id}/ask`)).status, 303);
  assert.equal((await driver.get('/api/v1/subscription')).json.active, true);
  const asked = await entry('payment.asked');
  assert.deepEqual([asked.details.before.status, asked.details.after.status], ['pending', 'succeeded']);
  await product.connectWebhooks();
});

test('a payment whose creation was never answered is found by asking the gateway', async () => {
  const driver = await product.login({ id: 2031 });
  const yookassa = product.control('yookassa');
  await yookassa.post('notifications', { url: `${product.client.url}/nowhere` });
  await yookassa.post('misbehave', { match: { method: 'POST', path: '/v3/payments' }, times: 2, action: 'close', after: true });
  assert.equal((await driver.post('/api/v1/payments', { tariff: '1_month' })).status, 503);
  const id = await product.postgres.value('SELECT id FROM payments WHERE driver_id = 2031');
  const { id: gatewayId } = (await yookassa.get('state')).payments.find((one) => one.metadata.payment_id === id);
  await yookassa.post('pay', { id: gatewayId });
  assert.equal((await admin.send(`/admin/payments/${id}/ask`)).status, 303);
  assert.equal((await driver.get('/api/v1/subscription')).json.active, true);
  await yookassa.post('misbehave', { match: { method: 'POST', path: '/v3/payments' }, times: 2, action: 'close' });
  assert.equal((await driver.post('/api/v1/payments', { tariff: '3_months' })).status, 503);
  const never = await product.postgres.value("SELECT id FROM payments WHERE driver_id = 2031 AND tariff = '3_months'");
  const answer = await admin.send(`/admin/payments/${never}/ask`);
  assert.deepEqual([answer.status, /В ЮKassa этого платежа ещё нет/.test(answer.text)], [409, true]);
  await product.connectWebhooks();
});

test('days given and access revoked reach the driver at once and count once for each form', async () => {
  const driver = await product.login({ id: 2008 });
  const form = { days: '10', reason: 'за терпение', key: uuid() };
  await Promise.all([1, 2, 3].map(() => admin.send('/admin/drivers/2008/extend', form)));
  const { json } = await driver.get('/api/v1/subscription');
  assert.deepEqual([json.active, json.days_left, json.source], [true, 10, 'gift']);
  assert.equal((await entry('subscription.extended')).details.reason, 'за терпение');
  assert.equal((await admin.send('/admin/drivers/2008/revoke', { reason: 'ошибка', key: uuid() })).status, 303);
  assert.equal((await driver.get('/api/v1/subscription')).json.active, false);
  const revoked = await entry('subscription.revoked');
  assert.ok(Date.parse(revoked.details.before.expires_at) > Date.parse(revoked.details.after.expires_at));
  assert.equal((await admin.send('/admin/drivers/2008/extend', { days: '0', reason: '', key: uuid() })).status, 422);
});

test('a promo code is made, used by a driver, and closed; days already given stay', async () => {
  const form = { action: 'extend_60', code: ' leto2026 ', max_uses: '3', valid_from: today(), valid_until: '2099-01-01' };
  assert.match((await admin.send('/admin/promo-codes', form)).headers.location, /LETO2026/);
  assert.equal((await admin.send('/admin/promo-codes', form)).status, 409);
  const driver = await product.login({ id: 2009 });
  assert.equal((await driver.post('/api/v1/promocodes/apply', { code: 'leto2026' })).status, 200);
  assert.match((await admin.get('/admin/promo-codes/LETO2026')).text, /drivers\/2009/);
  assert.equal((await admin.send('/admin/promo-codes/LETO2026/close')).status, 303);
  const late = await product.login({ id: 2010 });
  assert.equal((await late.post('/api/v1/promocodes/apply', { code: 'leto2026' })).status, 410);
  assert.equal((await driver.get('/api/v1/subscription')).json.active, true);
  const closed = await entry('promo_code.deactivated');
  assert.deepEqual([closed.actor, closed.details.before.enabled, closed.details.after.enabled], ['boss', true, false]);
  assert.equal((await entry('promo_code.created')).details.after.max_uses, 3);
  assert.equal((await admin.get('/admin/promo-codes/leto2026')).status, 200, 'as people type it');
});

test('a promo code that makes no sense comes back with what was typed', async () => {
  const answer = await admin.send('/admin/promo-codes',
    { action: 'extend_30', code: 'abc', max_uses: '0', valid_from: '2020-01-01', valid_until: '2019-01-01', description: HOSTILE });
  assert.equal(answer.status, 422);
  assert.ok(answer.text.includes('value="abc"'));
  assert.ok(!answer.text.includes('<img src=x'));
});

test('tariffs are shown before they are sold, and then sold at once', async () => {
  const form = { name_1: '1_month', title_1: 'Месяц', days_1: '31', price_1: '555,50', on_sale_1: 'true', order_1: '2',
    name_2: 'week', title_2: 'Неделя', days_2: '7', price_2: '150', on_sale_2: 'true', order_2: '1', badge_2: 'новое' };
  const preview = await admin.send('/admin/settings/tariffs', { ...form, step: 'preview' });
  assert.equal(preview.status, 200);
  assert.match(preview.text, /555,50 ₽/);
  assert.match(preview.text, /<del>.*30<\/del>/);
  assert.notEqual((await product.client.get('/api/v1/tariffs')).json.data[0].name, 'week');
  assert.equal((await admin.send('/admin/settings/tariffs', { ...form, step: 'save' })).status, 303);
  const names = async () => (await product.client.get('/api/v1/tariffs')).json.data.map(({ name, price_kopecks: price }) => [name, price]);
  await until(async () => JSON.stringify(await names()) === '[["week",15000],["1_month",55550]]', { what: 'the new tariffs' });
  assert.equal((await entry('setting.changed')).actor, 'boss');
  const wrong = await admin.send('/admin/settings/tariffs', { ...form, step: 'save', days_1: '0', price_2: 'дорого' });
  assert.equal(wrong.status, 422);
  assert.match(wrong.text, /Тариф 1, дней/);
  assert.match(wrong.text, /Тариф 2, цена/);
});

test('the key of the gateway goes in and never comes out', async () => {
  assert.equal((await admin.send('/admin/settings/gateway', { shop_id: '100500', secret_key: 'test_simulated-secret-key' })).status, 303);
  for (const path of ['/admin/settings', '/admin/audit']) {
    assert.ok(!(await admin.get(path)).text.includes('test_simulated-secret-key'), path);
  }
  const refused = await admin.send('/admin/settings/gateway', { secret_key: 'bad key with spaces' });
  assert.equal(refused.status, 422);
  assert.ok(!refused.text.includes('bad key with spaces'));
  assert.ok(!product.fura.log.includes('test_simulated-secret-key'));
});

test('a flag and the selling switch reach drivers within a second', async () => {
  const driver = await product.login({ id: 2011 });
  const flags = async () => (await driver.get('/api/v1/me')).json.flags;
  assert.equal((await flags()).responses, true);
  assert.equal((await admin.send('/admin/flags/responses', { enabled: 'true', rollout_percent: '0', allow_list: '2012 2013' })).status, 303);
  await until(async () => (await flags()).responses === false, { what: 'the flag' });
  const changed = await entry('flag.changed');
  assert.deepEqual([changed.details.before.rollout_percent, changed.details.after.rollout_percent], [100, 0]);
  assert.equal((await admin.send('/admin/flags/responses', { enabled: 'true', allow_list: 'x' })).status, 422);
  assert.equal((await admin.send('/admin/settings/switch', { enabled: 'false' })).status, 303);
  await until(async () => (await driver.post('/api/v1/payments', { tariff: 'week' })).status === 403, { what: 'no selling' });
  await admin.send('/admin/settings/switch', { enabled: 'true' });
  await until(async () => (await flags()).payments === true, { what: 'selling again' });
});

test('a dead message is sent again, another is dropped and stays readable in the journal', async () => {
  const add = async (text) => (await product.postgres.query(`INSERT INTO outbox (kind, chat_key, payload, state, last_error)
    VALUES ('driver_message', '2002', '{"text": "${text}"}', 'dead', 'refused') RETURNING id`))[0][0];
  const [again, gone] = [await add('again'), await add('gone')];
  assert.equal((await admin.send(`/admin/outbox/${again}/retry`)).status, 303);
  assert.deepEqual([(await entry('outbox.retried')).target, (await entry('outbox.retried')).details.error], [again, 'refused']);
  await until(async () => (await product.postgres.value(`SELECT attempts FROM outbox WHERE id = ${again}`)) > 0, { what: 'an attempt' });
  assert.equal((await admin.send(`/admin/outbox/${gone}/drop`)).status, 303);
  assert.equal(await product.postgres.value(`SELECT count(*) FROM outbox WHERE id = ${gone}`), '0');
  assert.equal((await entry('outbox.dropped')).details.before.payload.text, 'gone');
  assert.equal((await admin.send(`/admin/outbox/${gone}/retry`)).status, 404);
});

test('several dead messages are chosen and sent again at once', async () => {
  const add = async () => (await product.postgres.query(`INSERT INTO outbox (kind, chat_key, payload, state, last_error)
    VALUES ('driver_message', '2002', '{"text": "one of several"}', 'dead', 'refused') RETURNING id`))[0][0];
  const [first, second, third] = [await add(), await add(), await add()];
  const { text } = await admin.get('/admin/outbox?show=dead');
  for (const id of [first, second, third]) assert.match(text, new RegExp(`name="ids" value="${id}" form="retry-selected"`));
  assert.match(text, /<form id="retry-selected" method="post" action="\/admin\/outbox\/retry">/);
  assert.ok(!(await viewer.get('/admin/outbox?show=dead')).text.includes('name="ids"'));
  const { csrf } = admin;
  const body = new URLSearchParams([['csrf', csrf], ['ids', first], ['ids', third], ['ids', '999999999']]);
  assert.equal((await admin.form('/admin/outbox/retry', body)).status, 303);
  const states = await product.postgres.query(`SELECT state = 'dead' FROM outbox WHERE id IN (${first}, ${second}, ${third}) ORDER BY id`);
  assert.deepEqual(states.flat(), ['f', 't', 'f']);
  assert.equal((await entry('outbox.retried')).target, third);
  const none = await admin.send('/admin/outbox/retry');
  assert.deepEqual([none.status, /Отметьте сообщения/.test(none.text)], [422, true]);
});

test('ending a driver\'s sessions throws the driver out', async () => {
  const driver = await product.login({ id: 2014 });
  assert.equal((await driver.get('/api/v1/me')).status, 200);
  assert.equal((await admin.send('/admin/drivers/2014/end-sessions')).status, 303);
  await until(async () => (await driver.get('/api/v1/me')).status === 401, { what: 'the end of the session' });
});

test('a job runs at a press, an unknown one is 404', async () => {
  assert.equal((await admin.send('/admin/jobs/outbox.clean/run')).status, 303);
  assert.equal((await entry('job.run')).target, 'outbox.clean');
  assert.equal((await admin.send('/admin/jobs/no.such.job/run')).status, 404);
});

test('the reload button brings a new generation', async () => {
  const generation = async () => Number(/Поколение<\/dt><dd><b>(\d+)/.exec((await admin.get('/admin/rules')).text)[1]);
  const before = await generation();
  assert.equal((await admin.send('/admin/rules/reload')).status, 303);
  assert.ok(await generation() > before);
  assert.equal((await entry('server.reloaded')).details.before.generation, before);
});

test('a draft of a rule is tried on a sample and on a cargo, and never goes live', async () => {
  const sourceOf = async (name) => unescape(/<textarea id="source"[^>]*>([^]*?)<\/textarea>/.exec((await admin.get(`/admin/rules/${name}`)).text)[1]);
  const live = await sourceOf('tariffs');
  const attempt = (who, change, fields) => who.send('/admin/rules/tariffs/try', { source: change(live), ...fields });
  const dearer = (source) => source.replace('rub(499)', 'rub(777)').replace('math.floor(kopecks / 100)', '700 + math.floor(kopecks / 100)')
    .replace(/  examples = \{[^]*?\n  \},\n/, '');
  const tried = await attempt(admin, dearer, { function: 'amount', arguments: '[4200]' });
  assert.equal(tried.status, 200);
  assert.match(tried.text, /&quot;742\.00&quot;/);
  const broken = await attempt(admin, (source) => `local x = = 1\n${source}`, { function: 'amount' });
  assert.equal(broken.status, 422);
  assert.match(broken.text, /lua\/rules\/tariffs\.lua:1/);
  const endless = await attempt(admin, (source) => `while true do end\n${source}`, { function: 'amount' });
  assert.equal(endless.status, 422);
  const driver = await product.login({ id: 2015 });
  const { id } = (await driver.get('/api/v1/cargos?mode=all')).json.cards[0];
  const shown = await admin.send('/admin/rules/card/try', { source: await sourceOf('card'), function: 'format', cargo: id });
  assert.equal(shown.status, 200);
  assert.ok(shown.text.includes(`&quot;id&quot;:&quot;${id}&quot;`));
  assert.equal((await attempt(viewer, dearer, { function: 'amount', arguments: '[1]' })).status, 403);
  assert.equal((await product.client.get('/api/v1/tariffs')).json.data.some(({ price_kopecks: price }) => price === 77700), false);
});

test('a refused reload says file and line in the panel, and the old generation goes on', async () => {
  const generation = async () => (await admin.get('/admin/rules')).text.match(/Поколение<\/dt><dd><b>(\d+)/)[1];
  const before = await generation();
  app.write('lua/rules/zz_broken.lua', '-- made by a test\nreturn { broken = = 1 }\n');
  const answer = await admin.send('/admin/rules/reload');
  assert.equal(answer.status, 422);
  assert.match(answer.text, /<code><b>lua\/rules\/zz_broken\.lua:2<\/b><\/code>/);
  assert.equal(await generation(), before);
  assert.equal((await entry('server.reload_rejected')).actor, 'boss');
  app.restore();
});

test('accounts come from the command line, with a password that is long enough', async () => {
  const short = await product.fura.commandWith('short\n', 'admin', 'add', 'weak');
  assert.equal(short.code, 1);
  assert.match(short.output, /too short/);
  const twice = await product.fura.commandWith('correct horse battery staple\n', 'admin', 'add', 'boss');
  assert.equal(twice.code, 1);
  assert.match(twice.output, /exists already/);
  const list = await product.fura.command('admin', 'list');
  assert.match(list.stdout, /boss\s+admin/);
  assert.match(list.stdout, /guest\s+viewer/);
});

test('a new account needs a one-time code only when asked for, and its name is written as people do', async () => {
  const plain = await addAdmin(product.fura, 'Vera');
  assert.equal(plain.secret, undefined);
  await fresh().login(plain);
  const coded = await addAdmin(product.fura, 'zoya', '--totp');
  assert.ok(coded.secret);
  assert.equal((await fresh().tryLogin(coded)).status, 401);
});
