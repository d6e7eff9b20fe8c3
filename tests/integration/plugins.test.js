'use strict';
// Plugins around real requests: order, isolation, what they may reach, what they bring.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const http = require('node:http');
const { AppCopy } = require('../support/app_copy.js');
const { Product } = require('../support/product.js');
const { until } = require('../support/client.js');

const SECRET = 'a-secret-of-sixteen-bytes';
let app;
let product;
let receiver;
const received = [];

async function listen() {
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (piece) => { body += piece; });
    request.on('end', () => {
      received.push({ url: request.url, headers: request.headers, body });
      const first = request.url === '/hook' && received.filter((one) => one.url === '/hook').length === 1;
      response.writeHead(first ? 500 : 200).end();
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return server;
}

before(async () => {
  app = new AppCopy();
  receiver = await listen();
  product = await Product.start({ root: app.root });
});

after(async () => {
  await product?.stop();
  receiver?.close();
  app?.close();
});

/** Use these plugins from now on. `files`: name → text of its plugin.lua. */
async function use(plugins, files = {}) {
  for (const [name, text] of Object.entries(files)) app.write(`plugins/${name}/plugin.lua`, text);
  app.configure(plugins);
  const end = await product.fura.command('reload');
  assert.equal(end.code, 0, end.output);
}

const plugin = (name, members) => `return { name = "${name}", version = "1.0.0", api = 1, ${members} }\n`;

async function metric(name) {
  const { text } = await product.client.get('/metrics');
  return text.split('\n').filter((line) => line.startsWith(name));
}

const get = (target, headers = {}) => product.client.get(target, headers);

test('requests go in by stages and come out the other way round', async () => {
  const marking = (name, stage) => plugin(name, `stage = "${stage}",
    on_request = function(self, req) req.ctx.path = (req.ctx.path or "") .. "${name} " end,
    on_response = function(self, req, res) res.headers["X-Path"] = (res.headers["X-Path"] or req.ctx.path) .. "${name} " end`);
  await use('{ a_last = {}, b_first = {}, c_middle = {} }', {
    a_last: marking('a_last', 'observe'), b_first: marking('b_first', 'edge'), c_middle: marking('c_middle', 'limit'),
  });
  const answer = await get('/api/v1/tariffs');
  assert.equal(answer.headers['x-path'].trim(), 'b_first c_middle a_last a_last c_middle b_first');
  await until(async () => /plugin="c_middle"/.test((await metric('fura_plugin_calls_total')).join()), { what: 'calls are counted' });
});

test('a plugin that fails is passed over or answers 503, as it declares, and is left out after ten times', async () => {
  const failing = (name, how) => plugin(name, `stage = "edge", on_error = "${how}", on_request = function() error("it broke") end`);
  await use('{ bad_skip = {} }', { bad_skip: failing('bad_skip', 'skip') });
  for (let i = 0; i < 30; i += 1) assert.equal((await get('/api/v1/tariffs')).status, 200);
  const skipped = await metric('fura_plugin_skipped_total');
  assert.match(skipped.join('\n'), /plugin="bad_skip"/);
  await use('{ bad_fail = {} }', { bad_fail: failing('bad_fail', 'fail') });
  const answer = await get('/api/v1/tariffs');
  assert.equal(answer.status, 503);
  assert.equal(answer.json.code, 'plugin_failed');
  assert.equal((await get('/livez')).status, 200, 'probes do not depend on plugins');
  assert.match((await metric('fura_plugin_errors_total')).join('\n'), /hook="on_request",plugin="bad_fail"|plugin="bad_fail",hook="on_request"/);
});

test('a hook beyond its budget is ended, and the request goes on', async () => {
  await use('{ looping = {}, sleepy = {} }', {
    looping: plugin('looping', 'stage = "observe", budget = { cpu_ms = 100 }, on_request = function() while true do end end'),
    sleepy: plugin('sleepy', 'stage = "observe", needs = { "task" }, budget = { wall_ms = 100 }, on_request = function() host.task.sleep(60000) end'),
  });
  const began = Date.now();
  assert.equal((await get('/api/v1/tariffs')).status, 200);
  assert.ok(Date.now() - began < 5000);
});

test('a hook beyond its memory is ended alone, named with its line; within it, it works', async () => {
  const table = (name, kilobytes) => plugin(name, `stage = "edge", on_error = "skip", budget = { mem_kb = 512 }, on_response = function(self, req, res)
    local list = {}
    for i = 1, ${kilobytes} * 1024 / 16 do list[i] = i end
    res.headers["X-${name}"] = "done"
  end`);
  await use('{ hoarder = {}, modest = {}, watching = {} }', {
    hoarder: table('hoarder', 8192), modest: table('modest', 128), watching: plugin('watching', 'stage = "observe", budget = { mem_kb = 512 }'),
  });
  for (let i = 0; i < 5; i += 1) {
    const { status, headers } = await get('/api/v1/tariffs');
    assert.equal(status, 200);
    assert.equal(headers['x-modest'], 'done');
    assert.equal(headers['x-hoarder'], undefined);
  }
  const told = await until(() => product.fura.log.match(/.*plugin hoarder on_response.*stopped after taking 512 kB.*/), { what: 'it is told' });
  assert.match(told[0], /plugins\/hoarder\/plugin\.lua:[23]/);
  const errors = (await metric('fura_plugin_errors_total')).filter((line) => /hoarder|modest/.test(line));
  assert.match(errors.join('\n'), /plugin="hoarder"/);
  assert.doesNotMatch(errors.join('\n'), /plugin="modest"/);
});

test('memory counts from wait to wait, over all slices in between', async () => {
  await use('{ patient = {}, sliced = {} }', {
    patient: plugin('patient', `stage = "edge", on_error = "skip", needs = { "task" }, budget = { mem_kb = 2048 }, on_response = function(self, req, res)
      local lists = {}
      for round = 1, 4 do
        lists[round] = {}
        for i = 1, 65536 do lists[round][i] = i end
        host.task.sleep(1)
      end
      res.headers["X-patient"] = "done"
    end`),
    sliced: plugin('sliced', `stage = "edge", on_error = "skip", budget = { mem_kb = 2048 }, on_response = function(self, req, res)
      local lists, n = {}, 0
      for round = 1, 4 do
        lists[round] = {}
        for i = 1, 65536 do lists[round][i] = i end
        for i = 1, 3e7 do n = n + i end
      end
      res.headers["X-sliced"] = "done"
    end`),
  });
  const { headers } = await get('/api/v1/tariffs');
  assert.equal(headers['x-patient'], 'done');
  assert.equal(headers['x-sliced'], undefined);
  assert.match((await metric('fura_plugin_errors_total')).join('\n'), /plugin="sliced"/);
});

test('a budget that is none is refused with its line', async () => {
  app.write('plugins/greedy/plugin.lua', 'return {\n  name = "greedy", version = "1.0.0", api = 1, stage = "edge",\n  budget = { mem_kb = "much" },\n}\n');
  app.configure('{ greedy = {} }');
  const end = await product.fura.command('check');
  assert.equal(end.code, 1);
  assert.match(end.output, /plugins\/greedy\/plugin\.lua:3: budget\.mem_kb is wrong \(expected kilobytes from 1, got much\)/);
});

test('a plugin reaches only what it asked for, and only its own keys', async () => {
  await use('{ curious = {} }', {
    curious: plugin('curious', `stage = "rules", needs = { "redis" }, routes = {
      { "GET", "/plugins/curious/pg", access = "public", handle = function() return { body = { error = select(2, pcall(function() return host.pg end)) } } end },
      { "GET", "/plugins/curious/io", access = "public", handle = function() return { body = { error = select(2, pcall(function() return io end)) } } end },
      { "GET", "/plugins/curious/set", access = "public", handle = function() host.redis.command("SET", "k", "v") return { body = { got = host.redis.command("GET", "k") } } end },
      { "GET", "/plugins/curious/flush", access = "public", handle = function() return { body = { error = select(2, pcall(host.redis.command, "FLUSHALL")) } } end },
      { "GET", "/plugins/curious/me", access = "driver", handle = function(self, req) return { body = { driver = req.driver_id } } end },
    }`),
  });
  assert.match((await get('/plugins/curious/pg')).json.error, /has not asked for host\.pg: add "pg" to its needs/);
  assert.match((await get('/plugins/curious/io')).json.error, /unknown name 'io'/);
  assert.equal((await get('/plugins/curious/set')).json.got, 'v');
  assert.match((await get('/plugins/curious/flush')).json.error, /may not use the Redis command FLUSHALL/);
  assert.equal((await get('/plugins/curious/me')).status, 401);
  const driver = await product.login({ id: 7101 });
  assert.equal((await driver.get('/plugins/curious/me')).json.driver, '7101');
});

test('a start that fails refuses the reload; a stop runs when the next generation has taken over', async () => {
  const text = (line) => plugin('careful', `stage = "edge", start = function() ${line} end,
    stop = function(self, reason) host.log.info("careful stops", { reason = reason }) end`);
  await use('{ careful = {} }', { careful: text('') });
  app.write('plugins/careful/plugin.lua', text('error("no luck today")'));
  const end = await product.fura.command('reload');
  assert.equal(end.code, 1);
  assert.match(end.output, /plugins\/careful\/plugin\.lua: start: plugins\/careful\/plugin\.lua:1: no luck today/);
  assert.equal((await get('/api/v1/tariffs')).status, 200);
  await use('{}');
  await until(() => product.fura.log.includes('careful stops'), { what: 'stop ran' });
});

test('a plugin that waits for itself by others is refused with the circle', async () => {
  app.write('plugins/one/plugin.lua', plugin('one', 'stage = "edge", after = { "two" }'));
  app.write('plugins/two/plugin.lua', plugin('two', 'stage = "edge", after = { "one" }'));
  app.configure('{ one = {}, two = {} }');
  const end = await product.fura.command('check');
  assert.equal(end.code, 1);
  assert.match(end.output, /circle: .*one → two.*two → one|circle: .*two → one.*one → two/);
});

test('cors answers preflights of known sites and marks their answers', async () => {
  await use('{ cors = { origins = { "https://shop.example" } } }');
  const preflight = (origin) => product.client.request('OPTIONS', '/api/v1/tariffs', {
    headers: { origin, 'access-control-request-method': 'GET' },
  });
  const known = await preflight('https://shop.example');
  assert.equal(known.status, 204);
  assert.equal(known.headers['access-control-allow-origin'], 'https://shop.example');
  assert.equal((await preflight('https://evil.example')).status, 403);
  const answer = await get('/api/v1/tariffs', { origin: 'https://shop.example' });
  assert.equal(answer.headers['access-control-allow-origin'], 'https://shop.example');
  assert.match(answer.headers.vary, /Origin/);
  assert.equal((await get('/api/v1/tariffs', { origin: 'https://evil.example' })).headers['access-control-allow-origin'], undefined);
});

test('ip_filter and maintenance turn requests away, probes go on', async () => {
  await use('{ ip_filter = { deny = { "127.0.0.0/8" } } }');
  assert.equal((await get('/api/v1/tariffs')).status, 403);
  assert.equal((await get('/livez')).status, 200);
  await use('{ maintenance = { message = "Вернёмся в полдень", retry_after_s = 60 } }');
  const answer = await get('/api/v1/tariffs');
  assert.equal(answer.status, 503);
  assert.equal(answer.json.detail, 'Вернёмся в полдень');
  assert.equal(answer.headers['retry-after'], '60');
  await use('{ maintenance = { enabled = false } }');
  assert.equal((await get('/api/v1/tariffs')).status, 200);
});

test('slow_requests logs what took too long, after the answer', async () => {
  await use('{ slow_requests = { threshold_ms = 1 }, lag = {} }', {
    lag: plugin('lag', 'stage = "rules", needs = { "task" }, on_response = function() end, routes = { { "GET", "/plugins/lag", access = "public", handle = function() host.task.sleep(20) return { body = {} } end } }'),
  });
  assert.equal((await get('/plugins/lag')).status, 200);
  await until(() => /"message":"slow request".*\/plugins\/lag|"path":"\/plugins\/lag".*slow request/.test(product.fura.log), { what: 'the log line' });
});

test('webhook_out delivers signed events, again after a failure', async () => {
  const { port } = receiver.address();
  await use(`{ webhook_out = { url = "http://127.0.0.1:${port}/hook", secret = "${SECRET}", events = { "reload.rejected" } } }`);
  app.write('lua/rules/tariffs.lua', 'return {');
  assert.equal((await product.fura.command('reload')).code, 1);
  app.restore();
  await until(() => received.filter((one) => one.url === '/hook').length >= 2, { what: 'the second attempt', timeoutMs: 30000 });
  const [first, second] = received.filter((one) => one.url === '/hook');
  assert.equal(JSON.parse(first.body).id, JSON.parse(second.body).id);
  assert.equal(second.headers['x-fura-attempt'], '2');
  assert.equal(JSON.parse(second.body).event, 'reload.rejected');
  const stamp = second.headers['x-fura-timestamp'];
  const mac = crypto.createHmac('sha256', SECRET).update(`${stamp}.${second.body}`).digest('hex');
  assert.equal(second.headers['x-fura-signature'], `v1=${mac}`);
});

test('sentry hears of a request that ended by an error, with its place', async () => {
  const { port } = receiver.address();
  await use(`{ sentry = { dsn = "http://abc@127.0.0.1:${port}/42" } }`);
  app.edit('lua/contracts/billing/list_tariffs.lua', '    local data =', '    if context then error("tariffs are broken") end\n    local data =');
  assert.equal((await product.fura.command('reload')).code, 0);
  assert.equal((await get('/api/v1/tariffs')).status, 500);
  await until(() => received.some((one) => one.url === '/api/42/envelope/'), { what: 'the envelope' });
  const { body } = received.find((one) => one.url === '/api/42/envelope/');
  assert.match(body, /tariffs are broken/);
  assert.match(body, /lua\/contracts\/billing\/list_tariffs\.lua/);
  app.restore();
  await use('{}');
});

test('expiry_reminder tells each driver once', async () => {
  await use('{ expiry_reminder = { days = { "3" } } }');
  const driver = await product.login({ id: 7202 });
  await driver.get('/api/v1/me');
  const sql = "INSERT INTO subscription_grants (driver_id, source, source_id, days) VALUES (7202, 'gift', 'spec-7202', 3)";
  await product.postgres.query(sql);
  for (let i = 0; i < 2; i += 1) {
    const end = await product.fura.command('jobs', 'run', 'expiry_reminder.look');
    assert.equal(end.code, 0, end.output);
  }
  const sent = async () => JSON.stringify(await product.control('telegram').get('log')).match(/заканчивается через 3 дня/g) ?? [];
  await until(async () => (await sent()).length > 0, { what: 'the reminder', timeoutMs: 20000 });
  assert.equal((await sent()).length, 1);
});
