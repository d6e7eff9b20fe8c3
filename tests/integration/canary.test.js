'use strict';
// A canary: a share of the drivers meets a new generation first, and it goes live or away by how it does.
const { test } = require('node:test');
const assert = require('node:assert/strict');
const { Small, load, repeat, serving, until } = require('../support/process.js');

// An application that knows its drivers by a header, and whose answers.lua says how well it works.
const APPLICATION = `
local host = host
local answers = require "answers"

local function hello()
  if answers.takes_ms then host.task.sleep(answers.takes_ms) end
  if answers.raises then error("the new text is broken", 0) end
  if answers.mends then host.script.complain "lua/rules/card.lua:12: the price is nil" end
  return { body = answers.greeting }
end

local function slow(request)
  host.task.sleep(tonumber(request.query_string:match "ms=(%d+)"))
  return { body = answers.greeting }
end

local function state()
  local info = host.script.info()
  return { body = host.json.encode { standby = info.standby, old = host.shared.get "ticks hello" or 0, new = host.shared.get "ticks new" or 0 } }
end

local function spin()
  local n = 0
  while answers.spins do n = n + 1 end
  return { body = tostring(n) }
end

local handlers = { hello, slow, hello, state, spin }

return {
  routes = { { "GET", "/hello" }, { "GET", "/slow" }, { "GET", "/panel" }, { "GET", "/state" }, { "GET", "/spin" } },
  dispatch = function(request, index)
    local handler = handlers[index]
    return handler and handler(request) or { status = 404, body = "nothing here" }
  end,
  audience = function(request, index)
    if index == 3 then return false end
    return request:header "x-driver"
  end,
  start = function()
    if answers.will_not_start then error("lua/answers.lua:3: this cannot start", 0) end
    host.timer.every(10, function() host.shared.increment("ticks " .. answers.greeting) end)
  end,
  calls = {
    reload_rejected = function(outcome)
      host.log.warn("told of a rejection", { reason = outcome.reason })
      return true
    end,
  },
}
`;

const answers = (values) => `return ${JSON.stringify(values).replace(/"(\w+)":/g, '$1 = ')}\n`;

async function withServer(body, env = {}) {
  const server = new Small(env);
  server.edit('lua/init.lua', APPLICATION);
  await serving(server, body);
}

/** Edit, then `fura reload …`. */
async function reload(server, values, ...options) {
  if (values) server.edit('lua/answers.lua', answers(values));
  const end = await server.command('reload', '--json', ...options);
  const lines = end.stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
  return { code: end.code, last: lines.at(-1), lines, output: end.output };
}

const asDriver = (server, driver, path = '/hello') => server.client.get(path, { 'x-driver': String(driver) });
const canary = async (server) => (await server.status()).canary;
const ended = (server) => until(async () => !(await canary(server)), { what: 'the end of the canary' });

/** Every driver of a crowd asks once: {driver → text}. */
async function askAll(server, drivers, path) {
  const said = new Map();
  const queue = [...drivers];
  const lane = async () => {
    for (let driver = queue.pop(); driver !== undefined; driver = queue.pop()) {
      said.set(driver, (await asDriver(server, driver, path)).text);
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  return said;
}

const crowd = (count) => Array.from({ length: count }, (_, index) => 1000 + index);
const ofNew = (said) => [...said].filter(([, text]) => text === 'new').map(([driver]) => driver).sort();

/** Traffic of many drivers; gives what stops it and tells who met what was not 200: {driver → text}. */
function traffic(server, drivers = crowd(60)) {
  const bad = new Map();
  let next = 0;
  const stop = repeat(async () => {
    const driver = drivers[next++ % drivers.length];
    const answer = await asDriver(server, driver).catch((error) => ({ status: 0, text: error.message }));
    if (answer.status !== 200) bad.set(driver, `${answer.status} ${answer.text}`);
  });
  return async () => { await stop(); return bad; };
}

test('a tenth of the drivers meets the canary, the same ones in every worker and at every time', async () => {
  await withServer(async (server) => {
    const { code, last } = await reload(server, { greeting: 'new' }, '--canary', '10%', '--for', '5m');
    assert.equal(code, 0);
    assert.equal(last.canary.share, '10%');
    const first = ofNew(await askAll(server, crowd(600)));
    assert.ok(first.length >= 36 && first.length <= 84, `${first.length} of 600`);
    assert.deepEqual(ofNew(await askAll(server, crowd(600))), first);
    assert.equal((await server.status()).generation, 1);
  });
});

test('only the named drivers meet a canary by names', async () => {
  await withServer(async (server) => {
    server.edit('lua/answers.lua', answers({ greeting: 'new' }));
    const end = await server.command('reload', '--canary', 'drivers:1007,1008', '--for', '1m');
    assert.equal(end.code, 0, end.output);
    assert.match(end.stdout, /worker 2 generation 2 ok\ncanary: generation 2 answers drivers:1007,1008 for 60 s/);
    assert.deepEqual(ofNew(await askAll(server, crowd(40))), [1007, 1008]);
    assert.equal((await server.client.get('/hello')).text, 'hello', 'nobody knows who');
  });
});

test('what must stay with the live side stays there and is not counted', async () => {
  await withServer(async (server) => {
    await reload(server, { greeting: 'new' }, '--canary', '100%');
    assert.equal((await asDriver(server, 1)).text, 'new');
    assert.equal((await asDriver(server, 1, '/panel')).text, 'hello');
    const { candidate, live } = await canary(server);
    assert.equal(`${candidate.requests} ${live.requests}`, '1 0');
  });
});

test('a good canary goes live at its end, and the command that waits for it says so', async () => {
  await withServer(async (server) => {
    const stop = traffic(server);
    const { code, lines } = await reload(server, { greeting: 'new' }, '--canary', '30%', '--for', '2s', '--wait');
    assert.equal(code, 0);
    assert.equal(lines.at(-1).generation, 2);
    assert.match(lines.at(-1).note, /canary 30% promoted: after 2 s: 0 of \d+ requests went wrong/);
    assert.deepEqual(await stop(), new Map());
    assert.equal(ofNew(await askAll(server, crowd(20))).length, 20);
    const status = await server.status();
    assert.equal(status.generation, 2);
    assert.equal(status.reloads[0].ok && status.reloads[0].canary, true);
    await server.untilLive((worker) => worker.generation === 2 && worker.generations === 1);
  });
});

test('a canary that raises is withdrawn by itself, and no driver of the live side sees anything', async () => {
  await withServer(async (server) => {
    const drivers = crowd(60);
    await reload(server, { greeting: 'new' }, '--canary', '20%', '--for', '5m');
    const before = ofNew(await askAll(server, drivers));
    await reload(server, null, '--withdraw');
    const stop = traffic(server, drivers);
    const { last } = await reload(server, { greeting: 'new', raises: true }, '--canary', '20%', '--for', '5m');
    assert.equal(last.canary.generation, 3);
    await ended(server);
    const bad = await stop();
    const status = await server.status();
    assert.equal(status.generation, 1);
    assert.match(status.reloads[0].reason, /canary 20% withdrawn: it fails more often, .*\nthe new text is broken/);
    assert.ok(bad.size > 0 && bad.size < 30, `${bad.size} of 60 drivers saw it (${before.length} of another canary)`);
    assert.ok([...bad.values()].every((text) => text.startsWith('500')));
    assert.match((await server.command('status')).stdout, /last reload was rejected: canary 20% withdrawn/);
    await until(() => server.logged('told of a rejection').length === 1, { what: 'the application is told' });
    assert.equal(server.logged('canary failed').length, 1);
    assert.equal(ofNew(await askAll(server, drivers)).length, 0);
  });
});

test('a mistake that something else mended counts all the same', async () => {
  await withServer(async (server) => {
    const stop = traffic(server);
    const { code, last } = await reload(server, { greeting: 'new', mends: true }, '--canary', '30%', '--for', '5m', '--wait');
    assert.equal(code, 1);
    assert.match(last.problems.join('\n'), /it fails more often, [^]*lua\/rules\/card\.lua:12: the price is nil/);
    assert.deepEqual(await stop(), new Map());
  });
});

test('a canary that is slower is withdrawn', async () => {
  await withServer(async (server) => {
    const stop = traffic(server);
    const { code, last } = await reload(server, { greeting: 'new', takes_ms: 200 }, '--canary', '40%', '--for', '5m', '--wait');
    assert.equal(code, 1);
    assert.match(last.problems[0], /it is slower, .*p95 2\d\d ms \(live: \d+ ms\)/);
    assert.deepEqual(await stop(), new Map());
  });
});

test('a canary that nobody met does not go live', async () => {
  await withServer(async (server) => {
    const { code, last } = await reload(server, { greeting: 'new' }, '--canary', 'drivers:7', '--for', '1s', '--wait');
    assert.equal(code, 1);
    assert.match(last.problems[0], /no request came to it/);
    assert.equal((await server.status()).generation, 1);
  });
});

test('a candidate that does not pass the checks is rejected by file and line, and no canary begins', async () => {
  await withServer(async (server) => {
    const { code, last } = await reload(server, { greeting: 'new', will_not_start: true }, '--canary', '10%', '--wait');
    assert.equal(code, 1);
    assert.match(last.problems.join('\n'), /lua\/answers\.lua:3: this cannot start/);
    assert.equal(await canary(server), null);
  });
});

test('a person ends a canary: live for all, or gone', async () => {
  await withServer(async (server) => {
    await reload(server, { greeting: 'new' }, '--canary', '50%');
    const gone = await server.command('reload', '--withdraw');
    assert.equal(`${gone.code} ${gone.stdout}`, '0 generation 2 withdrawn, generation 1 is live\n');
    assert.equal(ofNew(await askAll(server, crowd(20))).length, 0);
    await reload(server, null, '--canary', '50%');
    const live = await server.command('reload', '--promote');
    assert.equal(`${live.code} ${live.stdout}`, '0 generation 3 promoted, generation 3 is live\n');
    assert.equal(ofNew(await askAll(server, crowd(20))).length, 20);
    const none = await server.command('reload', '--promote');
    assert.equal(none.code, 1);
    assert.match(none.stderr, /no canary runs now/);
    assert.equal(server.logged('told of a rejection').length, 0, 'who withdrew it knows');
  });
});

test('whoever waits for a canary is told when somebody else ends it', async () => {
  await withServer(async (server) => {
    const verdict = reload(server, { greeting: 'new' }, '--canary', '50%', '--wait');
    await until(() => canary(server), { what: 'the canary' });
    await asDriver(server, 1);
    await server.command('reload', '--withdraw');
    const { code, last } = await verdict;
    assert.equal(code, 1);
    assert.match(last.problems[0], /canary 50% withdrawn: by order/);
  });
});

test('a reload takes the place of a canary', async () => {
  await withServer(async (server) => {
    await reload(server, { greeting: 'new' }, '--canary', '50%');
    const { code, last } = await reload(server, { greeting: 'newest' });
    assert.equal(`${code} ${last.generation}`, '0 3');
    assert.equal(await canary(server), null);
    for (const text of (await askAll(server, crowd(10))).values()) assert.equal(text, 'newest');
    const { reloads } = await server.status();
    assert.match(reloads[1].reason, /withdrawn: another reload takes its place/);
  });
});

test('the live side runs the timers, the canary only once it is live', async () => {
  await withServer(async (server) => {
    const state = async (driver) => JSON.parse((await asDriver(server, driver, '/state')).text);
    await reload(server, { greeting: 'new' }, '--canary', 'drivers:1');
    const begin = await state(1);
    assert.equal(`${begin.standby} ${(await state(2)).standby}`, 'true false');
    await until(async () => (await state(2)).old > begin.old + 20, { what: 'timers of the live side' });
    assert.equal((await state(1)).new, 0);
    await reload(server, null, '--promote');
    await until(async () => (await state(1)).new > 20, { what: 'timers of the promoted one' });
    assert.equal((await state(1)).standby, false);
  });
});

test('a worker killed during a canary comes back with both sides', async () => {
  await withServer(async (server) => {
    await reload(server, { greeting: 'new' }, '--canary', '30%');
    const split = ofNew(await askAll(server, crowd(100)));
    const [victim] = await server.untilLive();
    process.kill(victim.pid, 'SIGKILL');
    await server.untilLive((worker) => worker.pid !== victim.pid && worker.generation === 1 && worker.generations === 2);
    assert.deepEqual(ofNew(await askAll(server, crowd(100))), split);
    assert.ok((await canary(server)).candidate.requests >= 2 * split.length, 'what it had counted stays counted');
    assert.equal((await reload(server, null, '--promote')).code, 0);
    await server.untilLive((worker) => worker.generation === 2);
    assert.equal(ofNew(await askAll(server, crowd(20))).length, 20);
  });
});

test('a canary that crashes workers is withdrawn', async () => {
  await withServer(async (server) => {
    await reload(server, { greeting: 'new' }, '--canary', '30%');
    const [victim] = await server.untilLive();
    process.kill(victim.pid, 'SIGABRT');
    await ended(server);
    assert.match((await server.status()).reloads[0].reason, /withdrawn: a worker had trouble: killed by signal 6/);
    await server.untilLive((worker) => worker.generation === 1);
  });
});

test('a request ends on the side it began on', async () => {
  await withServer(async (server) => {
    await reload(server, { greeting: 'new' }, '--canary', 'drivers:1');
    const slow = asDriver(server, 1, '/slow?ms=1500');
    await server.untilShown('/slow');
    await reload(server, null, '--withdraw');
    assert.equal((await asDriver(server, 1)).text, 'hello');
    const answer = await slow;
    assert.equal(`${answer.status} ${answer.text}`, '200 new');
  });
});

test('a script that computes for ever is stopped on both sides, and by the winner', async () => {
  await withServer(async (server) => {
    const spins = async (driver) => (await asDriver(server, driver, '/spin')).status;
    const pids = (await server.untilLive()).map((worker) => worker.pid);
    assert.equal((await reload(server, { greeting: 'hello', spins: true })).code, 0);
    assert.equal(await spins(1), 503);
    await reload(server, { greeting: 'new', spins: true }, '--canary', 'drivers:1');
    assert.deepEqual([await spins(1), await spins(2)], [503, 503]);
    await reload(server, null, '--withdraw');
    assert.deepEqual([await spins(1), await spins(2)], [503, 503]);
    await reload(server, null, '--canary', 'drivers:1');
    await reload(server, null, '--promote');
    for (let i = 0; i < 4; i += 1) assert.equal(await spins(i), 503);
    assert.deepEqual((await server.untilLive()).map((worker) => worker.pid), pids, 'no worker had to be replaced');
  });
});

test('two nodes with the same sources give a canary to the same drivers', async () => {
  await withServer(async (one) => {
    await withServer(async (other) => {
      for (const server of [one, other]) await reload(server, { greeting: 'new' }, '--canary', '25%');
      const split = ofNew(await askAll(one, crowd(100)));
      assert.ok(split.length > 0);
      assert.deepEqual(ofNew(await askAll(other, crowd(100))), split);
    });
  });
});

test('beginning, promoting and withdrawing under load fail no request', async () => {
  await withServer(async (server) => {
    const run = load(server.client, '/hello', 4);
    await until(() => run.seen.answers > 20, { what: 'traffic' });
    for (let round = 0; round < 6; round += 1) {
      assert.equal((await reload(server, { greeting: `round ${round}` }, '--canary', '50%')).code, 0);
      const before = run.seen.answers;
      await until(() => run.seen.answers > before + 10, { what: 'traffic on both sides' });
      assert.equal((await reload(server, null, round % 2 ? '--withdraw' : '--promote')).code, 0);
    }
    assert.deepEqual((await run.stop()).errors, []);
    await server.untilLive((worker) => worker.generations === 1);
  });
});

test('stopping during a canary withdraws it and answers what runs', async () => {
  await withServer(async (server) => {
    await reload(server, { greeting: 'new' }, '--canary', '100%');
    const slow = asDriver(server, 1, '/slow?ms=1000');
    await server.untilShown('/slow');
    assert.equal((await server.command('stop')).code, 0);
    assert.equal((await slow).text, 'new');
    assert.match(server.logged('canary withdrawn')[0].reason, /the server stops/);
  });
});

test('in development a save during a canary waits for a reload by hand', async () => {
  await withServer(async (server) => {
    server.edit('lua/answers.lua', answers({ greeting: 'new' }));
    await until(() => server.logged('generation committed').length >= 2, { what: 'the save' });
    assert.equal((await reload(server, null, '--canary', '50%')).code, 0);
    server.edit('lua/answers.lua', answers({ greeting: 'newest' }));
    await until(() => server.logged('sources changed: `fura reload` takes them when the canary is over').length > 0, { what: 'the watcher' });
    assert.ok(await canary(server));
  }, { TEST_WATCH: 'on' });
});

test('mistakes of typing are told from rejected reloads', async () => {
  await withServer(async (server) => {
    for (const options of [['--canary'], ['--canary', '0%'], ['--canary', '101%'], ['--canary', 'ten'], ['--canary', 'drivers:'],
      ['--canary', '10%', '--for', 'soon'], ['--canary', '10%', '--promote'], ['--wait'], ['--no-such']]) {
      const end = await server.command('reload', ...options);
      assert.equal(end.code, 2, `${options.join(' ')}: ${end.output}`);
    }
    assert.match((await server.command('reload', '--help')).stdout, /--canary drivers:7,8/);
    assert.equal((await server.status()).reloads.length, 1);
  });
});

test('status shows both sides and the time left', async () => {
  await withServer(async (server) => {
    await reload(server, { greeting: 'new' }, '--canary', 'drivers:1', '--for', '1h');
    await asDriver(server, 1);
    await asDriver(server, 2);
    const shown = (await server.command('status')).stdout;
    assert.match(shown, /Canary: generation 2 for drivers:1, 3\d\d\d of 3600 s left/);
    assert.match(shown, /generation 2 +1 requests +0 errors/);
    assert.match(shown, /live +1 requests +0 errors/);
  });
});
