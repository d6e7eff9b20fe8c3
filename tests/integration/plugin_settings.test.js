'use strict';
// Settings of plugins from the panel: they beat the conf file in every worker at once, and what a plugin refuses changes nothing.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { AppCopy } = require('../support/app_copy.js');
const { Fura } = require('../support/fura.js');
const { Panel } = require('../support/panel.js');
const { Product } = require('../support/product.js');
const { everywhere, until } = require('../support/client.js');

const SECRET = 'a-secret-nobody-may-ever-see-here';
const CAREFUL = `return { name = "careful", version = "1.0.0", api = 1, stage = "rules", needs = { "timer" },
  config = { word = { type = "string", default = "quiet", max = 20 }, factor = { type = "number", default = 1, min = 0 },
    mood = { type = "string", default = "calm", one_of = { "calm", "wild" } }, key = { type = "secret" } },
  start = function(self, conf)
    if conf.word == "bad" then error("start does not like that word", 0) end
    host.log.info("careful begins", { word = conf.word })
    self.word = conf.word
    host.timer.every(20, function() host.metrics.count("beats_total", { word = conf.word }) end)
  end,
  stop = function(self, reason) host.log.info("careful stops", { word = self.word, reason = reason }) end,
  on_response = function(self, req, res, conf)
    res.headers["X-Careful"] = self.word .. " " .. conf.word .. " " .. conf.factor .. " " .. conf.mood .. " " .. (conf.key and #conf.key or 0)
  end,
  deliver = function(self, data) return true end,
  jobs = { { every = "1d", name = "look", run = function(self, conf) return { word = conf.word } end } },
  routes = { { "GET", "/plugins/careful/here", access = "public", handle = function() return { body = { here = true } } end } } }\n`;

const GATE = `return { name = "gate", version = "1.0.0", api = 1, stage = "edge", config = {
    closed = { type = "boolean", default = true }, words = { type = "string", default = "Closed.", doc = "read at the gate", doc_ru = "что читают у ворот" },
    open_paths = { type = "list", default = { "/admin", "/webhooks/" } } },
  on_request = function(self, req, conf)
    for _, prefix in ipairs(conf.open_paths) do
      if req.path:sub(1, #prefix) == prefix then return nil end
    end
    if conf.closed then return { problem = "not_ready", status = 503, detail = conf.words } end
  end }\n`;

let app, product, admin, viewer;
before(async () => {
  app = new AppCopy();
  app.write('plugins/careful/plugin.lua', CAREFUL);
  app.write('plugins/gate/plugin.lua', GATE);
  app.configure('{ careful = { factor = 2 }, gate = { closed = false } }');
  product = await Product.start({ root: app.root });
  admin = await Panel.of(product, 'boss');
  viewer = await Panel.of(product, 'guest', '--role', 'viewer');
});
after(async () => {
  await product?.stop();
  app?.close();
});

const said = async (client = product.client) => (await client.get('/api/v1/tariffs')).headers['x-careful'];
const allSay = (wanted, client) => everywhere(async () => (await said(client)) === wanted);
const soon = (check, what) => until(check, { what, timeoutMs: 1000, stepMs: 20 });
const page = async (who = admin, name = 'careful') => who.get(`/admin/plugins/${name}`);
const versionOf = (text) => /name="version" value="([^"]+)"/.exec(text)[1];

async function save(fields, { name = 'careful', who = admin, version } = {}) {
  const form = Object.fromEntries(Object.entries(fields).map(([key, value]) => [`set_${key}`, value]));
  return who.send(`/admin/plugins/${name}/settings`, { version: version ?? versionOf((await page(admin, name)).text), ...form });
}
const reset = async (key) => admin.send('/admin/plugins/careful/reset', { key, version: versionOf((await page()).text) });
const stored = () => product.postgres.query("SELECT name, kind, value::text FROM settings WHERE name LIKE 'plugins.%' ORDER BY name");
const trail = (action) => product.postgres.query(`SELECT actor_id, target_id, details->'before', details->'after' FROM audit_log
  WHERE action = '${action}' ORDER BY id`);

/** The part of the page about one field. */
function fieldOf(text, key) {
  const at = text.indexOf(`set-${key}-about`);
  return text.slice(text.lastIndexOf('<div class="setting', at), text.indexOf('</div>', at));
}

test('the page has a control of the right kind for each setting, and says where its value comes from', async () => {
  const { text } = await page();
  assert.match(fieldOf(text, 'factor'), /type="number" step="any" min="0"[^>]*value="2"/);
  assert.match(fieldOf(text, 'factor'), /из файла[^]*conf\/default\.lua:3/);
  assert.match(fieldOf(text, 'word'), /maxlength="20" value="quiet"/);
  assert.match(fieldOf(text, 'word'), /по умолчанию/);
  assert.match(fieldOf(text, 'mood'), /<select[^]*<option value="calm" selected>[^]*<option value="wild">/);
  assert.match(fieldOf(text, 'key'), /type="password"/);
  const gate = (await page(admin, 'gate')).text;
  assert.match(gate, /<select id="set-closed"[^]*<option value="false" selected>/);
  assert.match(fieldOf(gate, 'words'), /что читают у ворот/);
  assert.match(gate, /<textarea id="set-open_paths"[^>]*>\n\/admin\n\/webhooks\/<\/textarea>/);
});

test('a saved setting beats the conf file in all workers of two nodes within a second, and is in the journal', async (context) => {
  const other = new Fura({ root: app.root, env: product.serviceEnv() });
  context.after(() => other.stop());
  await other.serve();
  assert.ok(await allSay('quiet quiet 2 calm 0'));
  assert.equal((await save({ word: 'loud', factor: '0,5', mood: 'wild' })).status, 303);
  await soon(async () => (await allSay('loud loud 0.5 wild 0')) && (await allSay('loud loud 0.5 wild 0', other.client)), 'the new settings');
  assert.deepEqual(await trail('setting.changed'), [['boss', 'plugins.careful.factor', 'null', '0.5'],
    ['boss', 'plugins.careful.mood', 'null', '"wild"'], ['boss', 'plugins.careful.word', 'null', '"loud"']]);
  const { text } = await page();
  assert.match(fieldOf(text, 'factor'), /из панели[^]*Действует: <b>0\.5<\/b>[^]*boss; в файле: 2/);
});

test('a start beginning anew ends what the one before began', async () => {
  assert.ok(/careful stops.*"word":"quiet"/.test(product.fura.log));
  const beats = async (word) => Number(new RegExp(`beats_total{[^}]*word="${word}"} (\\d+)`).exec((await product.client.get('/metrics')).text)?.[1] ?? 0);
  const [loud, quiet] = [await beats('loud'), await beats('quiet')];
  await until(async () => (await beats('loud')) > loud + 5, { what: 'beats of the new start' });
  assert.equal(await beats('quiet'), quiet);
});

test('a reload and a new worker keep the settings of the panel from their first request on', async () => {
  for (let n = 0; n < 3; n++) {
    assert.equal((await product.fura.command('reload')).code, 0);
    assert.ok(await allSay('loud loud 0.5 wild 0'), 'never once the word of the file');
  }
});

test('what the schema refuses changes nothing, and each field says what is wrong with it', async () => {
  const before = await stored();
  const answer = await save({ word: 'x'.repeat(21), factor: '-1', mood: 'angry' });
  assert.equal(answer.status, 422);
  assert.match(fieldOf(answer.text, 'word'), /class="error"[^]*не больше 20 знаков/);
  assert.match(fieldOf(answer.text, 'word'), new RegExp(`value="${'x'.repeat(21)}"`), 'what was typed is kept');
  assert.match(fieldOf(answer.text, 'factor'), /не меньше 0/);
  assert.match(fieldOf(answer.text, 'mood'), /одно из: calm, wild/);
  const many = await save({ factor: 'много' });
  assert.match(fieldOf(many.text, 'factor'), /нужно число/);
  assert.deepEqual(await stored(), before);
  assert.ok(await allSay('loud loud 0.5 wild 0'));
});

test('what the plugin\'s own start refuses changes nothing', async () => {
  const before = await stored();
  const answer = await save({ word: 'bad', factor: '3' });
  assert.equal(answer.status, 422);
  assert.match(answer.text, /плагин не принял такие настройки/);
  assert.match(answer.text, /start does not like that word/);
  assert.deepEqual(await stored(), before);
  assert.ok(await allSay('loud loud 0.5 wild 0'));
});

test('settings that somebody else changed meanwhile are not overwritten unseen', async () => {
  const old = versionOf((await page()).text);
  assert.equal((await save({ factor: '4' })).status, 303);
  const answer = await save({ factor: '5' }, { version: old });
  assert.equal(answer.status, 409);
  assert.match(fieldOf(answer.text, 'factor'), /value="5"[^]*Действует: <b>4<\/b>/);
  assert.equal((await save({ factor: '5' }, { version: versionOf(answer.text) })).status, 303, 'seen, it may be');
});

test('of two who save at the same moment one is told', async () => {
  const version = versionOf((await page()).text);
  const answers = await Promise.all(['6', '7', '8', '9'].map((factor) => save({ factor }, { version })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [303, 409, 409, 409]);
});

test('«как в файле» brings the value of the file back', async () => {
  assert.equal((await reset('factor')).status, 303);
  await soon(() => allSay('loud loud 2 wild 0'), 'the factor of the file');
  assert.equal((await save({ word: '', mood: 'calm' })).status, 303, 'an empty text and the value of the file do it too');
  await soon(() => allSay('quiet quiet 2 calm 0'), 'the file');
  assert.deepEqual(await stored(), []);
  assert.match((await admin.get('/admin/plugins/careful?done=as_in_file')).text, /Снова как в файле/);
});

test('a secret goes in sealed and never comes out', async () => {
  assert.equal((await save({ key: SECRET })).status, 303);
  await soon(() => allSay(`quiet quiet 2 calm ${SECRET.length}`), 'the key');
  assert.deepEqual((await stored()), [['plugins.careful.key', 'secret', '']]);
  assert.equal((await save({ key: '', factor: '3' })).status, 303, 'an empty field keeps it');
  await soon(() => allSay(`quiet quiet 3 calm ${SECRET.length}`), 'the factor beside it');
  const refused = await save({ key: SECRET, factor: '-3' });
  assert.equal(refused.status, 422);
  for (const text of [refused.text, (await page()).text, (await admin.get('/admin/audit')).text, (await admin.get('/admin/rules')).text]) {
    assert.ok(!text.includes(SECRET));
  }
  assert.match(fieldOf((await page()).text, 'key'), /задан, не показывается/);
  assert.ok(!product.fura.log.includes(SECRET));
  await reset('key');
  await reset('factor');
  await soon(() => allSay('quiet quiet 2 calm 0'), 'the file');
});

test('a plugin that is switched off is passed over everywhere until it is switched on', async () => {
  assert.equal((await admin.send('/admin/plugins/careful/switch', { enabled: 'false' })).status, 303);
  await soon(() => allSay(undefined), 'no plugin');
  assert.equal((await product.client.get('/plugins/careful/here')).status, 404);
  assert.match((await product.fura.command('jobs', 'run', 'careful.look')).output, /switched off/);
  await product.postgres.query("INSERT INTO outbox (kind, chat_key, payload) VALUES ('plugin:careful', 'q', '{\"data\": {}}')");
  const waits = "SELECT state || ' ' || attempts || ' ' || coalesce(last_error, '') FROM outbox WHERE kind = 'plugin:careful'";
  await until(async () => /^waiting 0 .*plugin_off/.test(await product.postgres.value(waits)), { what: 'the delivery to be put back', timeoutMs: 20000 });
  assert.match((await page()).text, /выключен/);
  assert.match((await product.fura.command('plugins')).stdout, /switched off: fura settings unset plugins\.careful/);
  assert.match((await admin.get('/admin/rules')).text, /careful[^]*выключен/);
  assert.equal((await admin.send('/admin/plugins/careful/switch', { enabled: 'true' })).status, 303);
  await soon(() => allSay('quiet quiet 2 calm 0'), 'the plugin again');
  assert.equal((await product.client.get('/plugins/careful/here')).status, 200);
});

test('a gate is closed and opened by the panel, and one who shut himself out opens it by the command line', async () => {
  assert.equal((await save({ closed: 'true', words: 'Скоро вернёмся' }, { name: 'gate' })).status, 303);
  await soon(async () => (await product.client.get('/api/v1/tariffs')).json.detail === 'Скоро вернёмся', 'the sign');
  assert.equal((await save({ open_paths: '' }, { name: 'gate' })).status, 303, 'an empty list is one');
  await soon(async () => (await admin.get('/admin/')).status === 503, 'a panel that was closed too');
  const end = await product.fura.command('settings', 'unset', 'plugins.gate.closed');
  assert.equal(end.code, 0, end.output);
  await soon(() => allSay('quiet quiet 2 calm 0'), 'the end of it');
  assert.equal((await product.fura.command('settings', 'unset', 'plugins.gate.open_paths')).code, 0);
});

test('a stored value that the plugin no longer understands is left out and said, and the server runs', async () => {
  assert.equal((await save({ word: 'loud' })).status, 303);
  await soon(() => allSay('loud loud 2 calm 0'), 'the word');
  app.edit('plugins/careful/plugin.lua', 'default = "quiet", max = 20', 'default = "quiet", max = 5, check = function(w) return w == "loud" and "is too loud" or nil end');
  assert.equal((await product.fura.command('reload')).code, 0);
  await soon(() => allSay('quiet quiet 2 calm 0'), 'the file');
  await until(async () => /не действуют[^]*is too loud/.test((await page()).text), { what: 'the page to say so' });
  assert.equal((await reset('word')).status, 303);
  await until(async () => !/не действуют/.test((await page()).text), { what: 'peace' });
});

test('what is stored for a setting that the plugin has no more is shown and can be forgotten', async () => {
  assert.equal((await save({ mood: 'wild' })).status, 303);
  const { text } = await page();
  app.edit('plugins/careful/plugin.lua', 'mood = {', 'spirit = {');
  assert.equal((await product.fura.command('reload')).code, 0);
  const after = await page();
  assert.match(after.text, /таких настроек у плагина больше нет[^]*<code>mood<\/code>/);
  assert.equal((await admin.send('/admin/plugins/careful/reset', { key: 'mood', version: versionOf(text) })).status, 303);
  assert.ok(!(await stored()).some(([name]) => name === 'plugins.careful.mood'));
  app.edit('plugins/careful/plugin.lua', 'spirit = {', 'mood = {');
  assert.equal((await product.fura.command('reload')).code, 0);
});

test('a viewer reads the settings and changes none', async () => {
  const { text, status } = await page(viewer);
  assert.equal(status, 200);
  assert.ok(!/<form[^>]*plugins/.test(text));
  for (const what of ['settings', 'reset', 'switch']) {
    assert.equal((await viewer.send(`/admin/plugins/careful/${what}`, { enabled: 'false', key: 'word', set_word: 'x' })).status, 403, what);
  }
  assert.equal((await page(admin, 'no_such')).status, 404);
});

test('the command line sets and shows them too', async () => {
  const end = await product.fura.commandWith('1.5\n', 'settings', 'set', 'plugins.careful.factor');
  assert.equal(end.code, 0, end.output);
  await soon(() => allSay('quiet quiet 1.5 calm 0'), 'the factor');
  assert.match((await product.fura.command('settings', 'list')).stdout, /plugins\.careful\.factor +json +1\.5/);
  assert.equal((await product.fura.commandWith('-1\n', 'settings', 'set', 'plugins.careful.factor')).code, 1);
  assert.equal((await product.fura.command('settings', 'unset', 'plugins.careful.factor')).code, 0);
});
