'use strict';
// After a journey that uses every secret there is, none can be found anywhere: not in logs, answers, figures, what commands print,
// the audit trail, a dump of the database or a command line. Every other suite holds its own log to the same (support/secrets.js).
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { Product, gatewayId } = require('../support/product.js');
const { Fura, ROOT, SETTINGS } = require('../support/fura.js');
const { Panel, addAdmin } = require('../support/panel.js');
const { must, tempFolder } = require('../support/child.js');
const { keepSecret, leaksIn, mustHideSecrets } = require('../support/secrets.js');
const { until } = require('../support/client.js');

const random = (name, bytes = 24) => keepSecret(name, crypto.randomBytes(bytes).toString('base64url'));
const PATH_KEY = random('path key');
const SIGNING = random('webhook signing secret');
const SHOP_KEY = random('shop key of the panel');
const ENV = {
  FURA_RATE_LIMITS: 'off', YOOKASSA_WEBHOOK_SECRET: SIGNING, YOOKASSA_WEBHOOK_PATH_KEY: PATH_KEY,
  SESSION_SECRET: `${random('session secret', 32)},${random('old session secret', 32)}`,
  SETTINGS_ENCRYPTION_KEY: [1, 2].map(() => crypto.randomBytes(32).toString('base64')).join(','),
};
const PHONE = keepSecret('phone of the driver', '+79035550123');
const EMAIL = keepSecret('e-mail of the driver', 'secret.driver@example.org');

let product, driver, boss, panel;
const commandLines = new Set();
const answers = [];

before(async () => { product = await Product.start({ env: ENV }); });
after(() => product.stop());

/** Every command line of the machine, now. */
function lookAtProcesses() {
  for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      commandLines.add(fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
    } catch { /* it has ended */ }
  }
}

const keep = (answer) => { answers.push(`${answer.status} ${JSON.stringify(answer.headers)} ${answer.text}`); return answer; };

/** A notification as the signing proxy passes it on. */
function notify(object, { secret = SIGNING, key = PATH_KEY, event = 'payment.succeeded' } = {}) {
  const body = JSON.stringify({ type: 'notification', event, object });
  const signature = `sha256=${crypto.createHmac('sha256', secret).update(body).digest('hex')}`;
  return product.client.request('POST', `/webhooks/yookassa/${key}`, { body,
    headers: { 'content-type': 'application/json', 'x-webhook-signature': signature } });
}

async function buyWithReceipt() {
  const set = await product.fura.commandWith('{"vat_code":1}', 'settings', 'set', 'receipts');
  assert.equal(set.code, 0, set.output);
  await until(async () => (await driver.post('/api/v1/payments', { tariff: '1_month' })).status === 422, { what: 'receipts' });
  const { json } = await driver.post('/api/v1/payments', { tariff: '1_month', email: EMAIL }, { 'idempotency-key': crypto.randomUUID() });
  const id = gatewayId(json);
  await product.control('yookassa').post('notifications', { url: '' });
  await product.control('yookassa').post('pay', { id });
  assert.equal((await notify({ id, status: 'succeeded' })).status, 200);
  await until(async () => (await driver.get('/api/v1/subscription')).json.active, { what: 'access' });
}

test('a journey uses every secret', async () => {
  driver = await product.login({ id: 4501, first_name: 'Секретный' });
  await buyWithReceipt();
  const path = '/api/v1/subscription/access-token';
  const shown = (await driver.get(path)).json.access_token;
  keepSecret('access token', shown);
  keepSecret('access token', (await driver.post(path)).json.access_token);
  const reader = product.client.as((await driver.get(path)).json.access_token);
  const { json: list } = await reader.get('/api/v1/cargos?mode=all');
  assert.equal((await driver.post('/api/v1/responses', { cargo_id: list.cards[0].id, phone: PHONE, name: 'Водитель' })).status, 202);
  boss = await addAdmin(product.fura, 'secretive', '--totp');
  panel = await new Panel(product.client).login(boss);
  assert.equal((await panel.send('/admin/settings/gateway', { shop_id: '100500', secret_key: SHOP_KEY })).status, 303);
  const update = { update_id: 1, message: { message_id: 1, date: 1, chat: { id: 4501, type: 'private' }, from: { id: 4501, is_bot: false, first_name: 'С' }, text: '/start' } };
  const hook = { 'x-telegram-bot-api-secret-token': SETTINGS.TELEGRAM_WEBHOOK_SECRET };
  assert.equal((await product.client.post('/webhooks/telegram', update, hook)).status, 200);
  await until(() => (product.simulators.telegram.chats.get('4501') ?? []).length > 0, { what: 'the bot\'s answer' });
});

test('answers that refuse repeat no secret', async () => {
  const wrong = `${SETTINGS.TELEGRAM_BOT_TOKEN}x`;
  keep(await product.client.post('/api/v1/auth/telegram', { init_data: product.initData({ id: 4502 }, { token: wrong }) }));
  keep(await product.client.as(`${driver.token}x`).get('/api/v1/me'));
  keep(await notify({ id: crypto.randomUUID(), status: 'succeeded' }, { secret: 'wrong-secret' }));
  keep(await notify({ id: crypto.randomUUID(), status: 'succeeded' }, { key: `${PATH_KEY}x` }));
  keep(await product.client.post('/webhooks/telegram', {}, { 'x-telegram-bot-api-secret-token': 'wrong' }));
  keep(await driver.post('/api/v1/payments', { tariff: SHOP_KEY.slice(0, 4), email: 'nobody' }));
  keep(await new Panel(product.client).tryLogin({ login: 'secretive', password: boss.password, code: '000000' }));
  await until(async () => keep(await driver.post('/api/v1/payments', { tariff: '3_months' })).status === 503, { what: 'the wrong shop key to be used' });
  await product.control('cargotech').post('revoke_tokens');
  keep(await driver.get('/api/v1/cargos?mode=all&limit=7'));
  const broken = { method: 'POST', path: '/bot*' };
  await product.control('telegram').post('misbehave', { match: broken, action: 'status', status: 500 });
  await product.control('cargotech').post('misbehave', { match: { method: 'GET', path: '/v2/cargos/views' }, times: 3, action: 'close' });
  keep(await driver.get('/api/v1/cargos?mode=all&limit=8'));
  for (const page of ['/admin/settings', '/admin/audit', '/admin/outbox', '/admin/cache?driver=4501', '/admin/jobs', '/admin/drivers/4502']) keep(await panel.get(page));
  // The driver's own contact may be shown to people of the panel; the shop's and ours to nobody.
  for (const text of answers) assert.deepEqual(leaksIn(text).filter(({ name }) => !/of the driver$/.test(name)), [], text.slice(0, 100));
});

test('figures and commands show none', async () => {
  mustHideSecrets('/metrics', (await product.client.get('/metrics')).text);
  mustHideSecrets('/healthz', (await product.client.get('/healthz?deep=1')).text);
  for (const words of [['ps'], ['status'], ['config'], ['rules'], ['plugins'], ['jobs'], ['routes'], ['settings', 'list'], ['check'], ['token', 'check'], ['webhook', 'info']]) {
    for (const more of [[], ['--json']]) { // Fura.command itself holds what they print to it
      const running = product.fura.command(...words, ...more);
      lookAtProcesses();
      const end = await running;
      assert.notEqual(end.code, 2, `${words.join(' ')}: ${end.output}`);
      lookAtProcesses();
    }
  }
});

test('neither log, trail nor a dump of the database holds any in the clear', async () => {
  mustHideSecrets('the log', product.fura.log);
  const trail = await product.postgres.query('SELECT row_to_json(audit_log)::text FROM audit_log');
  assert.ok(trail.length > 5);
  mustHideSecrets('the audit trail', JSON.stringify(trail));
  const dump = await must('pg_dump', ['--inserts', '-d', product.postgres.url]);
  for (const table of ['settings', 'admins', 'admin_sessions', 'subscriptions', 'receipt_contacts', 'payments', 'sessions']) {
    assert.match(dump, new RegExp(`INSERT INTO public\\.${table} `), `${table} has rows to be looked at`);
  }
  // A phone is kept where dispatchers need it: with the driver, the response and the message that carries it.
  const elsewhere = dump.split('\n').filter((line) => !/^INSERT INTO public\.(drivers|responses|outbox) /.test(line)).join('\n');
  mustHideSecrets('the dump', elsewhere);
  assert.deepEqual(leaksIn(dump).map((leak) => leak.name), ['phone of the driver']);
});

test('no command line carries one, and production writes no memory to disk', async (context) => {
  lookAtProcesses();
  assert.ok([...commandLines].some((line) => line.includes('fura')));
  for (const line of commandLines) mustHideSecrets('a command line', line);
  assert.match(fs.readFileSync(path.join(ROOT, 'deploy', 'fura.service'), 'utf8'), /^LimitCORE=0$/m);
  const strong = { ...ENV, FURA_ENV: 'production', WEBAPP_URL: 'https://cargo.example/', TELEGRAM_WEBHOOK_SECRET: random('telegram secret'), FURA_RATE_LIMITS: undefined, YOOKASSA_ALLOWED_IPS: undefined };
  const production = new Fura({ env: { ...product.serviceEnv(), ...strong } });
  context.after(() => production.stop());
  await production.serve({ ready: false });
  for (const pid of [production.pid, ...production.workers()]) {
    assert.match(fs.readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m);
  }
});

test('a secret that is printed is found, in the clear and in any coding', async () => {
  const script = path.join(tempFolder('leak'), 'leak.lua');
  for (const leak of ['SECRET', 'host.crypto.base64("shop:" .. SECRET)', 'host.crypto.base64url("x" .. SECRET)', 'host.crypto.hex(SECRET)', 'host.json.encode { key = SECRET }']) {
    fs.writeFileSync(script, `local SECRET = host.config.session.secret[1]\nprint(${leak})\n`);
    await assert.rejects(product.fura.command('run', script), /shows secrets:\n {2}session secret/, leak);
  }
  assert.ok(leaksIn(`?key=${encodeURIComponent(SETTINGS.TELEGRAM_BOT_TOKEN)}`).every(({ name }) => name === 'TELEGRAM_BOT_TOKEN'));
  assert.equal(leaksIn('nothing to see').length, 0);
});
