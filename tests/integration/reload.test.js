'use strict';
// Reload: a new generation goes live in all workers or in none.
const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const { Small, load, serving, until } = require('../support/process.js');

const withServer = (env, body) => serving(new Small(env), body);

const greeting = (text) => `return { greeting = "${text}" }\n`;
const BROKEN = 'local x = 1\nreturn { greeting = }\n';

/** What the control socket says to this request, line by line. */
async function ask(control, request) {
  let text = '';
  const socket = net.connect(control).setEncoding('utf8');
  socket.write(`${JSON.stringify(request)}\n`);
  for await (const piece of socket) text += piece;
  return text.trim().split('\n').map((line) => JSON.parse(line));
}

async function reload(server) {
  const end = await server.command('reload', '--json');
  const lines = end.stdout.trim().split('\n').map((line) => JSON.parse(line));
  return { code: end.code, last: lines.at(-1), workers: lines.slice(0, -1) };
}

test('an edited source is live in every worker when the command returns', async () => {
  await withServer({}, async (server) => {
    server.edit('lua/answers.lua', greeting('good day'));
    const end = await server.command('reload');
    assert.equal(end.code, 0, end.output);
    assert.equal(end.stdout, 'worker 1 generation 2 ok\nworker 2 generation 2 ok\n');
    for (let i = 0; i < 20; i += 1) assert.equal((await server.client.get('/hello')).text, 'good day');
  });
});

test('a broken source is rejected by file and line, and everybody keeps serving the old one', async () => {
  await withServer({}, async (server) => {
    server.edit('lua/answers.lua', BROKEN);
    const end = await server.command('reload');
    assert.equal(end.code, 1);
    assert.match(end.stdout, /^worker 1 generation 2 rejected lua\/answers\.lua:2: /m);
    for (let i = 0; i < 20; i += 1) assert.equal((await server.client.get('/hello')).text, 'hello');
    const status = await server.status();
    assert.equal(status.generation, 1);
    assert.match(status.reloads[0].reason, /lua\/answers\.lua:2: /);
    assert.match((await server.command('status')).stdout, /last reload was rejected: .*answers\.lua:2/);
  });
});

test('wrong settings are refused by name, and keep nobody from asking the server', async () => {
  const server = new Small();
  delete server.env.FURA_ADMIN_LISTEN; // where it listens is for the settings to say
  server.env.FURA_RUN_DIR = server.folder;
  await serving(server, async () => {
    server.replace('conf/default.lua', 'return {', 'return { wrokers = 2,');
    const end = await server.command('reload');
    assert.equal(end.code, 1, end.output);
    assert.match(end.stdout, /^master generation 2 rejected$/m);
    assert.match(end.stderr, /conf\/default\.lua:\d+: wrokers: .*workers\?/);
    const status = await server.status();
    assert.match(status.reloads[0].reason, /wrokers/);
    assert.equal((await server.command('stop')).code, 0);
    const late = await server.command('status');
    assert.equal(late.code, 1);
    assert.match(late.stderr, /wrokers: [^]*no server is running here/);
  });
});

test('an application whose tables raise when asked is rejected or served, and no worker dies of it', async () => {
  await withServer({}, async (server) => {
    const pids = (await server.untilLive()).map((worker) => worker.pid);
    const strict = 'local strict = { __index = function(_, name) if name ~= "start" then error(name) end end }';
    server.edit('lua/init.lua', `${strict} return setmetatable({}, strict)`);
    const end = await server.command('reload');
    assert.equal(end.code, 1);
    assert.match(end.stdout, /^worker 1 generation 2 rejected .*needs `routes`/m);
    server.edit('lua/init.lua', `${strict} return setmetatable({
        routes = { setmetatable({ "GET", "/hello" }, strict) },
        dispatch = function() return { body = "strict" } end,
      }, strict)
    `);
    assert.equal((await reload(server)).code, 0);
    assert.equal((await server.client.get('/hello')).text, 'strict');
    assert.deepEqual((await server.untilLive()).map((worker) => worker.pid), pids);
  });
});

test('a worker that starts later builds what was committed, not what lies on the disk', async () => {
  await withServer({}, async (server) => {
    server.edit('lua/answers.lua', greeting('second'));
    assert.equal((await reload(server)).code, 0);
    server.edit('lua/answers.lua', BROKEN);
    const pids = (await server.untilLive()).map((worker) => worker.pid);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await server.untilLive((worker) => !pids.includes(worker.pid) && worker.generation === 2);
    assert.equal((await server.client.get('/hello')).text, 'second');
  });
});

test('settings that need a restart are refused by name', async () => {
  await withServer({}, async (server) => {
    server.edit('conf/default.lua', 'return {\n  development = { watch = false },\n  shared_memory_mb = 32,\n}\n');
    const end = await server.command('reload');
    assert.equal(end.code, 1);
    assert.match(end.stderr, /conf\/default\.lua:3: .*shared_memory_mb.*restart/);
    assert.match(end.stdout, /master generation 2 rejected/);
    assert.equal((await server.client.get('/hello')).text, 'hello');
  });
});

test('a mistake that says megabytes is rejected like any other, and costs no worker', async () => {
  await withServer({}, async (server) => {
    const pids = (await server.untilLive()).map((worker) => worker.pid);
    server.edit('lua/answers.lua', 'error(("too much to say "):rep(2 ^ 20))');
    const end = await server.command('reload');
    assert.equal(end.code, 1);
    assert.match(end.stdout, /^worker 1 generation 2 rejected .*too much to say/m);
    assert.match(end.stdout, /^worker 2 generation 2 rejected .*too much to say/m);
    assert.deepEqual((await server.untilLive()).map((worker) => worker.pid), pids);
  });
});

test('an answer too long for the line between worker and master is refused, and costs no worker', async () => {
  const server = new Small();
  server.replace('lua/init.lua', 'calls = {', 'calls = {\n    much = function() return ("x"):rep(9 * 2 ^ 20) end,');
  await serving(server, async () => {
    const pids = (await server.untilLive()).map((worker) => worker.pid);
    const [line] = await ask(server.control, { command: 'call', name: 'much' });
    assert.deepEqual(line, { ok: false, error: 'the answer is longer than 8 MiB' });
    assert.deepEqual((await server.untilLive()).map((worker) => worker.pid), pids);
  });
});

test('an application whose start fails is rejected', async () => {
  await withServer({}, async (server) => {
    server.edit('lua/init.lua', 'return { routes = {}, dispatch = function() end, start = function() error("no luck today") end }\n');
    const { code, last } = await reload(server);
    assert.equal(code, 1);
    assert.match(last.problems.join('\n'), /lua\/init\.lua:1: no luck today/);
    assert.equal((await server.client.get('/hello')).text, 'hello');
  });
});

test('a worker that dies while it prepares makes the reload fail and comes back', async () => {
  await withServer({}, async (server) => {
    const [victim] = await server.untilLive();
    server.edit('lua/init.lua', 'host.task.sleep(3000)\nreturn { routes = {}, dispatch = function() end }\n');
    const verdict = reload(server);
    await server.untilShown('boot');
    process.kill(victim.pid, 'SIGKILL');
    const { code, workers } = await verdict;
    assert.equal(code, 1);
    assert.match(workers[0].reason, /killed by signal 9/);
    assert.equal(workers[1].ok, true);
    await server.untilLive((worker) => worker.pid !== victim.pid && worker.generation === 1);
    assert.equal((await server.client.get('/hello')).text, 'hello');
  });
});

test('a running request finishes on the generation it began with', async () => {
  await withServer({}, async (server) => {
    const slow = server.client.get('/slow?ms=1500');
    await server.untilShown('/slow');
    server.edit('lua/init.lua', 'return { routes = { { "GET", "/new", name = "new" } }, dispatch = function() return { body = "new" } end }\n');
    assert.equal((await reload(server)).code, 0);
    assert.equal((await server.client.get('/new')).text, 'new');
    const answer = await slow;
    assert.equal(`${answer.status} ${answer.text}`, '200 slow');
  });
});

test('the drain limit ends requests that outlive their generation too long', async () => {
  await withServer({ TEST_DRAIN_DEADLINE_S: '1' }, async (server) => {
    const slow = server.client.get('/slow?ms=60000');
    await server.untilShown('/slow');
    assert.equal((await reload(server)).code, 0);
    assert.ok((await slow).status >= 500);
  });
});

test('answers that nobody reads keep no generation', async () => {
  const server = new Small({ FURA_WORKERS: '1' });
  server.replace('lua/init.lua', 'local routes = {', `function handlers.big() return { body = ("x"):rep(15 * 2 ^ 20) } end
local routes = {\n  { "GET", "/big", name = "big" },`);
  await serving(server, async () => {
    const { hostname, port } = new URL(server.client.url);
    const readers = [];
    for (let round = 1; round <= 3; round += 1) {
      const reader = net.connect(Number(port), hostname).pause();
      reader.write('GET /big HTTP/1.1\r\nHost: x\r\n\r\n');
      readers.push(reader);
      await server.untilLive((worker) => worker.connections === round && worker.tasks === 0 && worker.generations === 1);
      assert.equal((await server.command('reload')).code, 0);
    }
    const answer = new Promise((resolve) => {
      let bytes = 0;
      readers[0].on('data', (piece) => { bytes += piece.length; if (bytes > 15 * 2 ** 20) resolve(bytes); });
    });
    readers[0].resume();
    assert.ok(await answer > 15 * 2 ** 20, 'all of it comes, long after its generation has gone');
    for (const reader of readers) reader.destroy();
  });
});

test('at most three generations live: a further reload waits for the oldest', async () => {
  await withServer({ FURA_WORKERS: '1', TEST_DRAIN_DEADLINE_S: '3' }, async (server) => {
    const slow = [];
    for (let generation = 2; generation <= 4; generation += 1) {
      slow.push(server.client.get('/slow?ms=60000'));
      const count = generation - 1;
      await until(async () => (await server.command('ps')).stdout.split('/slow').length - 1 >= count, { what: 'the slow requests run' });
      assert.equal((await reload(server)).code, 0);
      const [worker] = await server.untilLive((one) => one.generation === generation);
      assert.ok(worker.generations <= 3);
    }
    const answers = await Promise.all(slow);
    assert.ok(answers.every((answer) => answer.status >= 500));
    assert.ok(server.logged('a new generation waits for an old one to end').length > 0);
  });
});

test('reloads asked for at once run one after the other, each with its own verdict', async () => {
  await withServer({}, async (server) => {
    const verdicts = await Promise.all([reload(server), reload(server), reload(server)]);
    assert.ok(verdicts.every((verdict) => verdict.code === 0));
    assert.deepEqual(verdicts.map((verdict) => verdict.last.generation).sort(), [2, 3, 4]);
    assert.equal((await server.status()).generation, 4);
  });
});

test('HUP reloads', async () => {
  await withServer({}, async (server) => {
    server.edit('lua/answers.lua', greeting('after the signal'));
    process.kill(server.pid, 'SIGHUP');
    await until(async () => (await server.client.get('/hello')).text === 'after the signal', { what: 'the new text' });
    assert.equal(server.logged('generation committed').at(-1).origin, 'signal');
  });
});

test('HUP while the server starts reloads it as soon as it serves', async () => {
  const server = new Small();
  server.replace('lua/init.lua', 'return {\n  routes', 'return {\n  start = function() host.task.sleep(1500) end,\n  routes');
  const hears = (pid) => parseInt(/^SigBlk:\s*([0-9a-f]+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1], 16) & 1;
  const served = server.serve();
  await until(() => hears(server.pid), { what: 'the master to hear signals' });
  process.kill(server.pid, 'SIGHUP');
  await served;
  const [reload] = await until(async () => {
    const { reloads = [], generation } = (await server.status()) ?? {};
    return generation === 2 && reloads;
  }, { what: 'the second generation' });
  assert.equal(reload.origin, 'signal');
  await server.stop();
});

test('in development saving a file is enough, and a new folder is noticed', async () => {
  await withServer({ TEST_WATCH: 'on' }, async (server) => {
    server.edit('lua/answers.lua', greeting('saved'));
    await until(async () => (await server.client.get('/hello')).text === 'saved', { what: 'the new text' });
    require('node:fs').mkdirSync(`${server.root}/lua/words`);
    await until(() => server.logged('generation committed').length >= 3, { what: 'the folder' });
    server.edit('lua/words/greeting.lua', 'return "from a new folder"\n');
    server.edit('lua/answers.lua', 'return { greeting = require "words.greeting" }\n');
    await until(async () => (await server.client.get('/hello')).text === 'from a new folder', { what: 'the new folder' });
  });
});

test('reloads under load fail no request', async () => {
  await withServer({}, async (server) => {
    const traffic = load(server.client, '/hello', 4);
    await until(() => traffic.seen.answers > 20, { what: 'traffic' });
    for (let i = 0; i < 10; i += 1) {
      server.edit('lua/answers.lua', greeting(`round ${i}`));
      assert.equal((await reload(server)).code, 0);
    }
    const { errors } = await traffic.stop();
    assert.deepEqual(errors, []);
    assert.equal((await server.client.get('/hello')).text, 'round 9');
  });
});

const ECHO = `
local routes = { { "GET", "/echo" }, { "GET", "/stream" } }
local word = require "answers".greeting
return {
  routes = routes,
  dispatch = function(request, index)
    if index == 1 then
      if request.query_string:match "[05]$" then host.task.sleep(3) end
      return { body = "<" .. request.query_string .. ">" }
    end
    return { stream = function(write)
      for i = 1, 150 do
        write(i .. " ")
        host.task.sleep(20)
      end
      write(word)
    end }
  end,
}
`;

/** Ask eight at a time on one connection, again and again; every answer must be that of its question. */
async function pipeline(server, seen) {
  const { hostname, port } = new URL(server.client.url);
  const socket = net.connect(Number(port), hostname).setEncoding('utf8');
  let text = '';
  socket.on('data', (piece) => { text += piece; });
  socket.on('error', (error) => seen.errors.push(error.message));
  socket.on('close', () => { if (seen.going) seen.errors.push('closed'); });
  for (let next = 0; seen.going && seen.errors.length === 0; next += 8) {
    const numbers = Array.from({ length: 8 }, (_, i) => next + i);
    text = '';
    socket.write(numbers.map((n) => `GET /echo?${n} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''));
    await until(() => seen.errors.length > 0 || text.split('>').length > 8, { what: 'eight answers', stepMs: 2 });
    const answers = [...text.matchAll(/<(\d+)>/g)].map((match) => Number(match[1]));
    if (seen.errors.length === 0) assert.deepEqual(answers, numbers);
    seen.answers += answers.length;
  }
  socket.destroy();
}

test('pipelined requests and open streams do not notice reloads, applied or refused', async () => {
  await withServer({}, async (server) => {
    server.edit('lua/init.lua', ECHO);
    server.edit('lua/answers.lua', greeting('the first'));
    assert.equal((await reload(server)).code, 0);
    const stream = server.client.get('/stream');
    const seen = { going: true, errors: [], answers: 0 };
    const lanes = Promise.all([pipeline(server, seen), pipeline(server, seen), pipeline(server, seen)]);
    await until(() => seen.answers > 20, { what: 'traffic' });
    for (let i = 0; i < 5; i += 1) {
      server.edit('lua/answers.lua', BROKEN);
      assert.equal((await reload(server)).code, 1);
      server.edit('lua/answers.lua', greeting(`round ${i}`));
      assert.equal((await reload(server)).code, 0);
    }
    seen.going = false;
    await lanes;
    assert.deepEqual(seen.errors, []);
    assert.equal((await stream).text, `${Array.from({ length: 150 }, (_, i) => i + 1).join(' ')} the first`);
  });
});
