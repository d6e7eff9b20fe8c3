#!/usr/bin/env node
'use strict';
// The whole product on one machine: private PostgreSQL and Redis, simulators of the three outside services, the
// server on top, and something to see. Data stays in .data/demo between runs; --reset removes it, --log shows the
// server's log here instead of in a file. FURA_LISTEN chooses the address.
const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { Postgres, serverUser } = require('../tests/support/postgres.js');
const { Redis } = require('../tests/support/redis.js');
const { Fura, ROOT, SETTINGS } = require('../tests/support/fura.js');
const { run } = require('../tests/support/child.js');
const { Client } = require('../tests/support/client.js');
const simulators = require('../tests/simulators/run.js');

const HERE = path.join(ROOT, '.data', 'demo');
const FIRST_PORT = 8080;
const say = (text) => process.stdout.write(`${text}\n`);

/** As root the database belongs to the user postgres, who may not be able to enter our folder: then /var/tmp has it. */
async function databaseFolder(user) {
  const wanted = path.join(HERE, 'postgres');
  if (!user) return wanted;
  fs.mkdirSync(wanted, { recursive: true });
  fs.chownSync(wanted, user.uid, user.gid);
  const reached = await run('test', ['-w', wanted], { user });
  if (reached.code === 0) return wanted;
  fs.rmdirSync(wanted);
  const elsewhere = hiddenFolder();
  fs.mkdirSync(elsewhere, { recursive: true, mode: 0o700 });
  fs.chownSync(elsewhere, user.uid, user.gid);
  return elsewhere;
}

function hiddenFolder() {
  return `/var/tmp/fura-demo-${crypto.createHash('sha256').update(ROOT).digest('hex').slice(0, 12)}`;
}

function reset() {
  for (const folder of [HERE, hiddenFolder()]) fs.rmSync(folder, { recursive: true, force: true });
  say('The demo starts anew next time.');
}

/** Made once, kept with the data, never in the repository. */
function secrets() {
  const file = path.join(HERE, 'secrets.json');
  if (fs.existsSync(file)) return JSON.parse(fs.readFileSync(file, 'utf8'));
  const made = {
    SESSION_SECRET: crypto.randomBytes(32).toString('hex'),
    SETTINGS_ENCRYPTION_KEY: crypto.randomBytes(32).toString('base64'),
    TELEGRAM_WEBHOOK_SECRET: crypto.randomBytes(24).toString('base64url'),
    ADMIN_PASSWORD: crypto.randomBytes(9).toString('base64url'),
  };
  fs.writeFileSync(file, JSON.stringify(made, null, 2), { mode: 0o600 });
  return made;
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

async function address() {
  if (process.env.FURA_LISTEN) return process.env.FURA_LISTEN;
  for (let port = FIRST_PORT; ; port++) {
    if (await isFree(port)) return `127.0.0.1:${port}`;
  }
}

/** The first TCP address of a FURA_LISTEN list, as a browser writes it. */
function openUrl(listen) {
  const tcp = listen.split(',').find((one) => !one.startsWith('unix:')) ?? '127.0.0.1:8080';
  const scheme = tcp.startsWith('ssl:') ? 'https' : 'http';
  return `${scheme}://${tcp.replace(/^ssl:/, '').replace(/^(\*|0\.0\.0\.0|\[::\]):/, '127.0.0.1:')}/`;
}

/** So that `fura status` and the others find the running demo from another terminal. */
function writeEnvFile(env) {
  const quoted = Object.entries(env).filter(([name]) => /^[A-Z_]+$/.test(name) && name !== 'PATH' && name !== 'HOME')
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`);
  fs.writeFileSync(path.join(HERE, 'env'), `${quoted.join('\n')}\n`, { mode: 0o600 });
}

class Demo {
  async start({ log }) {
    fs.mkdirSync(path.join(HERE, 'redis'), { recursive: true });
    this.secrets = secrets();
    this.listen = await address();
    this.url = openUrl(this.listen);
    await this.startServices();
    this.fura = new Fura({ env: this.environment() });
    writeEnvFile(this.fura.env);
    await this.fura.migrate();
    await this.seed();
    const file = log ? undefined : fs.createWriteStream(path.join(HERE, 'fura.log'), { flags: 'a' });
    await this.fura.serve({ onOutput: (text) => (file ?? process.stderr).write(text) });
    await this.setWebhook();
    this.greet();
  }

  async startServices() {
    this.postgres = await Postgres.start({ data: await databaseFolder(serverUser()) });
    this.redis = await Redis.start({ data: path.join(HERE, 'redis') });
    this.simulators = await simulators.start({ 'notify-url': `${this.url}webhooks/yookassa` }, SETTINGS);
  }

  environment() {
    const { ADMIN_PASSWORD: _password, ...own } = this.secrets;
    const { cargotech, telegram, yookassa } = this.simulators.urls;
    return {
      ...own, FURA_LISTEN: this.listen, FURA_DEV_LOGIN: 'on', WEBAPP_URL: this.url, FURA_WORKERS: process.env.FURA_WORKERS,
      DATABASE_URL: this.postgres.url, REDIS_URL: this.redis.url,
      CARGOTECH_API_URL: cargotech, TELEGRAM_API_URL: telegram, YOOKASSA_API_URL: yookassa,
    };
  }

  /** Once: someone who may enter the panel, and codes to try. */
  async seed() {
    if (Number(await this.postgres.value('SELECT count(*) FROM admins'))) return;
    const end = await this.fura.commandWith(`${this.secrets.ADMIN_PASSWORD}\n`, 'admin', 'add', 'demo', '--no-totp');
    if (end.code !== 0) throw new Error(`fura admin add: ${end.output}`);
    await this.postgres.query(fs.readFileSync(path.join(__dirname, 'demo.sql'), 'utf8'));
  }

  /** Told to the simulated Telegram directly: its address, unlike the real one, may be http. */
  async setWebhook() {
    const hook = { url: `${this.url}webhooks/telegram`, secret_token: this.secrets.TELEGRAM_WEBHOOK_SECRET };
    await new Client(this.simulators.urls.telegram).post(`/bot${SETTINGS.TELEGRAM_BOT_TOKEN}/setWebhook`, hook);
  }

  greet() {
    say(`Open ${this.url}`);
    say(`  panel     ${this.url}admin/  (login demo, password ${this.secrets.ADMIN_PASSWORD})`);
    say(`  Telegram  ${this.simulators.urls.telegram}/  (the dispatchers' chat, simulated)`);
    say('  promo     DEMO2026, TRIAL2026');
    say('  commands  . .data/demo/env && build/fura status');
    say('Ctrl-C stops everything.');
  }

  async stop() {
    await this.fura?.stop().catch((error) => process.stderr.write(`${error.message}\n`));
    await this.simulators?.close();
    await this.redis?.stop();
    await this.postgres?.stop();
  }
}

async function main(args) {
  if (args.includes('--reset')) return reset();
  const demo = new Demo();
  const interrupted = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.once(signal, () => {
        resolve();
        process.once(signal, () => process.exit(130)); // a second Ctrl-C does not wait
      });
    }
  });
  try {
    await Promise.race([demo.start({ log: args.includes('--log') }), interrupted]);
    await Promise.race([interrupted, demo.fura?.child?.ended]);
    if (demo.fura?.child && !demo.fura.child.running) throw new Error(`the server ended:\n${demo.fura.child.tail()}`);
  } finally {
    await demo.stop();
  }
  process.exit(0);
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
