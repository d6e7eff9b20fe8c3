'use strict';
// The binary with the small application of tests/integration/app, in a private copy that a test may edit: for what
// concerns processes, not the product.
const fs = require('node:fs');
const path = require('node:path');
const { Child, run, tempFolder, removeFolder } = require('./child.js');
const { Client, until } = require('./client.js');
const { binary, ROOT } = require('./fura.js');

const SANITIZER = /ERROR: (?:Address|Leak|Undefined\w*)Sanitizer|runtime error: /;
const INHERITED = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS'];
const LISTENING = /Listening on (http:\/\/[\w.[\]:-]+:\d+)/;

class Small {
  constructor(env = {}) {
    this.folder = tempFolder('small');
    this.root = path.join(this.folder, 'app');
    fs.cpSync(path.join(ROOT, 'tests', 'integration', 'app'), this.root, { recursive: true });
    this.control = path.join(this.folder, 'control.sock');
    const inherited = Object.fromEntries(INHERITED.filter((name) => process.env[name]).map((name) => [name, process.env[name]]));
    this.env = {
      ...inherited,
      FURA_LISTEN: '127.0.0.1:0',
      FURA_WORKERS: '2',
      FURA_ADMIN_LISTEN: `unix:${this.control}`,
      REDIS_URL: `unix://${this.folder}/no-redis.sock`,
      ...env,
    };
  }

  command(...args) {
    return run(binary(), args, { env: this.env, cwd: this.root });
  }

  /** Start and wait until it listens. */
  async serve() {
    this.child = new Child(binary(), ['serve'], { env: this.env, cwd: this.root, deathSignal: 'TERM' });
    const [, url] = await this.child.waitFor(LISTENING);
    this.client = new Client(url);
    return this;
  }

  get pid() {
    return this.child.pid;
  }

  get log() {
    return this.child?.output ?? '';
  }

  /** Log lines with this message, as objects. */
  logged(message) {
    const lines = this.log.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    return lines.map((line) => JSON.parse(line)).filter((line) => line.message === message);
  }

  async status() {
    const end = await this.command('status', '--json');
    return end.code === 0 ? JSON.parse(end.stdout) : undefined;
  }

  /** Wait until all workers serve; gives their status objects. */
  async untilLive(accept = () => true) {
    return until(async () => {
      const workers = (await this.status())?.workers ?? [];
      return workers.length > 0 && workers.every((worker) => worker.state === 'live' && accept(worker)) && workers;
    }, { what: 'all workers live' });
  }

  /** Wait until `fura ps` shows this. */
  untilShown(text) {
    return until(async () => (await this.command('ps')).stdout.includes(text), { what: `\`fura ps\` to show ${text}` });
  }

  edit(file, text) {
    fs.writeFileSync(path.join(this.root, file), text);
  }

  /** Replace a text that must be there. */
  replace(file, from, to) {
    const text = fs.readFileSync(path.join(this.root, file), 'utf8');
    if (!text.includes(from)) throw new Error(`${file} does not contain ${from}`);
    this.edit(file, text.replace(from, to));
  }

  /** A sanitizer's report is an error, wherever it came from. */
  async stop(signal = 'SIGTERM') {
    const end = await this.child?.stop(signal, 40000);
    removeFolder(this.folder);
    if (SANITIZER.test(this.log)) throw new Error(`sanitizer report:\n${this.log.slice(this.log.search(SANITIZER)).slice(0, 8000)}`);
    return end;
  }
}

/** Is a process with this id there, and not a zombie? */
function isAlive(pid) {
  try {
    return !/^\d+ \(.*\) Z/.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Serve, do this, and stop: a server that does not end well is an error. */
async function serving(server, body) {
  try {
    await server.serve();
    await body(server);
    const end = await server.child.stop('SIGTERM');
    if (end.code !== 0) throw new Error(`fura ended with ${JSON.stringify(end)}\n${server.child.tail()}`);
  } finally {
    await server.stop('SIGKILL');
  }
}

/** Do `once` over and over in so many lanes; gives what stops them and waits for the last ones. */
function repeat(once, lanes = 4) {
  let going = true;
  const lane = async () => { while (going) await once(); };
  const all = Promise.all(Array.from({ length: lanes }, lane));
  return async () => {
    going = false;
    await all;
  };
}

/** Ask for `target` over and over on `lanes` connections; `seen` is {answers, errors}, which `stop` gives too. */
function load(client, target, lanes = 4) {
  const seen = { answers: 0, errors: [] };
  const stop = repeat(async () => {
    const answer = await client.get(target).catch((error) => ({ status: 0, text: error.message }));
    if (answer.status === 200) seen.answers += 1;
    else seen.errors.push(`${answer.status} ${answer.text}`);
  }, lanes);
  return { seen, stop: async () => { await stop(); return seen; } };
}

module.exports = { Small, isAlive, load, repeat, serving, until };
