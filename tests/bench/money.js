#!/usr/bin/env node
'use strict';
// Money with a million payments and a million lines of the trail: node tests/bench/money.js [PAYMENTS]
// Fills a private PostgreSQL (minutes, ~3 GB), then measures what people and the gateway wait for, against its bars.
const http = require('node:http');
const { Product, gatewayId } = require('../support/product.js');
const { Panel } = require('../support/panel.js');
const { fillTables } = require('../support/big_tables.js');
const { walk } = require('../support/panel_walk.js');
const { exitOnSignals } = require('../support/child.js');
const { until } = require('../support/client.js');
const { median } = require('./machine.js');

const PAYMENTS = Number(process.argv[2] ?? 1000000);
const POSTGRES = ['shared_buffers=512MB', 'work_mem=16MB', 'max_wal_size=4GB', 'random_page_cost=1.1'];
const TRIES = 3; // a page counts by its median: the first may find nothing in memory
const DRIVERS = 200;
const REPEATS = 4;
const LANES = 8;
const CODES = 200;

const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
const percentile = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];

async function timed(work) {
  const began = performance.now();
  const result = await work();
  return { took: performance.now() - began, result };
}

/** Run `work(item)` for all, some side by side; gives what it took each. */
async function lanes(items, work) {
  const left = [...items];
  const times = [];
  const lane = async () => { while (left.length) times.push((await timed(() => work(left.pop()))).took); };
  await Promise.all(Array.from({ length: LANES }, lane));
  return times;
}

const row = (work, times, bar, share = 0.99) => ({ work, count: times.length, middle: median(times), high: percentile(times, share), most: Math.max(...times), bar,
  ok: percentile(times, share) < bar });

// ---- the gateway and drivers ----

/** The gateway tells of payments, each several times, and waits for our 200. */
async function webhooks(product) {
  const yookassa = product.control('yookassa');
  await yookassa.post('notifications', { url: '' }); // told by us, to be measured
  const drivers = await Promise.all(Array.from({ length: DRIVERS }, (_, n) => product.login({ id: 6000 + n })));
  const paid = [];
  const creating = await lanes(drivers, async (driver) => {
    const { status, json, text } = await driver.post('/api/v1/payments', { tariff: '1_month' });
    if (status !== 201) throw new Error(text);
    paid.push(gatewayId(json));
  });
  for (const id of paid) await yookassa.post('pay', { id });
  const told = Array.from({ length: REPEATS }, () => paid).flat();
  const times = await lanes(told, async (id) => {
    const { status, text } = await product.client.post('/webhooks/yookassa', { type: 'notification', event: 'payment.succeeded', object: { id, status: 'succeeded' } });
    if (status !== 200) throw new Error(text);
  });
  const granted = () => product.postgres.value('SELECT count(*) FROM subscription_grants WHERE driver_id BETWEEN 6000 AND 6999').then(Number);
  const { took } = await timed(() => until(async () => (await granted()) === DRIVERS, { what: 'every payment to count once' }));
  return [row('create a payment', creating, 2000, 0.95), row('answer a notification', times, 500),
    { work: `all ${DRIVERS} payments count after the last notification`, count: 1, middle: took, high: took, most: took }];
}

async function promoCodes(panel) {
  const times = [];
  const form = { action: 'extend_30', max_uses: '10', valid_from: new Date().toISOString().slice(0, 10), valid_until: '2099-01-01' };
  for (let n = 0; n < CODES; n++) {
    const { took, result } = await timed(() => panel.send('/admin/promo-codes', form));
    if (result.status !== 303) throw new Error(result.text);
    times.push(took);
  }
  return [row('create a promo code', times, 100)];
}

// ---- the panel ----

function firstByte(panel, path) {
  return new Promise((resolve, reject) => {
    const call = http.get(new URL(path, panel.origin), { headers: panel.headers, agent: false }, (response) => {
      response.once('data', () => { response.destroy(); resolve({ status: response.statusCode }); });
    });
    call.once('error', (error) => (error.code === 'ECONNRESET' ? undefined : reject(error)));
  });
}

/** The same summary is kept for ten seconds: each try asks for another period of that length. */
function shifted(path, n) {
  const url = new URL(path, 'http://x');
  const [from, to] = ['from', 'to'].map((name) => url.searchParams.get(name));
  const days = { today: 1, 7: 7, 30: 30 }[url.searchParams.get('period')] ?? (Date.parse(to) - Date.parse(from)) / 86400000 + 1;
  const day = (ago) => new Date(Date.now() - ago * 86400000).toISOString().slice(0, 10);
  return `/admin/?from=${day(n + 1 + days - 1)}&to=${day(n + 1)}`;
}

const LABELS = { list: 'a list of the panel', csv: 'first byte of a file', page: 'a page of one thing', search: 'the search', summary: 'the summary' };

async function pages(panel, postgres) {
  const kinds = {};
  const slow = [];
  for await (const { kind, path } of walk(panel, postgres)) {
    const times = [];
    for (let n = 0; n < TRIES; n++) {
      const ask = () => (kind === 'csv' ? firstByte(panel, path) : panel.get(kind === 'summary' ? shifted(path, n) : path));
      const { took, result } = await timed(ask);
      if (result.status >= 400) throw new Error(`${path}: ${result.status} ${result.text}`);
      times.push(took);
    }
    (kinds[kind] ??= []).push(median(times));
    slow.push({ path: decodeURIComponent(path), took: median(times), first: times[0] });
  }
  slow.sort((a, b) => b.took - a.took);
  console.error('slowest:');
  for (const { path, took, first } of slow.slice(0, 12)) console.error(`  ${ms(took).padStart(7)} (first ${ms(first)})  ${path}`);
  return Object.entries(kinds).map(([kind, times]) => row(LABELS[kind], times, 200, 1));
}

// ---- all of it ----

function print(rows) {
  const table = [['work', 'times', 'median', 'p99', 'most', 'bar', ''],
    ...rows.map((one) => [one.work, String(one.count), ms(one.middle), ms(one.high), ms(one.most), one.bar ? `< ${one.bar} ms` : '', one.bar ? (one.ok ? 'ok' : 'MISSED') : ''])];
  const widths = table[0].map((_, column) => Math.max(...table.map((line) => line[column].length)));
  for (const line of table) console.log(line.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd());
}

async function main() {
  exitOnSignals();
  const product = await Product.start({ serve: false, postgres: POSTGRES, env: { FURA_RATE_LIMITS: 'off', FURA_WORKERS: '1' } });
  try {
    await fillTables(product.postgres, { payments: PAYMENTS, told: (table, seconds) => console.error(`filled ${table} in ${seconds.toFixed(1)} s`) });
    await product.fura.serve();
    const panel = await Panel.of(product, 'bench');
    const rows = [...await webhooks(product), ...await promoCodes(panel), ...await pages(panel, product.postgres)];
    print(rows);
    process.exitCode = rows.some((one) => one.bar && !one.ok) ? 1 : 0;
  } finally {
    await product.stop();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(2);
});
