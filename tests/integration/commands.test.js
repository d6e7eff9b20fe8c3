'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { Product } = require('../support/product.js');
const { until } = require('../support/client.js');
const { SETTINGS } = require('../support/fura.js');

let product;
before(async () => { product = await Product.start(); });
after(() => product.stop());

const fura = (...args) => product.fura.command(...args);
async function json(...args) {
  const end = await fura(...args, '--json');
  assert.equal(end.code, 0, end.output);
  return JSON.parse(end.stdout);
}

test('check finds the shipped application sound', async () => {
  const end = await fura('check');
  assert.equal(end.code, 0, end.output);
});

test('migrations are applied once and listed', async () => {
  assert.equal((await fura('migrate', 'up')).code, 0);
  const end = await fura('migrate', 'status');
  assert.equal(end.code, 0, end.output);
  assert.match(end.stdout, /0001/);
  assert.equal((await fura('check')).code, 0);
});

test('config masks every secret and tells where a value comes from', async () => {
  const end = await fura('config');
  assert.equal(end.code, 0, end.output);
  for (const name of ['SESSION_SECRET', 'SETTINGS_ENCRYPTION_KEY', 'TELEGRAM_BOT_TOKEN', 'CARGOTECH_PASSWORD', 'YOOKASSA_SECRET_KEY']) {
    assert.ok(!end.output.includes(SETTINGS[name]), name);
  }
  assert.match(end.stdout, /environment/i);
});

test('routes and plugins can be listed', async () => {
  const routes = await fura('routes');
  assert.equal(routes.code, 0, routes.output);
  assert.match(routes.stdout, /^GET +\/api\/v1\/cargos +driver +default +1048576 +30000$/m);
  const listed = (await json('routes')).find(({ method, path }) => method === 'POST' && path === '/api/v1/promocodes/apply');
  assert.deepEqual(listed, { method: 'POST', path: '/api/v1/promocodes/apply', access: 'driver', limit: 'promo', max_body_bytes: 1048576, deadline_ms: 30000 });
  assert.equal((await fura('plugins')).code, 0);
});

test('status shows the workers of the running server', async () => {
  const status = await json('status');
  assert.ok(JSON.stringify(status).includes('generation'), JSON.stringify(status));
});

test('token check logs in at CargoTech and never prints the token', async () => {
  const end = await fura('token', 'check');
  assert.equal(end.code, 0, end.output);
  for (const token of product.simulators.cargotech.tokens.keys()) assert.ok(!end.output.includes(token));
});

test('programs read how CargoTech’s account is', async () => {
  const checked = await json('token', 'check');
  assert.deepEqual([checked.ok, typeof checked.age_s], [true, 'number']);
  assert.deepEqual(await json('token', 'reset'), { ok: true });
});

test('the webhook is set, shown and deleted at Telegram', async () => {
  assert.equal((await fura('webhook', 'set')).code, 0);
  const { webhook } = product.simulators.telegram;
  assert.ok(webhook.url.startsWith(SETTINGS.WEBAPP_URL));
  assert.equal(webhook.secret_token, SETTINGS.TELEGRAM_WEBHOOK_SECRET);
  assert.deepEqual([...webhook.allowed_updates].sort(), ['callback_query', 'message', 'my_chat_member']);
  assert.match((await fura('webhook', 'info')).stdout, /webhooks\/telegram/);
  assert.equal((await fura('webhook', 'delete')).code, 0);
  assert.equal(product.simulators.telegram.webhook, null);
});

test('an admin is added with a password from stdin and listed', async () => {
  assert.deepEqual(await json('admin', 'list'), []);
  const end = await product.fura.commandWith('correct horse battery staple\n', 'admin', 'add', 'olga');
  assert.equal(end.code, 0, end.output);
  assert.match((await fura('admin', 'list')).stdout, /olga/);
  const [olga] = await json('admin', 'list');
  assert.deepEqual([olga.login, olga.role], ['olga', 'admin']);
  assert.equal((await fura('admin', 'disable', 'olga')).code, 0);
});

test('a driver is forgotten but the money trail stays', async () => {
  const driver = await product.login({ id: 1201, first_name: 'Секретов', username: 'secretov' });
  await product.buyAccess(driver);
  const end = await fura('driver', 'forget', '1201');
  assert.equal(end.code, 0, end.output);
  // workers remember a session for less than a second
  await until(async () => (await driver.get('/api/v1/me')).status === 401, { what: 'the end of the session', timeoutMs: 3000, stepMs: 150 });
  const dump = await product.postgres.query('SELECT d::text FROM drivers d');
  assert.ok(!dump.flat().join().includes('Секретов') && !dump.flat().join().includes('secretov'));
  assert.equal(await product.postgres.value("SELECT count(*) FROM payments WHERE status = 'succeeded'"), '1');
});

test('what a command refuses stands on stderr, and nothing on stdout', async () => {
  const refused = [[1, 'driver', 'forget', '404404'], [1, 'admin', 'disable', 'nobody'], [1, 'jobs', 'run', 'nothing'],
    [2, 'token'], [2, 'webhook', 'dance'], [2, 'admin'], [2, 'driver', 'forget', 'me'], [2, 'jobs', 'walk'], [2, 'rules', 'all'], [2, 'plugins', 'all']];
  for (const [code, ...words] of refused) {
    const end = await fura(...words);
    assert.deepEqual([end.code, end.stdout], [code, ''], words.join(' '));
    assert.match(end.stderr, code === 1 ? /^fura: there is no /m : new RegExp(`^usage: fura ${words[0]}`, 'm'));
  }
});

test('an unknown command is a usage error', async () => {
  assert.equal((await fura('dance')).code, 2);
  assert.equal((await fura('serve', '--dance')).code, 2);
  assert.equal((await fura('check', '--help')).code, 0);
  assert.match((await fura('version')).stdout, /LuaJIT/);
});
