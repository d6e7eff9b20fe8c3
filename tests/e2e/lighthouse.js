#!/usr/bin/env node
'use strict';
// Lighthouse's marks of the Mini App on a phone. On demand, as it brings 200 packages:
//   npm i --no-save lighthouse && node tests/e2e/lighthouse.js        (or LIGHTHOUSE=/path/to/bin/lighthouse)
// telegram.org is played by a server of ours, so nothing is asked of the internet.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');
const { Product } = require('../support/product.js');
const { until } = require('../support/client.js');
const { address } = require('../support/mini_app.js');
const { Child, run, tempFolder, removeFolder } = require('../support/child.js');

const LEAST = { performance: 95, accessibility: 100, 'best-practices': 95 };

function playTelegram(folder) {
  const file = (name) => path.join(folder, name);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=telegram.org',
    '-keyout', file('key.pem'), '-out', file('cert.pem')], { stdio: 'ignore' });
  const script = fs.readFileSync(path.join(__dirname, '../support/telegram_web_app.js'));
  const options = { key: fs.readFileSync(file('key.pem')), cert: fs.readFileSync(file('cert.pem')) };
  const server = https.createServer(options, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/javascript', 'cache-control': 'max-age=86400' });
    response.end(script);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** Gives Chromium's debugging port. */
async function startChromium(telegramPort, folder) {
  const profile = path.join(folder, 'profile');
  const chromium = new Child(process.env.CHROMIUM ?? '/usr/bin/chromium', ['--headless=new', '--no-sandbox', '--disable-gpu',
    '--disable-dev-shm-usage', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-proxy-server',
    '--ignore-certificate-errors', `--host-resolver-rules=MAP telegram.org 127.0.0.1:${telegramPort}`,
    `--user-data-dir=${profile}`, '--remote-debugging-port=0', 'about:blank']);
  const [, port] = await chromium.waitFor(/DevTools listening on ws:\/\/[^:]+:(\d+)/);
  return { chromium, port };
}

async function judge(url, port, folder) {
  const report = path.join(folder, 'report.json');
  const end = await run(process.env.LIGHTHOUSE ?? 'node_modules/.bin/lighthouse', [url, '--quiet', `--port=${port}`, '--output=json',
    `--output-path=${report}`, '--only-categories=performance,accessibility,best-practices'], { env: process.env });
  if (end.code !== 0) throw new Error(end.output);
  return JSON.parse(fs.readFileSync(report));
}

function tell(name, { categories, audits }) {
  const marks = Object.fromEntries(Object.entries(categories).map(([id, { score }]) => [id, Math.round(score * 100)]));
  const times = ['first-contentful-paint', 'largest-contentful-paint', 'total-blocking-time', 'cumulative-layout-shift', 'speed-index'];
  console.log(name, marks, Object.fromEntries(times.map((id) => [id, audits[id].displayValue])));
  for (const category of Object.values(categories)) {
    const lost = category.auditRefs.filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 0.9);
    for (const { id } of lost) console.log(`  ${category.title}: ${id} ${audits[id].displayValue ?? ''}`, (audits[id].details?.items ?? []).slice(0, 3));
  }
  return Object.entries(LEAST).every(([id, least]) => marks[id] >= least);
}

/** The feed's list is stored, as it is for everybody but the first driver of five minutes. */
async function warmUp(product) {
  const driver = await product.login({ id: 950 });
  await until(async () => (await driver.get('/api/v1/cargos?mode=my')).status === 200, { what: 'a list of the feed' });
}

async function main() {
  const folder = tempFolder('lighthouse');
  const telegram = await playTelegram(folder);
  const product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' }, conf: path.join(__dirname, 'conf/unwatched.lua') });
  try {
    const { chromium, port } = await startChromium(telegram.address().port, folder);
    await warmUp(product);
    const visit = (where, id) => judge(address(product.client.url + where, product.initData({ id })), port, folder);
    const marks = [tell('list', await visit('/', 951)), tell('subscription', await visit('/paywall', 952))];
    await chromium.stop('SIGTERM');
    if (!marks.every(Boolean)) process.exitCode = 1;
  } finally {
    await product.stop();
    telegram.close();
    removeFolder(folder);
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
