'use strict';
// The commands that need no running server.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const path = require('node:path');
const { Child, run } = require('../support/child.js');
const { binary } = require('../support/fura.js');
const { until } = require('../support/client.js');
const { Small } = require('../support/process.js');

let app;
before(() => { app = new Small(); });
after(() => app.stop());

const console_ = (input) => run(binary(), ['console'], { env: app.env, cwd: app.root, input });

test('fura alone prints the menu, with the commands of the application', async () => {
  const end = await run(binary(), [], { env: app.env, cwd: app.root });
  assert.equal(end.code, 0);
  for (const name of ['serve', 'check', 'reload', 'console', 'version']) assert.match(end.stdout, new RegExp(`^  ${name} `, 'm'));
  assert.match(end.stdout, /^ {2}greet +greet somebody$/m);
});

test('every command explains itself', async () => {
  const menu = (await run(binary(), [], { env: app.env, cwd: app.root })).stdout;
  const names = [...menu.matchAll(/^ {2}(\w+) /gm)].map((match) => match[1]);
  for (const name of names) {
    const end = await app.command(name, '--help');
    assert.equal(end.code, 0, name);
    assert.match(end.stdout, new RegExp(`^usage: fura ${name}`));
  }
});

test('a mistyped command suggests the nearest, a wrong use ends with status 2', async () => {
  const typo = await app.command('relaod');
  assert.equal(typo.code, 2);
  assert.match(typo.stderr, /no command relaod; did you mean reload\?/);
  assert.equal((await app.command('status', '--colour')).code, 2);
  assert.equal((await app.command('kill')).code, 2);
  assert.equal((await app.command('run')).code, 2);
  assert.equal((await app.command('migrate', 'sideways')).code, 2);
});

test('version names every library', async () => {
  const end = await app.command('version', '--json');
  const facts = JSON.parse(end.stdout);
  for (const name of ['fura', 'luajit', 'libevent', 'libcurl', 'libpq', 'hiredis', 'openssl']) assert.match(facts[name], /\d+\.\d+/, name);
  assert.match(facts.watchdog, /^(jit|interpreter)$/);
});

test('check is content with a sound application and lists what is wrong with another', async () => {
  const sound = await app.command('check');
  assert.equal(sound.code, 0, sound.output);
  const other = new Small();
  other.edit('lua/answers.lua', 'return {\n  greeting = "a" .. nothing_known,\n}\n');
  const end = await other.command('check', '--json');
  assert.equal(end.code, 1);
  const verdict = JSON.parse(end.stdout);
  assert.equal(verdict.ok, false);
  assert.match(verdict.problems.join('\n'), /lua\/answers\.lua:2: .*nothing_known/);
  await other.stop();
});

test('check names two routes that collide', async () => {
  const other = new Small();
  other.edit('lua/init.lua', 'return { routes = { { "GET", "/a", name = "one" }, { "GET", "/a", name = "two" } }, dispatch = function() end }\n');
  const end = await other.command('check');
  assert.equal(end.code, 1);
  assert.match(end.stdout, /\/a/);
  await other.stop();
});

test('routes lists method, path and limits', async () => {
  const routes = JSON.parse((await app.command('routes', '--json')).stdout);
  assert.deepEqual(routes.map((route) => `${route.method} ${route.path}`), ['GET /hello', 'GET /slow']);
  for (const route of routes) assert.deepEqual([route.max_body_bytes, route.deadline_ms], [1048576, 30000]);
});

test('a word that a command does not know what to do with is a mistake of usage', async () => {
  for (const name of ['serve', 'check', 'status', 'ps', 'stop', 'routes', 'config', 'console', 'version']) {
    const end = await app.command(name, 'now');
    assert.deepEqual([end.code, end.stderr.trim()], [2, `usage: fura ${name}`], name);
  }
});

test('config tells the origin of each value', async () => {
  const settings = JSON.parse((await app.command('config', '--json')).stdout);
  assert.deepEqual(settings.listen, { value: '127.0.0.1:0', origin: 'environment FURA_LISTEN' });
  assert.match(settings.shutdown_timeout_s.origin, /^conf\/default\.lua:\d+$/);
});

test('the application is found by the configuration file from any folder', async () => {
  const end = await run(binary(), ['check', '-c', path.join(app.root, 'conf', 'default.lua')], { env: app.env, cwd: '/' });
  assert.equal(end.code, 0, end.output);
});

test('run gives a script its arguments, options included, and takes its exit status', async () => {
  app.edit('script.lua', 'local a, b = ...\nhost.task.sleep(1)\nprint(a, b, require("answers").greeting, io.read("*l"))\nreturn 7\n');
  const end = await run(binary(), ['run', 'script.lua', 'one', '--json'], { env: app.env, cwd: app.root, input: 'from stdin\n' });
  assert.equal(end.stdout, 'one\t--json\thello\tfrom stdin\n');
  assert.equal(end.code, 7);
});

test('run shows where a script failed', async () => {
  app.edit('script.lua', '\nerror("no luck")\n');
  const raised = await app.command('run', 'script.lua');
  assert.equal(raised.code, 1);
  assert.match(raised.stderr, /script\.lua:2: no luck/);
  app.edit('script.lua', 'return nil, { code = "timeout", text = "the world was slow" }\n');
  const failed = await app.command('run', 'script.lua');
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /the world was slow/);
  assert.equal((await app.command('run', 'absent.lua')).code, 1);
});

const CTRL_C = '\x03';

const ENDLESS = {
  'computes': [[`local n = 0 while true do n = n + 1 end`], /script\.lua:2: in main chunk/],
  'hides in pcall': [['local function loop() while true do end end', 'while true do pcall(loop) end'], /script\.lua:3: in main chunk/],
  'computes in tasks': [['while true do host.task.spawn(function() for _ = 1, 1e9 do end end) end'], /script\.lua:2: in main chunk/],
  'waits': [['host.task.sleep(1e6)'], /in function 'sleep'\n\tscript\.lua:2: in main chunk/],
  'reads': [['io.read()', 'while true do end'], /script\.lua:[23]: in main chunk/],
};

for (const [what, [lines, place]] of Object.entries(ENDLESS)) {
  test(`a signal ends a script that ${what} without end, and tells where it was`, async () => {
    app.edit('script.lua', `io.write("begun\\n") io.flush()\n${lines.join('\n')}\n`);
    for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) {
      const child = new Child(binary(), ['run', 'script.lua'], { env: app.env, cwd: app.root, stdin: 'pipe' });
      await child.waitFor(/begun\n/);
      assert.deepEqual(await child.stop(signal), { code, signal: null }, child.output);
      assert.match(child.output, /^interrupted$/m);
      assert.match(child.output, place);
    }
  });
}

test('Ctrl-C stops the line of the console that runs, at the prompt the console', async () => {
  const child = new Child('script', ['-qec', `'${binary()}' console`, '/dev/null'], { env: app.env, cwd: app.root, stdin: 'pipe' });
  await child.waitFor(/fura> $/);
  for (const line of ['while true do end', 'host.task.sleep(1e6)']) {
    const before = child.output.length;
    const added = () => child.output.slice(before);
    child.type(`print("be" .. "gun") ${line}\n`);
    await until(() => added().includes('begun'), { what: 'the line runs' });
    child.type(CTRL_C);
    await until(() => /interrupted\r\nstack traceback:\r\n[^]*console:1: in main chunk[^]*fura> $/.test(added()), { what: 'the prompt is back' });
  }
  child.type(CTRL_C);
  assert.deepEqual(await child.ended, { code: 130, signal: null }, child.output);
});

test('the console evaluates expressions, statements over lines, and calls that wait', async () => {
  const end = await console_('1 + 1\nx = { 3, name = "a" }\nx\nfor i = 1, 2 do\nprint(i)\nend\nhost.task.sleep(1)\nnil, "b"\n');
  assert.equal(end.code, 0, end.output);
  assert.deepEqual(end.stdout.split('\n'), ['2', '{ 3, name = "a" }', '1', '2', 'nil', '"b"', '']);
});

test('the console survives mistakes and shows their place', async () => {
  const end = await console_('error "oops"\nlocal = 1\n"still here"\n');
  assert.equal(end.code, 0);
  assert.match(end.stderr, /oops/);
  assert.match(end.stderr, /console:1: /);
  assert.equal(end.stdout, '"still here"\n');
});

test('a command of the application runs here and asks the server', async () => {
  assert.equal((await app.command('greet', 'Ann')).stdout, 'hello, Ann\n');
  assert.equal((await app.command('greet')).code, 2);
  const alone = await app.command('greet', 'Ann', '--server');
  assert.equal(alone.code, 1);
  assert.match(alone.stderr, /no server is running here/);
  const server = await new Small().serve();
  assert.equal((await server.command('greet', 'Ann', '--server')).stdout, 'hello, Ann\n');
  await server.stop();
});
