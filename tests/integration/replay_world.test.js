'use strict';
// What a replay may not do, whatever the application tries; and what the server goes through beside it.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { ROOT } = require('../support/fura.js');
const { Small, load, serving } = require('../support/process.js');
const { Postgres } = require('../support/postgres.js');
const { Monitor, Redis } = require('../support/redis.js');

/** Every way out that a handler has. It answers what it was told, so that a test sees how writing looks from inside. */
const WRITER = `
function handlers.write(request)
  local told = {}
  local function note(name, value, failure) told[name] = failure and failure.code or tostring(value) end
  note("set", host.redis.command("SET", "k", "replayed"))
  note("incr", host.redis.command("INCR", "n"))
  note("publish", host.redis.command("PUBLISH", "c", "x"))
  note("eval", host.redis.eval("return redis.call('SET', KEYS[1], 'eval')", { "k" }, {}))
  note("dedicated", host.redis.dedicated(function(connection) return connection:command("SET", "k", "own") end))
  note("get", host.redis.command("GET", "k"))
  note("insert", host.pg.query "INSERT INTO t VALUES (1)")
  note("one", host.pg.one "INSERT INTO t VALUES (2) RETURNING n")
  note("nextval", host.pg.one "SELECT nextval('s')")
  note("transaction", host.pg.transaction(function(tx)
    local done, failure = tx:query "UPDATE t SET n = n + 1"
    if not done then return nil, failure end
    return true
  end))
  note("notify", (host.pg.query "SELECT pg_notify('channel', 'replayed')")[1].pg_notify)
  note("count", (host.pg.one "SELECT count(*) AS n FROM t").n)
  note("http", host.http.request { url = OUTSIDE })
  note("shared_set", host.shared.set("k", "replayed"))
  note("shared_add", host.shared.add("k", "replayed"))
  note("shared_increment", host.shared.increment "n")
  note("shared_cas", host.shared.compare_and_set("k", "before", "replayed"))
  host.shared.delete "kept"
  note("shared_get", host.shared.get "k")
  host.metrics.count("writes_total")
  host.timer.after(1, function() host.redis.command("SET", "k", "timer") end)
  host.task.spawn(function() host.redis.command("SET", "k", "task") end)
  note("master", host.script.ask_master { command = "reload" })
  told.version = answers.greeting
  return { headers = { ["Content-Type"] = "application/json" }, body = host.json.encode(told, { sorted = true }) }
end
function handlers.prepare()
  host.redis.command("SET", "k", "before")
  host.redis.command("SET", "n", "1")
  host.shared.set("k", "before")
  host.shared.set("kept", true)
  host.pg.listen("channel", function(message) if message then host.shared.set("notified", message) end end)
  return { body = "ready" }
end
function handlers.shared()
  return { body = host.json.encode({ k = host.shared.get "k", kept = host.shared.get "kept", n = host.shared.get "n",
    notified = host.shared.get "notified", writes = host.metrics.render():match "\\nwrites_total[^\\n]*" }, { sorted = true }) }
end
function handlers.who(request)
  local driver = request:header "x-driver" or request.replay_of
  if driver then request.driver_id = driver end
  return { body = "driver " .. tostring(driver) .. " " .. answers.greeting }
end
function handlers.query(request) return { body = "asked " .. request.query_string .. " " .. answers.greeting } end
function handlers.of_route(request) return { body = request.route .. " " .. request.params.id .. " " .. answers.greeting } end
`;

const ROUTES = `
  { "GET", "/write", name = "write", replay = true },
  { "POST", "/prepare", name = "prepare" }, { "GET", "/shared", name = "shared" },
  { "GET", "/who", name = "who", replay = true },
  { "GET", "/query", name = "query", replay = true, replay_hides = { "pin_of_card" } },
  { "GET", "/unrecorded", name = "query" },
  { "GET", "/things/{id}", name = "of_route", replay = true },
  { "POST", "/things", name = "query", replay = true },
`;

/** The small application with all that; one worker unless told otherwise. */
class Replaying extends Small {
  constructor(env = {}, { outside = 'http://127.0.0.1:9/' } = {}) {
    super({ FURA_WORKERS: '1', ...env });
    fs.cpSync(path.join(ROOT, 'lua', 'kit'), path.join(this.root, 'lua', 'kit'), { recursive: true });
    this.replace('lua/init.lua', 'local routes = {', `local OUTSIDE = "${outside}"\n${WRITER}\nlocal routes = {${ROUTES}`);
    this.replace('lua/init.lua', '{ "GET", "/hello", name = "hello" }', '{ "GET", "/hello", name = "hello", replay = true }');
    this.replace('lua/init.lua', '  routes = routes,',
      '  routes = routes,\n  replay = function(asked, tools) return require("kit.replay").run(asked, tools, { members = {}, markup = {} }) end,');
  }

  greet(text) {
    this.edit('lua/answers.lua', `return { greeting = "${text}" }\n`);
  }

  async replay(...args) {
    const end = await this.command('replay', '--json', ...args);
    return { code: end.code, stderr: end.stderr, ...JSON.parse(end.stdout || '{}') };
  }
}

const withServer = (env, body, options) => serving(new Replaying(env, options), body);

let postgres;
let redis;

before(async () => {
  [postgres, redis] = await Promise.all([Postgres.start(), Redis.start()]);
  await postgres.query('CREATE TABLE t (n integer); INSERT INTO t VALUES (0); CREATE SEQUENCE s');
});

after(async () => {
  await Promise.all([postgres?.stop(), redis?.stop()]);
});

test('a handler that writes everywhere reads everything and writes nothing', async () => {
  const calls = [];
  const outside = http.createServer((request, response) => {
    calls.push(request.url);
    response.end('outside');
  });
  await new Promise((resolve) => outside.listen(0, '127.0.0.1', resolve));
  const env = { REDIS_URL: redis.url, DATABASE_URL: postgres.url };
  await withServer(env, async (server) => {
    await server.client.get('/write');
    await postgres.query('TRUNCATE t; INSERT INTO t VALUES (0)');
    await server.client.request('POST', '/prepare');
    calls.length = 0;
    const state = async () => JSON.stringify([
      (await server.client.get('/shared')).text, await redis.command('GET', 'k'), await redis.command('GET', 'n'),
      await postgres.query('SELECT * FROM t'), await postgres.value('SELECT last_value FROM s'),
    ]);
    const untouched = await state();
    server.greet('good day');
    const monitor = new Monitor(redis);
    await monitor.ready();
    const { code, changes, lines } = await server.replay();
    const commands = await monitor.stop();

    assert.equal(code, 0, lines.join('\n'));
    assert.deepEqual(lines.slice(0, 1), ['GET /write: version «hello» → «good day»']);
    assert.equal(changes.length, 1);
    assert.equal(await state(), untouched);
    assert.deepEqual(calls, []);
    assert.deepEqual(commands.filter((line) => /"[A-Za-z]+"/.test(line) && !/"GET" "k"/.test(line)), []);
  }, { outside: `http://127.0.0.1:${outside.address().port}/` });
  outside.close();
});

test('from inside, writing looks as if it were done, and what cannot be told fails', async () => {
  await withServer({ REDIS_URL: redis.url, DATABASE_URL: postgres.url }, async (server) => {
    await server.client.request('POST', '/prepare');
    await server.client.get('/write');
    await server.client.request('POST', '/prepare');
    await postgres.query('TRUNCATE t; INSERT INTO t VALUES (0)');
    // The answer itself becomes visible by making both sides differ in all of it.
    server.replace('lua/init.lua', 'told.version = answers.greeting', 'told = {}');
    const { changes } = await server.replay('--route', '/write');
    const told = Object.fromEntries(changes.map((change) => [change.what, change.old]));
    assert.deepEqual(told, {
      set: 'OK', incr: '1', publish: '1', eval: 'replay', dedicated: 'replay', get: 'before',
      insert: 'sqlstate_25006', one: 'sqlstate_25006', nextval: 'sqlstate_25006', transaction: 'sqlstate_25006', notify: '',
      count: '1', http: 'replay', master: 'replay',
      shared_set: 'true', shared_add: 'false', shared_increment: '2', shared_cas: 'true', shared_get: 'before', version: 'hello',
    });
  });
});

test('a request is answered as its driver asked it, and nobody else can', async () => {
  await withServer({}, async (server) => {
    await server.client.get('/who', { 'x-driver': '77' });
    await server.client.get('/who');
    server.greet('good day');
    const { lines } = await server.replay();
    assert.deepEqual(lines.slice(0, 2).sort(), [
      'GET /who driver 77: «driver 77 hello» → «driver 77 good day»', 'GET /who: «driver nil hello» → «driver nil good day»']);
    assert.equal((await server.client.get('/who', { 'replay-of': '77', replay_of: '77' })).text, 'driver nil hello');
  });
});

test('what writes is counted and not run, and what a route does not allow is not kept', async () => {
  await withServer({}, async (server) => {
    await server.client.post('/things', { phone: '+7 911 000 00 00' });
    await server.client.get('/unrecorded?a=1');
    await server.client.get('/things/7');
    const report = await server.replay();
    assert.deepEqual(report.skipped, { 'would write': { 'POST /things': 1 } });
    assert.equal(report.compared, 1);
  });
});

test('neither secrets nor bodies nor tokens come out of a recording', async () => {
  await withServer({}, async (server) => {
    await server.client.get('/query?token=SESAME&a=1', { authorization: 'Bearer SESAME', cookie: 'fura_session=SESAME' });
    await server.client.get('/query?pin_of_card=SESAME');
    await server.client.get('/query?b=2', { 'hx-current-url': 'https://x/?token=SESAME', 'user-agent': 'SESAME', referer: 'SESAME' });
    await server.client.post('/things?phone=SESAME', { secret: 'SESAME' });
    server.greet('good day');
    const end = await server.command('replay', '--json');
    assert.doesNotMatch(end.output, /SESAME/);
    const report = JSON.parse(end.stdout);
    assert.equal(report.skipped['hold a secret that was not kept']['GET /query'], 2);
    assert.deepEqual(report.changes.map((change) => change.answers), [['GET /query?b=2']]);
  });
});

test('as many requests are kept as the settings say, and none when they say none', async () => {
  await withServer({ FURA_WORKERS: '2' }, async (server) => {
    server.edit('conf/default.lua', 'return { development = { watch = false }, replay = { keep = 0 } }\n');
    assert.match((await server.command('replay')).stderr, /replay\.keep.*restart/);
  });
  const kept = new Replaying();
  kept.edit('conf/default.lua', 'return { development = { watch = false }, replay = { keep = 3 } }\n');
  await kept.serve();
  for (let i = 0; i < 20; i += 1) await kept.client.get(`/query?page=${i}`);
  assert.equal((await kept.replay()).compared, 3);
  await kept.stop();
  const none = new Replaying();
  none.edit('conf/default.lua', 'return { development = { watch = false }, replay = { keep = 0 } }\n');
  await none.serve();
  const end = await none.command('replay');
  assert.equal(end.code, 1);
  assert.match(end.stderr, /nothing is recorded: replay\.keep is 0/);
  await none.stop();
});

test('requests of all workers are replayed', async () => {
  await withServer({ FURA_WORKERS: '2' }, async (server) => {
    await server.untilLive();
    for (let i = 0; i < 40; i += 1) await server.client.get(`/query?page=${i}`);
    assert.equal((await server.replay()).compared, 40);
    assert.equal((await server.replay('--last', '7')).compared, 7);
  });
});

test('a handler that never ends is stopped and told, while live requests go on', async () => {
  await withServer({}, async (server) => {
    await server.client.get('/hello');
    await server.client.get('/things/1');
    server.replace('lua/init.lua', 'function handlers.hello()', 'function handlers.hello()\n  while true do end');
    const traffic = load(server.client, '/things/1', 2);
    const { code, failures, compared } = await server.replay();
    const seen = await traffic.stop();
    assert.equal(code, 1);
    assert.deepEqual(failures.map((failure) => failure.request), ['GET /hello']);
    assert.match(failures[0].text, /stopped after 500 ms of computing/);
    assert.equal(compared, 2);
    assert.deepEqual(seen.errors, []);
    assert.ok(seen.answers > 0);
    assert.equal((await server.client.get('/hello')).text, 'hello');
  });
});

test('sources that never finish loading, or do not load, are told as a reload would tell it', async () => {
  await withServer({}, async (server) => {
    await server.client.get('/hello');
    server.edit('lua/answers.lua', 'while true do end');
    let end = await server.command('replay');
    assert.equal(end.code, 1);
    // On a crowded machine two seconds of computing are more than the five seconds of silence after which a worker is replaced.
    assert.match(end.stderr, /stopped after \d+ ms of computing|the worker ended before it answered/);
    await server.untilLive();
    await server.client.get('/hello');
    server.edit('lua/answers.lua', 'local x = 1\nreturn { greeting = }\n');
    end = await server.command('replay');
    assert.equal(end.code, 1);
    assert.match(end.stderr, /^lua\/answers\.lua:2: /m);
    server.edit('lua/answers.lua', 'return { greeting = "hi" }');
    server.replace('lua/init.lua', 'name = "slow" },', 'name = "slow" }, { "GET", "/slow", name = "slow" },');
    end = await server.command('replay');
    assert.equal(end.code, 1);
    assert.match(end.stderr, /^lua\/routes\.lua: GET \/slow/m);
    assert.equal((await server.client.get('/hello')).text, 'hello');
    assert.equal((await server.status()).generation, 1);
  });
});

test('memory that the new sources hoard ends their answer, not the worker', async () => {
  await withServer({}, async (server) => {
    await server.client.get('/hello');
    const [{ pid }] = await server.untilLive();
    server.replace('lua/init.lua', 'function handlers.hello()', 'function handlers.hello()\n  local t = {} for i = 1, 1e8 do t[i] = ("x"):rep(1000) .. i end');
    server.edit('conf/default.lua', 'return { development = { watch = false }, lua_memory_mb = 32 }\n');
    const { code, failures } = await server.replay();
    assert.equal(code, 1);
    assert.match(failures[0].text, /memory/);
    assert.equal((await server.untilLive())[0].pid, pid);
  });
});

test('one replay runs at a time, a reload beside it works, and a worker that dies ends it', async () => {
  await withServer({}, async (server) => {
    await server.client.get('/slow?ms=1');
    await server.client.get('/hello');
    server.replace('lua/init.lua', 'function handlers.hello()', 'function handlers.hello()\n  if host.script.info().role == "replay" then host.task.sleep(4000) end');
    const first = server.command('replay');
    await server.untilShown('replay');
    const second = await server.command('replay');
    assert.equal(second.code, 1);
    assert.match(second.stderr, /another replay runs now/);
    assert.equal((await server.command('reload')).code, 0);
    assert.equal((await server.client.get('/hello')).text, 'hello');
    const end = await first;
    assert.equal(end.code, 0, end.output);
    assert.match(end.stdout, /1 answer compared, none differs/);

    const third = server.command('replay');
    await server.untilShown('replay');
    const [{ pid }] = await server.untilLive();
    process.kill(pid, 'SIGKILL');
    assert.match((await third).stderr, /the worker ended before it answered/);
    await server.untilLive((worker) => worker.pid !== pid);
    assert.equal((await server.client.get('/hello')).text, 'hello');
  });
});

test('a server that stops in the middle of a replay leaves nothing behind', async () => {
  await withServer({}, async (server) => {
    await server.client.get('/hello');
    server.replace('lua/init.lua', 'function handlers.hello()', 'function handlers.hello()\n  host.task.sleep(60000)');
    const replay = server.command('replay');
    await server.untilShown('replay');
    const end = await server.child.stop('SIGTERM');
    assert.equal(end.code, 0, server.child.tail());
    assert.equal((await replay).code, 1);
  });
});

test('what is typed wrongly is answered with how it is meant', async () => {
  await withServer({}, async (server) => {
    for (const args of [['--last'], ['--last', 'x'], ['--limit', '-1'], ['--rout', 'x'], ['now']]) {
      const end = await server.command('replay', ...args);
      assert.equal(end.code, 2, args.join(' '));
    }
    const help = await server.command('replay', '--help');
    assert.equal(help.code, 0);
    for (const word of ['--last', '--route', '--driver', '--limit', '--json']) assert.ok(help.stdout.includes(word), word);
  });
});
