'use strict';
// Scripts that never end, hide, or eat memory. Each is stopped within its budget and 100 ms of CPU; others are answered meanwhile.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { AppCopy } = require('../support/app_copy.js');
const { Fura } = require('../support/fura.js');
const { load, until } = require('../support/process.js');

const BUDGET_MS = 300;
const SLACK_MS = 100;
const TICK_MS = 10; // of the kernel's clock of CPU time

/** name → the body of a request's handler. */
const SCRIPTS = {
  'an empty loop': 'while true do end',
  'a loop that computes': 'local x = 0 while true do x = x + 1 end',
  'a for without end': 'for i = 1, 1e15 do end',
  'repeat until false': 'repeat until false',
  'nested loops': 'for i = 1, 1e9 do for j = 1, 1e9 do for k = 1, 1e9 do end end end',
  'a goto back': '::again:: goto again',
  'a tail call to itself': 'local function f(n) return f(n + 1) end f(1)',
  'a recursion that opens': 'local function f(n) if n == 0 then return 1 end return f(n - 1) + f(n - 1) end f(60)',
  'two functions that call each other': 'local a, b function a() return b() end function b() return a() end a()',
  'a loop inside pcall': 'while true do pcall(function() while true do end end) end',
  'pcall in pcall': 'local function f() return pcall(f) end while true do f() end',
  'an error handler that loops': 'xpcall(function() while true do end end, function() while true do end end)',
  'an error handler behind an error': 'xpcall(function() error("x") end, function() while true do end end)',
  'a coroutine that loops': 'coroutine.wrap(function() while true do end end)()',
  'coroutines made for ever': 'while true do coroutine.wrap(function() coroutine.yield() end)() end',
  'two coroutines that play': 'local co = coroutine.create(function() while true do coroutine.yield() end end) while true do coroutine.resume(co) end',
  'a sort that never agrees': 'local t = {} for i = 1, 200 do t[i] = i end while true do pcall(table.sort, t, function() for i = 1, 1e7 do end return true end) end',
  'a gsub with a loop inside': '("x"):gsub(".", function() while true do end end)',
  'an index that loops': 'return setmetatable({}, { __index = function() while true do end end }).x',
  'a comparison that loops': 'local m = { __lt = function() while true do end end } return setmetatable({}, m) < setmetatable({}, m)',
  'a tostring that loops': 'return tostring(setmetatable({}, { __tostring = function() while true do end end }))',
  'pairs again and again': 'local t = { 1, 2, 3 } while true do for _ in pairs(t) do end end',
  'texts joined again and again': 'local s = "" while true do s = ("x"):rep(100) .. #s end',
  'string.format again and again': 'while true do string.format("%d %s", 1, "x") end',
  'tables thrown away': 'while true do local t = { {}, {}, {} } end',
  'bits turned': 'local x = 1 while true do x = bit.bxor(bit.rol(x, 3), 7) end',
  'a pattern of optional letters': 'return (("a"):rep(28)):find(("a?"):rep(28) .. ("a"):rep(29))',
  'a pattern of stars': 'return (("a"):rep(60)):match(("a*"):rep(20) .. "b")',
  'a walk along a pattern of stars': 'for _ in (("a"):rep(60)):gmatch(("a-"):rep(20) .. "b") do end',
  'a replacement by a pattern of stars': 'return (("a"):rep(60)):gsub(("(a*)"):rep(20) .. "b", "%1")',
  'a pattern over a long text': 'return ("a"):rep(1e6):find(".-.-b")',
  'brackets that never close': 'return ("("):rep(4e6):find("%b()")',
  'what was captured, again': 'return ("a"):rep(1e6):find("(a*)%1b")',
  'a pattern inside pcall, again and again': 'while true do pcall(string.find, ("a"):rep(40), ("a?"):rep(40) .. ("a"):rep(41)) end',
  'a long text in a long text, again and again': 'local a = ("a"):rep(1e6) local b = a:sub(1, 5e5) .. "b" while true do a:find(b, 1, true) end',
  'a long list sorted, again and again': 'local t = {} for i = 1, 5e5 do t[i] = i * 7919 % 1000003 end while true do table.sort(t) t[1] = 1e9 end',
  'a table that holds itself twice, as JSON': 'local t = {} for _ = 1, 40 do t = { t, t } end while true do pcall(host.json.encode, t) end',
  'a block moved far': 'table.move({ 1 }, 1, 1e9, 2)',
  'a loop that logs its way': 'local n = 0 while true do n = n + #tostring(n) end',
};

/** What eats memory ends by the limit of the generation, or by the CPU budget, whichever comes first; what nests on the C stack long before its end. */
const EATERS = {
  'a replacement inside a replacement': 'local function f(s) return (s:gsub(".", f)) end return f("ab")',
  'a table of replacements that replaces': 'local t t = setmetatable({}, { __index = function(_, k) return (k:gsub(".", t)) end }) return ("a"):gsub(".", t)',
  'coroutines inside each other': 'local function f() return coroutine.wrap(f)() end return f()',
  'options that ask for options': 'local t t = setmetatable({}, { __index = function() return host.json.decode("[]", t) end }) return host.json.decode("[]", t)',
  'tasks inside each other': 'local function f() return host.task.with_deadline(60000, f) end return f()',
  'sorting inside of sorting': 'local function f() table.sort({ 2, 1, 3 }, f) return false end return f()',
  'a text that doubles': 'local s = "xxxxxxxx" while true do s = s .. s end',
  'one huge text': 'return #("x"):rep(2 ^ 30)',
  'big texts turned round': 'local s = ("x"):rep(15 * 2 ^ 20) while true do s = (s .. s):reverse():upper() end',
};

const pluginOf = (bodies) => `return { name = "hostile", version = "1.0.0", api = 1, stage = "rules", needs = { "task" }, routes = {\n${bodies
  .map((body, index) => `{ "GET", "/plugins/hostile/${index}", access = "public", handle = function() ${body} end },`).join('\n')}
{ "GET", "/plugins/hostile/well", access = "public", handle = function() return { body = { well = true } } end },\n} }\n`;

let app;
let fura;
let bodies;

before(async () => {
  app = new AppCopy();
  bodies = [...Object.values(SCRIPTS), ...Object.values(EATERS)].map((body) => body.replace(/^(.*)$/, 'do $1 end'));
  app.write('plugins/hostile/plugin.lua', pluginOf(bodies));
  app.configure('{ hostile = {} }', `  scripts = { warn_ms = 100, kill_ms = ${BUDGET_MS} },\n  lua_memory_mb = 64,\n`);
  // coroutine is no word of plugins: these handlers have it from the application.
  app.edit('lua/kit/plugin_host.lua', 'string = string, table = table, math = math, bit = bit }',
    'string = string, table = table, math = math, bit = bit, coroutine = coroutine }');
  app.edit('lua/kit/plugin_host.lua', '"math", "bit" }', '"math", "bit", "coroutine" }');
  app.edit('lua/services/plugin_calls.lua', 'local FAILURES = 10', 'local FAILURES = 1e9');
  fura = new Fura({ root: app.root, env: { FURA_WORKERS: '2', DATABASE_URL: undefined } });
  await fura.serve({ ready: false });
});

after(async () => {
  await fura?.stop();
  app?.close();
});

/** CPU time of all workers together, milliseconds. */
function cpuMs() {
  const one = (pid) => {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  };
  return fura.workers().map(one).reduce((sum, ms) => sum + ms, 0);
}

async function attack(index) {
  const began = cpuMs();
  const answer = await fura.client.get(`/plugins/hostile/${index}`);
  return { answer, spentMs: cpuMs() - began };
}

Object.keys(SCRIPTS).forEach((name, index) => {
  test(`${name} is stopped in time`, async () => {
    const workers = fura.workers();
    const { answer, spentMs } = await attack(index);
    assert.equal(answer.status, 503, answer.text);
    assert.ok(['script_timeout', 'plugin_failed'].includes(answer.json.code), answer.text);
    assert.ok(spentMs <= BUDGET_MS + SLACK_MS + 2 * TICK_MS, `it used ${spentMs} ms of CPU`);
    assert.deepEqual(fura.workers(), workers, 'no worker had to be replaced');
    assert.equal((await fura.client.get('/plugins/hostile/well')).status, 200);
  });
});

Object.keys(EATERS).forEach((name, index) => {
  test(`${name} does not take the server with it`, async () => {
    const workers = fura.workers();
    const { answer } = await attack(Object.keys(SCRIPTS).length + index);
    assert.ok(answer.status >= 500 || answer.status === 204, `${answer.status} ${answer.text}`);
    assert.deepEqual(fura.workers(), workers, 'no worker had to be replaced');
    assert.equal((await fura.client.get('/plugins/hostile/well')).status, 200);
  });
});

test('the log names the script, the budget and the line', () => {
  assert.match(fura.log, /plugins\/hostile\/plugin\.lua:\d+/);
});

test('neighbours are answered while scripts run wild', async () => {
  const neighbours = load(fura.client, '/livez', 2);
  for (let index = 0; index < 4; index += 1) await attack(index);
  const seen = await neighbours.stop();
  assert.deepEqual(seen.errors, []);
  assert.ok(seen.answers > 8, `${seen.answers} answers`);
});

const PRICE = 'local function price(kopecks, language)\n';

/** A price by the guarded way, asked for by /api/v1/tariffs. */
function askForPrice(kopecks) {
  app.edit('lua/contracts/billing/list_tariffs.lua', '    local data =', `    local value, problem = rules.call("card", "price", ${kopecks}, "ru")
    if context then
      return { data = host.json.array { { name = problem and problem.code or value, title = problem and problem.text or "", days = 1,
        price_kopecks = 1, price = "" } } }
    end
    local data =`);
}

async function reload() {
  const end = await fura.command('reload');
  assert.equal(end.code, 0, end.output);
}

const cardErrors = async () => JSON.parse((await fura.command('rules', '--json')).stdout).find((one) => one.name === 'card');
const firstName = async () => (await fura.client.get('/api/v1/tariffs')).json.data[0].name;

test('a rule called in passing is guarded too: its previous version answers, and without a sound one it is 503 script_timeout', async () => {
  const first = async () => (await fura.client.get('/api/v1/tariffs')).json;
  const endless = (times) => `  while kopecks == 49900 * ${times} do end\n`;
  await reload(); // what is there now has answered a request, so it is known as the version before
  assert.equal((await first()).data[0].price, '499 ₽');
  app.edit('lua/rules/card.lua', PRICE, `${PRICE}${endless('1')}`);
  await reload();
  assert.equal((await first()).data[0].price, '499 ₽');
  const card = await cardErrors();
  assert.deepEqual([card.errors, card.by_previous], [1, 1]);
  app.edit('lua/rules/card.lua', endless('1'), endless('1 / 1'));
  await reload();
  assert.deepEqual([(await first()).status, (await first()).code], [503, 'script_timeout']);
  app.edit('lua/rules/card.lua', endless('1 / 1'), '');
  await reload();
});

test('a rule that loops is stopped, and its previous version answers that call', async () => {
  askForPrice(77777);
  await reload();
  assert.equal(await firstName(), '777,77 ₽');
  app.edit('lua/rules/card.lua', PRICE, `${PRICE}  while kopecks == 77777 do end\n`);
  await reload();
  const began = cpuMs();
  assert.equal(await firstName(), '777,77 ₽');
  assert.ok(cpuMs() - began <= 500 + SLACK_MS + 2 * TICK_MS + BUDGET_MS);
  const card = await cardErrors();
  assert.deepEqual([card.errors, card.by_previous], [1, 1]);
  assert.match((await fura.command('rules')).stdout, /card\.lua .* 1, 1 of them answered by the previous version/);
});

test('a worker that starts later has the previous version too', async () => {
  const old = fura.workers();
  for (const pid of old) process.kill(pid, 'SIGKILL');
  await until(async () => {
    const now = fura.workers();
    const alive = now.length === old.length && now.every((pid) => !old.includes(pid));
    return alive && (await fura.client.get('/livez').catch(() => ({}))).status === 200;
  }, { what: 'new workers serve' });
  assert.equal(await firstName(), '777,77 ₽');
});

test('when both versions fail, the caller is told', async () => {
  app.edit('lua/rules/card.lua', '  while kopecks == 77777 do end\n', '  if kopecks == 77777 then error("no price today") end\n');
  await reload();
  assert.equal(await firstName(), 'rule_failed');
});

test('a version that never served a request answers for its successor too, from the very first call', async () => {
  app.edit('lua/rules/card.lua', '  if kopecks == 77777 then error("no price today") end\n', '  kopecks = kopecks + 0\n');
  await reload();
  app.edit('lua/rules/card.lua', '  kopecks = kopecks + 0\n', '  if kopecks == 77777 then error("no price tomorrow") end\n');
  await reload();
  assert.equal(await firstName(), '777,77 ₽');
});
