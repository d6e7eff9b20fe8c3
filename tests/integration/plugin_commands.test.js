'use strict';
// The way of a plugin by commands: made, tested, packed, verified; and what is refused on the way.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { AppCopy } = require('../support/app_copy.js');
const { Fura } = require('../support/fura.js');

let app;
let fura;
before(() => {
  app = new AppCopy();
  fura = new Fura({ root: app.root });
});
after(() => app.close());

const at = (file) => path.join(app.root, file);

test('a new plugin passes its own specs, is packed with its sums and verified', async () => {
  const made = await fura.command('plugin', 'new', 'greeter');
  assert.equal(made.code, 0, made.output);
  assert.match(made.stdout, /plugins\/greeter is made/);
  const tested = await fura.command('plugin', 'test', 'greeter');
  assert.equal(tested.code, 0, tested.output);
  assert.match(tested.stdout, /3 passed, 0 failed/);
  const packed = await fura.command('plugin', 'pack', 'greeter');
  assert.equal(packed.code, 0, packed.output);
  assert.match(packed.stdout, /^[0-9a-f]{64} {2}greeter-0\.1\.0\.tar\.gz$/m);
  const verified = await fura.command('plugin', 'verify', 'greeter-0.1.0.tar.gz');
  assert.equal(verified.code, 0, verified.output);
  assert.match(verified.stdout, /greeter 0\.1\.0: whole, fits fura/);
  execFileSync('sha256sum', ['--check', '--quiet', 'plugin.lock'], { cwd: at('plugins/greeter') });
});

test('packing the same twice gives the same file', async () => {
  const sum = async () => (await fura.command('plugin', 'pack', 'greeter')).stdout.match(/^[0-9a-f]{64} .*$/m)[0];
  assert.equal(await sum(), await sum());
});

test('a changed, an added and a missing file are named', async () => {
  execFileSync('cp', ['-r', at('plugins/greeter'), app.folder]);
  const folder = path.join(app.folder, 'greeter');
  fs.appendFileSync(path.join(folder, 'plugin.lua'), '-- more\n');
  fs.writeFileSync(path.join(folder, 'extra.lua'), 'return 1\n');
  fs.rmSync(path.join(folder, 'README.md'));
  execFileSync('tar', ['-czf', at('bad.tar.gz'), '-C', app.folder, 'greeter']);
  const end = await fura.command('plugin', 'verify', 'bad.tar.gz');
  assert.equal(end.code, 1);
  assert.match(end.stderr, /plugin\.lua was changed/);
  assert.match(end.stderr, /extra\.lua is not in plugin\.lock/);
  assert.match(end.stderr, /README\.md is missing/);
});

test('a file that would write elsewhere is refused before it is unpacked', async () => {
  fs.symlinkSync('/etc/passwd', path.join(app.folder, 'greeter', 'link'));
  execFileSync('tar', ['-czf', at('link.tar.gz'), '-C', app.folder, 'greeter']);
  assert.match((await fura.command('plugin', 'verify', 'link.tar.gz')).stderr, /neither a file nor a folder/);
  fs.writeFileSync(path.join(app.folder, 'outside'), 'x');
  execFileSync('tar', ['-czf', at('up.tar.gz'), '-P', '-C', path.join(app.folder, 'greeter'), '../outside']);
  assert.match((await fura.command('plugin', 'verify', 'up.tar.gz')).stderr, /outside of its folder/);
});

test('a plugin whose specs fail is not packed', async () => {
  app.edit('plugins/greeter/plugin.lua', 'conf.greeting', '"something else"');
  const end = await fura.command('plugin', 'pack', 'greeter');
  assert.equal(end.code, 1);
  assert.match(end.stderr, /its specs fail: nothing was packed/);
  app.restore();
});

test('names that are none, and one that is taken', async () => {
  for (const name of ['', 'Bad', '../x', '1st', 'a-b']) assert.notEqual((await fura.command('plugin', 'new', name)).code, 0, name);
  assert.match((await fura.command('plugin', 'new', 'cors')).stderr, /plugins\/cors is there already/);
  assert.equal((await fura.command('plugin')).code, 2);
});

test('fura plugins tells order and why, and hides secrets', async () => {
  app.configure(`{ cors = { origins = { "https://a.example" } }, maintenance = { enabled = false },
    webhook_out = { url = "https://crm.example/", secret = "very-secret-indeed-123", events = { "payment.succeeded" } } }`);
  const { stdout, output } = await fura.command('plugins');
  assert.match(stdout, /1\. cors[^]*2\. maintenance[^]*3\. webhook_out/);
  assert.match(stdout, /stage edge; maintenance says after cors/);
  assert.ok(!output.includes('very-secret'));
  const list = JSON.parse((await fura.command('plugins', '--json')).stdout);
  assert.deepEqual(list.map((one) => one.name), ['cors', 'maintenance', 'webhook_out']);
});

test('fura rules tells file, hash and self-tests', async () => {
  const list = JSON.parse((await fura.command('rules', '--json')).stdout);
  const tariffs = list.find((one) => one.name === 'tariffs');
  assert.equal(tariffs.file, 'lua/rules/tariffs.lua');
  assert.match(tariffs.hash, /^[0-9a-f]{16}$/);
  assert.ok(list.find((one) => one.name === 'card').examples > 0);
});
