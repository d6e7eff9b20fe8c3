'use strict';
// fura test: what it runs, what it says, and what it ends with.
const { test, before, after, afterEach } = require('node:test');
const assert = require('node:assert/strict');
const { AppCopy } = require('../support/app_copy.js');
const { Fura } = require('../support/fura.js');

let app;
let fura;
before(() => {
  app = new AppCopy();
  fura = new Fura({ root: app.root });
});
after(() => app.close());
afterEach(() => app.restore());

const IN_A_WORLD = 'local world = require "tool.world"\n';
const spec = (body, head = IN_A_WORLD) => `${head}describe("a thing", function()\n${body}\nend)\n`;
const write = (text, file = 'tests/spec/tool/made_spec.lua') => app.write(file, text);
const run = (...args) => fura.command('test', ...args);

test('each spec is told with its time, and all passed ends with 0', async () => {
  write(spec('it("adds", function() assert.equal(4, 2 + 2) end)\nit("waits", function() world.advance "1d" end)'));
  const end = await run('tests/spec/tool');
  assert.equal(end.code, 0, end.output);
  assert.match(end.stdout, /^tests\/spec\/tool\/made_spec\.lua\n {2}ok +\d+\.\d ms {2}a thing adds\n {2}ok +\d+\.\d ms {2}a thing waits\n/);
  assert.match(end.stdout, /^2 passed, 0 failed in \d+ ms$/m);
});

test('a folder without specs is a mistake of usage', async () => {
  const end = await run('lua/rules');
  assert.deepEqual([end.code, end.output.trim()], [2, 'fura: no specs were found']);
});

test('a failure names file and line, and ends with 1', async () => {
  write(spec('it("adds", function()\n  assert.equal(5, 2 + 2)\nend)'));
  const end = await run('tests/spec/tool/made_spec.lua');
  assert.equal(end.code, 1);
  assert.match(end.stdout, /FAILED {2}a thing adds\n {4}tests\/spec\/tool\/made_spec\.lua:4: Expected objects to be equal/);
  assert.match(end.stdout, /0 passed, 1 failed/);
});

test('a spec that cannot be read is a failure with its line', async () => {
  write('describe("a thing", function(\n');
  const end = await run('tests/spec/tool');
  assert.equal(end.code, 1);
  assert.match(end.stdout, /made_spec\.lua:2: /);
});

test('a call nobody expected fails the spec with its address, whoever caught the error', async () => {
  write(spec('it("asks", function() pcall(host.http.request, { url = "https://a.example/x" }) end)\nit("asks nothing", function() end)'));
  const end = await run('tests/spec/tool');
  assert.equal(end.code, 1);
  assert.match(end.stdout, /made_spec\.lua:3: nobody expected GET https:\/\/a\.example\/x/);
  assert.match(end.stdout, /1 passed, 1 failed/);
});

test('so does a statement, a command, and an error in a hook or a task', async () => {
  app.write('plugins/broken/plugin.lua', `return { name = "broken", version = "1.0.0", api = 1, stage = "rules",
  on_request = function() error("it broke") end }\n`);
  write(spec(`it("one", function() pcall(host.pg.query, "SELECT  1\\n FROM x") end)
    it("two", function() pcall(host.redis.command, "BITCOUNT", "k") end)
    it("three", function() world.plugin("broken"):request() end)
    it("four", function() host.task.spawn(function() error "lost" end) end)
    it("five", function() world.plugin("broken"):request() assert.equal("a", "b") end)`));
  const end = await run('tests/spec/tool');
  assert.match(end.stdout, /nobody expected the statement SELECT 1 FROM x:/);
  assert.match(end.stdout, /does not know BITCOUNT/);
  assert.match(end.stdout, /plugins\/broken\/plugin\.lua:2: it broke/);
  assert.match(end.stdout, /an error in a task: .*lost/);
  assert.match(end.stdout, /Expected objects to be equal.*before that: plugins\/broken\/plugin\.lua:2: it broke/s);
  assert.match(end.stdout, /0 passed, 5 failed/);
});

test('one that computes for ever is stopped where it is, and the others run', async () => {
  app.edit('lua/rules/refunds.lua', 'local days = math', 'while payment.endless do payment.n = 1 end\n  local days = math');
  write(spec(`it("loops", function()
  while true do end
end)
it("meets a rule that loops", function() world.rule("refunds").days_to_take { endless = true } end)
it("goes on", function() assert.is_true(true) end)`));
  const end = await run('tests/spec/tool');
  assert.equal(end.code, 1);
  assert.match(end.stdout, /made_spec\.lua:4: stopped after 2000 ms/);
  assert.match(end.stdout, /lua\/rules\/refunds\.lua:\d+: stopped/);
  assert.match(end.stdout, /1 passed, 2 failed/);
});

test('a fixture is found beside the spec, in fixtures/ there, or in tests/fixtures; a missing one is named', async () => {
  app.write('tests/spec/tool/beside.json', '{"place":"beside"}');
  app.write('tests/spec/tool/fixtures/near.txt', 'near');
  app.write('tests/fixtures/cargo/far.json', '{"place":"far"}');
  write(spec(`it("reads", function()
  assert.equal("beside", world.fixture("beside.json").place)
  assert.equal("near", world.fixture "near.txt")
  assert.equal("far", world.fixture("cargo/far.json").place)
end)
it("misses", function() world.fixture "absent.json" end)`));
  const end = await run('tests/spec/tool');
  assert.match(end.stdout, /there is no fixture absent\.json beside the spec or in tests\/fixtures/);
  assert.match(end.stdout, /1 passed, 1 failed/);
});

test('a file without the world has the real host, also after one that had it', async () => {
  write(spec('it("is in January", function() assert.equal("2026-01-15", host.time.iso8601(host.time.now()):sub(1, 10)) end)'));
  write(spec('it("is now", function() assert.is_true(math.abs(host.time.now() - os.time()) < 60) end)', ''), 'tests/spec/tool/other_spec.lua');
  const end = await run('tests/spec/tool');
  assert.equal(end.code, 0, end.output);
  assert.match(end.stdout, /2 passed/);
});

test('specs that need services are left out and told; alone they end with 1', async () => {
  write(spec('it("runs", function() end)'));
  write(spec('it("asks", function() assert(host.pg.query "SELECT 1") end)', ''), 'tests/spec/services/made_spec.lua');
  const both = await run();
  assert.equal(both.code, 0, both.output);
  assert.match(both.stderr, /1 spec file needs services and is left out: Postgres \(.*with_services\.js/s);
  assert.equal((await run('tests/spec/services')).code, 1);
  const listed = JSON.parse((await run('tests/spec', '--json')).stdout);
  assert.deepEqual(listed.left_out, ['tests/spec/services/made_spec.lua']);
});

test('without services the rules and plugins of the product are specified', async () => {
  const end = await run('--json');
  assert.equal(end.code, 0, end.output);
  const files = new Set(JSON.parse(end.stdout).specs.map((one) => one.file));
  assert.ok(files.has('plugins/cors/spec/cors_spec.lua'));
});

test('--filter and --json', async () => {
  write(spec('it("is red", function() end)\nit("is green", function() error "no" end)'));
  const end = await run('tests/spec/tool', '--filter', 'thing is gr', '--json');
  assert.equal(end.code, 1);
  const told = JSON.parse(end.stdout);
  assert.equal(told.passed, 0);
  assert.equal(told.failed, 1);
  assert.equal(told.specs.length, 1);
  const [one] = told.specs;
  assert.deepEqual([one.file, one.line, one.name, one.status], ['tests/spec/tool/made_spec.lua', 4, 'a thing is green', 'failed']);
  assert.match(one.message, /made_spec\.lua:4: no/);
  assert.equal(typeof one.ms, 'number');
});

test('a wrong use ends with 2', async () => {
  write(spec('it("is", function() end)'));
  assert.equal((await run('no/such/folder')).code, 2);
  assert.equal((await run('tests/spec/tool', '--filter', 'nothing like it')).code, 2);
  assert.equal((await run('--filter')).code, 2);
  assert.equal((await run('--colour')).code, 2);
  assert.match((await run('--help')).stdout, /--filter TEXT/);
});
