'use strict';
// `make demo` after its build: what it prints is true.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { once } = require('node:events');
const { Child, run, removeFolder, tempFolder } = require('../support/child.js');
const { Client } = require('../support/client.js');
const { ROOT, binary } = require('../support/fura.js');
const { Panel } = require('../support/panel.js');

const COPIED = ['lua', 'conf', 'migrations', 'plugins', 'build/static', 'tools', 'tests/simulators', 'tests/support'];

let folder, demo, printed, env;

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

before(async () => {
  folder = tempFolder('demo');
  for (const part of COPIED) fs.cpSync(path.join(ROOT, part), path.join(folder, part), { recursive: true });
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  env = { ...process.env, FURA_BINARY: binary(), FURA_LISTEN: `127.0.0.1:${await freePort()}`, FURA_WORKERS: '1' };
  demo = new Child(process.execPath, ['tools/demo.js'], { cwd: folder, env, deathSignal: 'TERM' });
  await demo.waitFor(/Ctrl-C stops everything/, 120000);
  printed = demo.output;
});

after(async () => {
  await demo?.stop('SIGINT');
  if (folder) {
    await run(process.execPath, ['tools/demo.js', '--reset'], { cwd: folder, env });
    removeFolder(folder);
  }
});

const address = () => /Open (http:\S+)\//.exec(printed)[1];

test('its panel opens with the login it prints', async () => {
  const [, login, password] = /login (\w+), password (\S+)\)/.exec(printed);
  const panel = await new Panel(new Client(address())).login({ login, password });
  assert.equal((await panel.get('/admin/rules')).status, 200);
});

test('a driver gets in by a press, sees cargo, and a printed promo code opens it', async () => {
  const client = new Client(address());
  const { json } = await client.post('/api/v1/auth/dev', { id: 7 });
  const driver = client.as(json.session_token);
  assert.equal((await driver.get('/api/v1/cargos?mode=all')).json.cards.length, 20);
  const [, code] = /promo\s+(\w+),/.exec(printed);
  assert.equal((await driver.post('/api/v1/promocodes/apply', { code })).status, 200);
  assert.equal((await driver.get('/api/v1/subscription')).json.active, true);
});

test('its chat of dispatchers is there to be looked at', async () => {
  const [, chat] = /Telegram\s+(http:\S+)\//.exec(printed);
  assert.equal((await new Client(chat).get('/')).status, 200);
});
