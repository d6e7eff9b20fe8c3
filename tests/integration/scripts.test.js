'use strict';
// What becomes of a script that fails, loops, hoards, streams or loses its client: it alone bears it.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const net = require('node:net');
const { Small, until } = require('../support/process.js');

const SOURCE = `
local host = host
local handlers, permits = {}, nil

function handlers.hello() return { body = "hello" } end
function handlers.raise() local function inner() error("the rule broke") end inner() end
function handlers.wrong() return "not a table" end
function handlers.inherited() return setmetatable({}, { __index = { status = 203, body = "of all answers" } }) end
function handlers.finalized() getmetatable(host.task.semaphore(1)).__gc(1) end
function handlers.split() return { headers = { ["X-Evil"] = "a\\r\\nSet-Cookie: b" } } end
function handlers.loop() local n = 0 while true do n = n + 1 end end
function handlers.hidden() while true do pcall(function() while true do end end) end end
function handlers.inner() local co = coroutine.wrap(function() while true do end end) while true do co() end end
function handlers.spawning() while true do host.task.spawn(function() for i = 1, 1e6 do host.time.now() end end) end end
function handlers.guarding()
  while true do host.script.guard("rule", {}, function() for i = 1, 1e5 do host.time.now() end end) end
end
function handlers.answering() return setmetatable({ stream = false }, { __index = function() while true do end end }) end
function handlers.hoard() local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end end
function handlers.sleep() host.task.sleep(60000) return { body = "late" } end

-- Holds the only permit until its client is gone; «free» tells whether somebody holds it.
function handlers.hold()
  permits = permits or host.task.semaphore(1)
  return permits:with(function()
    host.shared.set("held", true)
    host.task.sleep(2000)
    host.shared.increment("finished")
    return { body = "held" }
  end)
end
function handlers.free()
  permits = permits or host.task.semaphore(1)
  local free = host.task.with_deadline(50, function() return permits:with(function() return true end) end)
  return { body = tostring(free or false) }
end
function handlers.held() return { body = tostring(host.shared.get "held" or false) } end
function handlers.finished() return { body = tostring(host.shared.get "finished" or 0) } end

function handlers.count()
  return { headers = { ["Content-Type"] = "text/plain" }, stream = function(write)
    for i = 1, 3 do write(i .. "\\n") host.task.sleep(5) end
  end }
end
function handlers.flood()
  return { stream = function(write)
    for i = 1, 400 do write(("x"):rep(65536)) host.shared.set("flooded", i) end
  end }
end
-- Three write at once, each more than a connection holds.
function handlers.together()
  return { stream = function(write)
    local writers = {}
    for i = 1, 3 do
      writers[i] = host.task.spawn(function() for _ = 1, 8 do write(("abc"):sub(i, i):rep(65536)) end end)
    end
    for i = 1, 3 do writers[i]:join() end
  end }
end
function handlers.flooded() return { body = tostring(host.shared.get "flooded" or 0) } end
function handlers.half()
  return { stream = function(write) write("first half") error("no second half") end }
end

local routes = {}
for name in pairs(handlers) do routes[#routes + 1] = { "GET", "/" .. name, name = name } end
routes[#routes + 1] = { "GET", "/" .. ("long"):rep(64), name = "hello" }
routes[#routes + 1] = { "POST", "/hold", name = "hold" }
routes[#routes + 1] = { "GET", "/soon", name = "sleep", deadline_ms = 100 }
return {
  routes = routes,
  dispatch = function(request, index) return handlers[routes[index].name](request) end,
}
`;

let server;
before(async () => {
  server = new Small({ FURA_WORKERS: '1' });
  server.edit('lua/init.lua', SOURCE);
  await server.serve();
});
after(() => server.stop('SIGKILL'));

async function stillServes() {
  assert.equal((await server.client.get('/hello')).text, 'hello');
}

test('a raise is a 500 problem without details, its whole stack is in the log, and the next request is served', async () => {
  const answer = await server.client.get('/raise');
  assert.equal(answer.status, 500);
  assert.equal(answer.json.code, 'internal_error');
  assert.doesNotMatch(answer.text, /rule broke|init\.lua/);
  await until(() => /the rule broke[^\n]*stack traceback[^\n]*in function 'inner'/.test(server.child.output), { what: 'the stack' });
  await stillServes();
});

test('a route of hundreds of bytes is served like any other', async () => {
  assert.equal((await server.client.get(`/${'long'.repeat(64)}`)).text, 'hello');
  await stillServes();
});

for (const name of ['wrong', 'split']) {
  test(`an answer that cannot be sent (${name}) is a 500 and named in the log`, async () => {
    const answer = await server.client.get(`/${name}`);
    assert.equal(answer.status, 500);
    assert.equal(answer.headers['set-cookie'], undefined);
    await until(() => /handler answered wrongly/.test(server.child.output), { what: 'the log line' });
    await stillServes();
  });
}

for (const name of ['loop', 'hidden', 'inner', 'spawning', 'guarding', 'answering']) {
  test(`an endless script (${name}) is stopped with 503 script_timeout`, async () => {
    const answer = await server.client.get(`/${name}`);
    assert.equal(answer.status, 503);
    assert.equal(answer.json.code, 'script_timeout');
    await stillServes();
  });
}

test('an answer may inherit its fields', async () => {
  const answer = await server.client.get('/inherited');
  assert.deepEqual([answer.status, answer.text], [203, 'of all answers']);
});

test('what the core made cannot be finalized by hand', async () => {
  assert.equal((await server.client.get('/finalized')).status, 500);
  await stillServes();
});

test('a script that hoards memory fails alone', async () => {
  assert.ok([500, 503].includes((await server.client.get('/hoard')).status));
  await stillServes();
});

test('a request that waits beyond its deadline is answered 503', async () => {
  const answer = await server.client.get('/soon');
  assert.equal(answer.status, 503);
  assert.equal(answer.json.code, 'deadline_exceeded');
});

/** Ask and leave as soon as the script holds the permit. */
async function askAndLeave(method) {
  const { hostname, port } = new URL(server.client.url);
  const socket = net.connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write(`${method} /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
  await until(async () => (await server.client.get('/held')).text === 'true', { what: 'the permit being held' });
  socket.resetAndDestroy();
}

test('a reader who leaves is not worked for: the task ends and gives back what it held', async () => {
  const before = (await server.client.get('/finished')).text;
  await askAndLeave('GET');
  await until(async () => (await server.client.get('/free')).text === 'true', { what: 'the permit' });
  assert.equal((await server.client.get('/finished')).text, before);
});

test('a change that was asked for is carried out though its client left', async () => {
  const before = Number((await server.client.get('/finished')).text);
  await askAndLeave('POST');
  await until(async () => Number((await server.client.get('/finished')).text) === before + 1, { what: 'the end of the change' });
});

test('a stream arrives piece by piece and ends', async () => {
  const answer = await server.client.get('/count');
  assert.equal(answer.headers['transfer-encoding'], 'chunked');
  assert.equal(answer.text, '1\n2\n3\n');
});

test('a slow reader holds its writer back instead of filling memory', async () => {
  const url = new URL('/flood', server.client.url);
  const response = await new Promise((resolve, reject) => http.get(url, resolve).on('error', reject));
  response.pause();
  let last = -1;
  await until(async () => {
    const now = Number((await server.client.get('/flooded')).text);
    const stands = now > 0 && now === last;
    last = now;
    return stands;
  }, { what: 'the writer to wait', stepMs: 100 });
  assert.ok(last < 400, `wrote ${last} pieces to a reader who reads nothing`);
  let bytes = 0;
  response.on('data', (piece) => { bytes += piece.length; });
  response.resume();
  await new Promise((resolve) => response.on('end', resolve));
  assert.equal(bytes, 400 * 65536);
});

test('several tasks write one stream, and a slow reader gets all of it', async () => {
  const { hostname, port } = new URL(server.client.url);
  const text = await new Promise((resolve, reject) => {
    http.get({ hostname, port, path: '/together' }, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => {
        pieces.push(piece);
        answer.pause();
        setImmediate(() => answer.resume());
      });
      answer.on('end', () => resolve(Buffer.concat(pieces).toString())).on('error', reject);
    }).on('error', reject);
  });
  for (const letter of 'abc') assert.equal(text.split(letter).length - 1, 8 * 65536);
});

test('a stream whose script fails is broken off, so that the reader can tell', async () => {
  await assert.rejects(server.client.get('/half'));
  await stillServes();
});

test('after a refused reload endless scripts are still stopped', async () => {
  server.edit('lua/init.lua', 'return {');
  assert.equal((await server.command('reload')).code, 1);
  const answer = await server.client.get('/loop');
  assert.equal(answer.status, 503);
  assert.equal(answer.json.code, 'script_timeout');
  await stillServes();
});
