#!/usr/bin/env node
'use strict';
// Lighthouse's marks of the Mini App on a phone. On demand, as it brings 200 packages:
//   npm i --no-save lighthouse && node tests/e2e/lighthouse.js        (or LIGHTHOUSE=/path/to/bin/lighthouse)
// telegram.org is played by a server of ours, so nothing is asked of the internet.
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');
const { Product } = require('../support/product.js');
const { address } = require('../support/mini_app.js');
const { tempFolder, removeFolder } = require('../support/child.js');

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

function judge(url, telegramPort, folder) {
  const report = path.join(folder, 'report.json');
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--ignore-certificate-errors',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    `--host-resolver-rules="MAP telegram.org 127.0.0.1:${telegramPort}"`];
  const end = spawnSync(process.env.LIGHTHOUSE ?? 'node_modules/.bin/lighthouse', [url, '--quiet', '--output=json',
    `--output-path=${report}`, '--only-categories=performance,accessibility,best-practices', `--chrome-flags=${flags.join(' ')}`],
  { encoding: 'utf8', env: { ...process.env, CHROME_PATH: process.env.CHROMIUM ?? '/usr/bin/chromium' } });
  if (end.status !== 0) throw new Error(end.stderr || String(end.error));
  return JSON.parse(fs.readFileSync(report));
}

function tell(name, { categories, audits }) {
  const marks = Object.fromEntries(Object.entries(categories).map(([id, { score }]) => [id, Math.round(score * 100)]));
  const times = ['first-contentful-paint', 'largest-contentful-paint', 'total-blocking-time', 'cumulative-layout-shift', 'speed-index'];
  console.log(name, marks, Object.fromEntries(times.map((id) => [id, audits[id].displayValue])));
  for (const category of Object.values(categories)) {
    const lost = category.auditRefs.filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 0.9);
    for (const { id } of lost) console.log(`  ${category.title}: ${id} ${audits[id].displayValue ?? ''}`);
  }
  return Object.entries(LEAST).every(([id, least]) => marks[id] >= least);
}

async function main() {
  const folder = tempFolder('lighthouse');
  const telegram = await playTelegram(folder);
  const product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' }, conf: path.join(__dirname, 'conf/unwatched.lua') });
  try {
    const { port } = telegram.address();
    const visit = (where, id) => judge(address(product.client.url + where, product.initData({ id })), port, folder);
    const marks = [tell('list', visit('/', 951)), tell('subscription', visit('/paywall', 952))];
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
