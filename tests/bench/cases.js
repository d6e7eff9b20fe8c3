'use strict';
// What is measured. A case gives rows for the table: {work, fura, peer?, result, bar?, ok?}; without a bar a row only informs.
const assert = require('node:assert');
const http = require('node:http');
const { Client, until } = require('../support/client.js');
const { Lanes } = require('./lanes.js');
const { freePort, mainThreadMs, median, privateKib, sleep } = require('./machine.js');
const { Nginx } = require('./nginx.js');
const { LIST, STREAM, helloTarget, listTarget, sharePage, startEditable, startHello, startProduct } = require('./server.js');
const { Load, inTurn, load, medianOf, ratio } = require('./wrk.js');

const SECONDS = Number(process.env.BENCH_SECONDS ?? 5);
const ROUNDS = 5;
const IDLE_CONNECTIONS = 10000;
const RELOADS = 100;
const KILL_MS = 500; // scripts.kill_ms of conf/default.lua

const rate = (results, field = 'perSecond') => `${Math.round(medianOf(results, field)).toLocaleString('en')}/s`;
const ms = (value) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;

function ratioRow(work, results, bar) {
  const value = ratio(results, 'perCore');
  return {
    work, fura: `${rate(results.fura, 'perCore')} a core`, peer: `${rate(results.peer, 'perCore')} a core`,
    result: `${value.toFixed(2)} ×`, ...(bar && { bar: `≥ ${bar.toFixed(1)} ×`, ok: value >= bar }),
  };
}

/** Run `measure` between start and stop of what it needs. */
async function using(parts, measure) {
  const running = [];
  try {
    for (const start of parts) running.push(await start(...running));
    return await measure(...running);
  } finally {
    for (const part of running.reverse()) await part.stop();
  }
}

const hello = () => using([startHello, () => Nginx.start()], async (fura, nginx) => {
  const options = { connections: 64, seconds: SECONDS, rounds: ROUNDS };
  const results = await inTurn(helloTarget(fura), nginx.target('/hello'), options);
  return [ratioRow('trivial handler, 64 connections', results, 1.0)];
});

/** Both must give the driver the same cards. */
async function checkSame(product, nginx, headers) {
  for (const location of [LIST, `/kept${LIST}`, `/kept${LIST}`]) {
    const { status, json } = await new Client(nginx.url, headers).get(location);
    assert.strictEqual(status, 200);
    assert.deepStrictEqual(json.cards.map((card) => card.id), product.page.cards.map((card) => card.id));
  }
}

const list = () => using([startProduct, async (product) => Nginx.start(await sharePage(product))], async (product, nginx) => {
  const fura = listTarget(product);
  await checkSame(product, nginx, fura.headers);
  const peer = nginx.target(LIST, fura.headers);
  const kept = nginx.target(`/kept${LIST}`, fura.headers);
  const few = { connections: 64, seconds: SECONDS, rounds: ROUNDS };
  const usual = await inTurn(fura, peer, few);
  const memory = await inTurn(fura, kept, { ...few, rounds: 2 });
  const crowd = await inTurn(fura, peer, { connections: 1000, seconds: SECONDS, rounds: 3 });
  return [
    ratioRow('cached cargo list, 64 connections', usual, 2.0),
    ratioRow('  the same, peer keeps all in memory', memory),
    crowdRow(crowd),
  ];
});

function crowdRow(results) {
  const fura = medianOf(results.fura, 'p99');
  const peer = medianOf(results.peer, 'p99');
  const failed = results.fura.reduce((sum, result) => sum + result.failed, 0);
  return {
    work: 'cached cargo list, 1,000 connections', fura: `p99 ${ms(fura)}, ${rate(results.fura)}`,
    peer: `p99 ${ms(peer)}, ${rate(results.peer)}`, result: `${failed} failed`, bar: 'p99 below the peer’s, 0 failed',
    ok: fura < peer && failed === 0,
  };
}

// ---- idle connections ----

function getKeptAlive(agent, url) {
  return new Promise((resolve, reject) => {
    http.get(url, { agent }, (response) => response.resume().once('end', resolve)).once('error', reject);
  });
}

/** Open connections that have answered one request and stay. */
async function openIdle(url, count) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: count, maxFreeSockets: count });
  for (let opened = 0; opened < count; opened += 500) {
    // In flight together, so that each opens a connection of its own.
    const batch = Array.from({ length: opened + 500 }, () => getKeptAlive(agent, url));
    await Promise.all(batch);
  }
  return agent;
}

const idle = () => using([startHello], async (fura) => {
  const { url, pid } = helloTarget(fura);
  (await openIdle(url, 100)).destroy();
  await sleep(500);
  const before = privateKib(pid);
  const agent = await openIdle(url, IDLE_CONNECTIONS);
  const open = Object.values(agent.freeSockets).flat().length;
  assert.strictEqual(open, IDLE_CONNECTIONS);
  const each = (privateKib(pid) - before) / IDLE_CONNECTIONS;
  agent.destroy();
  return [{ work: '10,000 idle connections', fura: `${each.toFixed(2)} KiB each`, result: `${open} open`, bar: '≤ 8 KiB each', ok: each <= 8 }];
});

// ---- reloads ----

const memoryOf = (fura) => [fura.pid, ...fura.workers()].reduce((sum, pid) => sum + privateKib(pid), 0);

async function reloadManyTimes(fura, status) {
  for (let i = 0; i < RELOADS; i++) {
    const end = await fura.command('reload');
    if (end.code !== status) throw new Error(`reload ${i} ended with ${end.code}\n${end.output}`);
  }
}

/** The load, with lanes beside it, while `meanwhile` runs. */
async function loadDuring(product, meanwhile) {
  const busy = new Load(listTarget(product), { connections: 64, seconds: 3600 });
  const lanes = new Lanes(product.client.url, { pipelined: { path: '/api/v1/tariffs' }, streamed: STREAM });
  await meanwhile();
  const result = await busy.stop();
  return { ...result, lanes: await lanes.stop() };
}

function reloadRows(work, quiet, busy, growth) {
  const { answers, streams, wrong } = busy.lanes;
  const added = busy.p99 - quiet.p99, failed = busy.failed + wrong.length;
  return [
    { work, fura: rate([busy]), result: `${failed} failed or mixed`, bar: '0', ok: failed === 0 },
    { work: '  beside', fura: `${answers} pipelined, ${streams} streams`, result: wrong[0] ?? 'all whole' },
    { work: '  latency', fura: `p99 ${ms(quiet.p99)} → ${ms(busy.p99)}`, result: `${added > 0 ? '+' : '−'}${ms(Math.abs(added))}`, bar: 'p99 + 20 ms at most', ok: added <= 20 },
    { work: '  memory after', fura: '', result: `× ${growth.toFixed(2)}`, bar: '≤ × 1.1', ok: growth <= 1.1 },
  ];
}

const reloads = () => using([startEditable], async (product) => {
  const quiet = await loadDuring(product, () => sleep(2 * SECONDS * 1000));
  const rows = [];
  for (const [work, status] of [['100 reloads under load', 0], ['100 rejected reloads', 1]]) {
    if (status) product.app.write('lua/rules/tariffs.lua', 'return {');
    const before = memoryOf(product.fura);
    const busy = await loadDuring(product, () => reloadManyTimes(product.fura, status));
    await sleep(1000);
    rows.push(...reloadRows(work, quiet, busy, memoryOf(product.fura) / before));
  }
  return rows;
});

// ---- start ----

// The caches are warm: the driver's session and list are in Redis.
async function timeStart(product, port) {
  const started = process.hrtime.bigint();
  const serving = product.fura.serve({ ready: false });
  const driver = new Client(`http://127.0.0.1:${port}`).as(product.driver.token);
  const answers = () => driver.get(LIST).then(({ status }) => status === 200, () => false);
  await until(answers, { what: 'the first answer', stepMs: 2 });
  const took = Number(process.hrtime.bigint() - started) / 1e6;
  await serving;
  return took;
}

const start = () => using([startProduct], async (product) => {
  const port = await freePort();
  product.fura.env.FURA_LISTEN = `127.0.0.1:${port}`;
  const times = [];
  for (let i = 0; i < ROUNDS; i++) {
    await product.fura.child.stop('SIGTERM');
    times.push(await timeStart(product, port));
  }
  const value = median(times);
  return [{ work: 'start to first answer', fura: ms(value), result: `best ${ms(Math.min(...times))}`, bar: '≤ 300 ms', ok: value <= 300 }];
});

// ---- a runaway script ----

// {wall, cpu}: milliseconds until the script was stopped, and what it used of them. The budget is of CPU time.
async function timeRunaway(fura) {
  const { pid } = helloTarget(fura);
  const started = { wall: Number(process.hrtime.bigint()) / 1e6, cpu: mainThreadMs(pid) };
  const { status } = await fura.client.get('/runaway');
  assert.strictEqual(status, 503);
  return { wall: Number(process.hrtime.bigint()) / 1e6 - started.wall, cpu: mainThreadMs(pid) - started.cpu };
}

// First alone, as the worker's CPU time is then the script's; then beside others, who have their turns while it runs.
const runaway = () => using([startHello], async (fura) => {
  const alone = [];
  for (let i = 0; i < ROUNDS; i++) alone.push(await timeRunaway(fura));
  const neighbours = new Load(helloTarget(fura), { connections: 64, seconds: 3600 });
  const beside = [];
  for (let i = 0; i < ROUNDS; i++) {
    await sleep(1000);
    beside.push(await timeRunaway(fura));
  }
  const result = await neighbours.stop();
  const beyond = Math.max(...alone.map((time) => time.cpu)) - KILL_MS;
  const wall = Math.max(...beside.map((time) => time.wall));
  return [
    { work: 'runaway script', fura: `stopped after ${ms(KILL_MS + beyond)} of CPU`, result: `budget + ${ms(beyond)}`,
      bar: '≤ budget + 100 ms', ok: beyond <= 100 },
    { work: '  its neighbours', fura: `p99 ${ms(result.p99)}, worst ${ms(result.max)}`, result: `${result.failed} failed`,
      bar: 'worst ≤ half the time until it stopped', ok: result.failed === 0 && result.max <= wall / 2 },
  ];
});

module.exports = { hello, list, idle, reloads, start, runaway };
