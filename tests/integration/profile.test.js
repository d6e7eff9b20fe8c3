'use strict';
// fura profile: where the scripts of a running server spend CPU time, by rule, route and function.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { Child } = require('../support/child.js');
const { binary } = require('../support/fura.js');
const { Small, repeat, until } = require('../support/process.js');

const SOURCE = `
local host = host
local handlers = {}

local function busy(ms)
  local n, until_ms = 0, host.time.monotonic_ms() + ms
  while host.time.monotonic_ms() < until_ms do for i = 1, 1000 do n = n + i % 3 end end
  return n
end
local function price(ms) local n = busy(ms) return n end
function handlers.hello() return { body = "hello" } end
function handlers.card() return { body = tostring((host.script.guard("rule card.format", {}, function() local n = price(30) return n end))) } end
function handlers.light() busy(5) return { body = "light" } end
function handlers.labelled()
  host.task.spawn_with({ label = "цена <груза> & \\"ещё\\"" }, function() busy(30) end):join()
  return { body = "done" }
end

local routes = {}
for name in pairs(handlers) do routes[#routes + 1] = { "GET", "/" .. name, name = name } end
return {
  routes = routes,
  dispatch = function(request, index)
    local light, handler = handlers.light, handlers[routes[index].name]
    local answer = handler == light and light() or handler(request)
    return answer
  end,
}
`;

let server;
before(async () => {
  server = new Small({ FURA_WORKERS: '2' });
  server.edit('lua/init.lua', SOURCE);
  await server.serve();
});
after(() => server.stop());

const prefix = () => path.join(server.folder, 'profile');
const read = (ending) => fs.readFileSync(`${prefix()}.${ending}`, 'utf8');

/** Ask for these again and again while `work` runs. */
async function under(paths, work) {
  const stops = paths.map((target) => repeat(() => server.client.get(target).catch(() => {}), 1));
  try {
    return await work();
  } finally {
    await Promise.all(stops.map((stop) => stop()));
  }
}

async function profile(seconds = '2') {
  const end = await server.command('profile', '--seconds', seconds, '--out', prefix(), '--json');
  return { ...end, json: JSON.parse(end.stdout.trim().split('\n').at(-1)) };
}

test('a server without work has no picture, and says so', async () => {
  const end = await profile('1');
  assert.equal(end.code, 1);
  assert.equal(end.json.code, 'no_samples');
  assert.match((await server.command('profile', '--seconds', '1', '--out', prefix())).stderr, /no samples: nothing ran/);
  assert.equal(fs.existsSync(`${prefix()}.svg`), false);
});

test('the rule and the route that use the processor come first', async () => {
  const end = await under(['/card', '/card', '/light'], () => profile());
  assert.equal(end.code, 0, end.output);
  assert.equal(end.json.workers, 2);
  assert.deepEqual(end.json.rules.map((rule) => rule.name), ['rule card.format']);
  const [card, light] = ['/card', '/light'].map((name) => end.json.routes.find((route) => route.name === name).samples);
  assert.equal(end.json.routes[0].name, '/card');
  assert.ok(card > 2 * light, `${card} and ${light}`);
  assert.ok(end.json.rules[0].samples > card * 0.8);
});

test('folded stacks lead from the server over route, rule and functions to a line and the state of the VM', async () => {
  await under(['/card', '/light'], () => profile());
  const folded = read('folded');
  assert.match(folded, /^fura;\/card;rule card\.format;.*price lua\/init\.lua:\d+;busy lua\/init\.lua:\d+;line \d+, (compiled|interpreted|C) \d+$/m);
  assert.match(folded, /^fura;\/light;dispatch lua\/init\.lua:\d+;handlers\.light lua\/init\.lua:\d+;busy lua\/init\.lua:\d+;line \d+, \w+ \d+$/m);
  assert.doesNotMatch(folded, /=dispatch|host\.script/);
});

test('the picture stands alone and survives any letters in a name', async () => {
  await under(['/labelled', '/labelled'], () => profile());
  const svg = read('svg');
  assert.match(svg, /<title>цена &lt;груза&gt; &amp; &quot;ещё&quot; — \d+ of \d+ samples/);
  assert.match(svg, /<title>fura — (\d+) of \1 samples, 100\.00%/);
  assert.doesNotMatch(svg, /<script|href|url\(|@import/);
  assert.equal(svg.match(/<g>/g).length, svg.match(/<\/g>/g).length);
});

test('for people there are two tables and the names of the files', async () => {
  const end = await under(['/card'], () => server.command('profile', '--seconds', '1', '--out', prefix()));
  assert.equal(end.code, 0);
  assert.match(end.stdout, /by rule and plugin\n +\d+ +[\d.]+% {2}rule card\.format\n/);
  assert.match(end.stdout, /by route and job\n +\d+ +[\d.]+% {2}\/card\n/);
  assert.match(end.stdout, /profile\.folded\n.*profile\.svg\n/);
});

/** A profile that would take minutes, as a process of its own. */
const patient = () => new Child(binary(), ['profile', '--seconds', '300', '--out', prefix()], { env: server.env, cwd: server.root });

/** One that lasts nothing is refused too, but for another reason while none is being taken. */
async function isRunning() {
  const socket = net.connect(server.control);
  socket.write('{"command":"profile","seconds":0}\n');
  const chunks = [];
  for await (const chunk of socket) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks)).code === 'profile_running';
}

test('a second profile at once is refused; when the asker of the first leaves, sampling stops and the next one runs', async () => {
  await under(['/card'], async () => {
    const first = patient();
    await until(isRunning, { what: 'the first profile to run' });
    const refused = await server.command('profile', '--seconds', '1', '--out', prefix());
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /another profile is being taken/);
    await first.stop('SIGKILL');
    await until(async () => !(await isRunning()), { what: 'the end of the first' });
    const next = await profile('1');
    assert.equal(next.json.routes[0].name, '/card');
  });
});

test('a worker that dies meanwhile is told of, and the others are shown', async () => {
  await under(['/card', '/card'], async () => {
    const [doomed] = await server.untilLive();
    const taken = profile('3');
    await until(isRunning, { what: 'the profile to run' });
    process.kill(doomed.pid, 'SIGKILL');
    const end = await taken;
    assert.equal(end.code, 0, end.output);
    assert.deepEqual([end.json.workers, end.json.lost], [1, 1]);
    await server.untilLive();
  });
});

test('scripts that run interpreted, as during a canary, are seen too', async () => {
  server.edit('lua/answers.lua', 'return { greeting = "changed" }\n');
  assert.equal((await server.command('reload', '--canary', '50%', '--for', '5m')).code, 0);
  const end = await under(['/card', '/light'], () => profile());
  assert.equal(end.json.routes[0].name, '/card');
  assert.match(read('folded'), /busy lua\/init\.lua:\d+;line \d+, interpreted \d+$/m);
  assert.doesNotMatch(read('folded'), /compiled/);
  assert.equal((await server.command('reload', '--withdraw')).code, 0);
});

for (const args of [['--seconds', '0'], ['--seconds', 'long'], ['--seconds', '301'], ['--seconds'], ['--out'], ['more']]) {
  test(`profile ${args.join(' ')} is a mistake of usage`, async () => {
    assert.equal((await server.command('profile', ...args)).code, 2);
  });
}
