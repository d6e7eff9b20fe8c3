'use strict';
// The server under test: build/fura (or FURA_BINARY) with a private environment, on a port of the system's choice.
const fs = require('node:fs');
const path = require('node:path');
const { Child, run, tempFolder, removeFolder } = require('./child.js');
const { Client, until } = require('./client.js');
const { keepEnvironment, mustHideSecrets } = require('./secrets.js');

const ROOT = path.resolve(__dirname, '..', '..');
const SANITIZER = /ERROR: (?:Address|Leak|Undefined\w*)Sanitizer|runtime error: /;
const READY_TIMEOUT_MS = 60000;

/** The settings every test shares; secrets here protect nothing. */
const SETTINGS = {
  FURA_ENV: 'development',
  FURA_LISTEN: '127.0.0.1:0',
  FURA_WORKERS: '2',
  FURA_RATE_LIMITS: 'on',
  WEBAPP_URL: 'http://127.0.0.1:8080/',
  SESSION_SECRET: 'test-session-secret-0123456789abcdef',
  SETTINGS_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
  TELEGRAM_BOT_TOKEN: '1234567890:TEST-simulated-bot-token',
  TELEGRAM_RESPONSES_CHAT_ID: '-1001234567890',
  TELEGRAM_ALERTS_CHAT_ID: '-1009876543210',
  TELEGRAM_WEBHOOK_SECRET: 'test-webhook-secret',
  CARGOTECH_PHONE: '+7 911 111 11 11',
  CARGOTECH_PASSWORD: 'test-cargotech-password',
  YOOKASSA_SHOP_ID: '100500',
  YOOKASSA_SECRET_KEY: 'test_simulated-secret-key',
  YOOKASSA_ALLOWED_IPS: '127.0.0.0/8,::1/128',
};

const INHERITED = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS'];

function binary() {
  const file = path.resolve(process.env.FURA_BINARY ?? path.join(ROOT, 'build', 'fura'));
  if (!fs.existsSync(file)) throw new Error(`${file} is missing: run \`make build\` or set FURA_BINARY`);
  return file;
}

class Fura {
  /** `env` wins over SETTINGS; undefined removes a variable. `root`: another application folder than this repository. */
  constructor({ env = {}, conf, root = ROOT } = {}) {
    this.root = root;
    this.folder = tempFolder('run');
    this.conf = conf ? ['-c', conf] : [];
    const inherited = Object.fromEntries(INHERITED.map((name) => [name, process.env[name]]));
    const control = { FURA_RUN_DIR: this.folder };
    const all = { ...inherited, ...SETTINGS, ...control, ...env };
    this.env = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    keepEnvironment(this.env);
  }

  /** Any command of the binary in the same environment: {code, stdout, stderr, output}. */
  command(...args) {
    return this.commandWith('', ...args);
  }

  async commandWith(input, ...args) {
    const [name, ...rest] = args;
    const end = await run(binary(), [name, ...this.conf, ...rest], { env: this.env, cwd: this.root, input });
    mustHideSecrets(`fura ${args.join(' ')}`, end.output);
    return end;
  }

  async migrate() {
    const end = await this.command('migrate', 'up');
    if (end.code !== 0) throw new Error(`fura migrate up ended with ${end.code}\n${end.output}`);
  }

  /** Start and wait until it listens; with `ready`, also until /readyz says 200. `onOutput(text)` sees its log. */
  async serve({ ready = true, onOutput } = {}) {
    mustHideSecrets('the log', this.log); // of the server that this one takes the place of
    this.child = new Child(binary(), ['serve', ...this.conf], { env: this.env, cwd: this.root, deathSignal: 'TERM', onOutput });
    const [, address] = await this.child.waitFor(/Listening on (?:https?:\/\/)?([\w.[\]:-]+:\d+)/, READY_TIMEOUT_MS);
    this.client = new Client(`http://${address}`);
    if (ready) await this.untilReady();
    return this;
  }

  async untilReady() {
    let last;
    const check = async () => {
      if (!this.child.running) throw new Error(`fura ended: ${JSON.stringify(this.child.end)}\n${this.child.tail()}`);
      last = await this.client.get('/readyz').catch((error) => ({ text: error.message }));
      return last.status === 200;
    };
    await until(check, { what: 'readyz', timeoutMs: READY_TIMEOUT_MS }).catch((error) => {
      throw new Error(`${error.message}: ${last?.text}\n${this.child.tail()}`);
    });
  }

  get pid() {
    return this.child.pid;
  }

  /** Process ids of the workers, from the system's own table. */
  workers() {
    const children = fs.readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8');
    return children.split(' ').filter(Boolean).map(Number);
  }

  get log() {
    return this.child?.output ?? '';
  }

  /** Drain and stop; a sanitizer's report, a secret in the log or a bad exit is an error. */
  async stop(signal = 'SIGTERM') {
    const wasRunning = this.child?.running;
    const end = this.child ? await this.child.stop(signal, 40000) : undefined;
    removeFolder(this.folder);
    if (SANITIZER.test(this.log)) throw new Error(`sanitizer report:\n${this.log.slice(this.log.search(SANITIZER), 8000)}`);
    mustHideSecrets('the log', this.log);
    if (wasRunning && end.code !== 0) throw new Error(`fura ended with ${JSON.stringify(end)}\n${this.child.tail()}`);
  }
}

module.exports = { Fura, ROOT, SETTINGS, binary };
