'use strict';
// Child processes that never outlive the test: ended on exit, on Ctrl-C, on a crash, and by the kernel
// (PR_SET_PDEATHSIG through setpriv) even when Node itself is killed. Temporary folders go the same way.
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const OUTPUT_LIMIT = 16 * 1024 * 1024;
const STOP_TIMEOUT_MS = 15000;

const living = new Set();
const folders = new Set();

process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
});

/** Ctrl-C, and what a shell or ctest sends, run the cleanup above; for programs that have no better idea. */
function exitOnSignals() {
  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]]) process.on(signal, () => process.exit(code));
}

/** A private folder that is removed at the end; `owner` is {uid, gid} when it is not for us. */
function tempFolder(name, owner) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `fura-${name}-`));
  folders.add(folder);
  if (owner) fs.chownSync(folder, owner.uid, owner.gid);
  return folder;
}

function removeFolder(folder) {
  fs.rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

class Child {
  /** options: {env, cwd, user: {uid, gid}, deathSignal, onOutput(text), stdin: 'pipe' for type()} */
  constructor(command, args, { env, cwd, user, deathSignal = 'KILL', onOutput, stdin = 'ignore' } = {}) {
    const drop = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : [];
    const argv = [`--pdeathsig=${deathSignal}`, ...drop, '--', command, ...args];
    this.name = path.basename(command);
    this.output = '';
    this.watchers = new Set();
    // Its own process group: Ctrl-C reaches us alone, and we end the children in their order.
    this.process = spawn('setpriv', argv, { env, cwd, detached: true, stdio: [stdin, 'pipe', 'pipe'] });
    living.add(this.process);
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => this.heard(text, onOutput));
    }
    this.ended = new Promise((resolve) => {
      this.process.once('error', (error) => this.finish(resolve, { code: 127, error }));
      this.process.once('close', (code, signal) => this.finish(resolve, { code, signal }));
    });
  }

  get pid() {
    return this.process.pid;
  }

  get running() {
    return this.end === undefined;
  }

  finish(resolve, end) {
    living.delete(this.process);
    this.end = end;
    for (const look of this.watchers) look();
    resolve(end);
  }

  heard(text, onOutput) {
    this.output = (this.output + text).slice(-OUTPUT_LIMIT);
    onOutput?.(text);
    for (const look of this.watchers) look();
  }

  type(text) {
    this.process.stdin.write(text);
  }

  signal(name) {
    if (this.running) process.kill(this.pid, name);
  }

  /** Ask to end, insist after a while; gives {code, signal}. */
  async stop(signal = 'SIGTERM', timeoutMs = STOP_TIMEOUT_MS) {
    this.signal(signal);
    const insist = setTimeout(() => this.signal('SIGKILL'), timeoutMs);
    const end = await this.ended;
    clearTimeout(insist);
    return end;
  }

  /** The first match of `regexp` in what it has printed or will print; fails when it ends or stays silent. */
  waitFor(regexp, timeoutMs = 30000) {
    return new Promise((resolve, reject) => {
      const finish = (settle, value) => {
        clearTimeout(timer);
        this.watchers.delete(look);
        settle(value);
      };
      const fail = (why) => finish(reject, new Error(`${this.name}: ${why} while waiting for ${regexp}\n${this.tail()}`));
      const look = () => {
        const match = regexp.exec(this.output);
        if (match) finish(resolve, match);
        else if (!this.running) fail(`ended with ${JSON.stringify(this.end)}`);
      };
      const timer = setTimeout(() => fail('silent'), timeoutMs);
      this.watchers.add(look);
      look();
    });
  }

  tail(lines = 40) {
    return this.output.split('\n').slice(-lines).join('\n');
  }
}

/** Run to the end; gives {code, output}; `input` goes to its stdin. */
function run(command, args, { env, cwd, user, input = '' } = {}) {
  const drop = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : [];
  return new Promise((resolve, reject) => {
    const child = spawn('setpriv', ['--pdeathsig=KILL', ...drop, '--', command, ...args], { env, cwd });
    living.add(child);
    const chunks = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => { chunks[name] += text; });
    child.once('error', reject);
    child.once('close', (code) => {
      living.delete(child);
      resolve({ code, ...chunks, output: chunks.stdout + chunks.stderr });
    });
    child.stdin.on('error', () => {}); // it may end without reading
    child.stdin.end(input);
  });
}

/** As `run`, but anything but 0 is an error. */
async function must(command, args, options) {
  const end = await run(command, args, options);
  if (end.code !== 0) throw new Error(`${path.basename(command)} ${args.join(' ')} ended with ${end.code}\n${end.output}`);
  return end.stdout;
}

module.exports = { Child, run, must, tempFolder, removeFolder, exitOnSignals };
