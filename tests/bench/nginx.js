'use strict';
// The peer: nginx with Debian's Lua module, one worker on the server's core.
const fs = require('node:fs');
const path = require('node:path');
const { Child, removeFolder, tempFolder } = require('../support/child.js');
const { Client, until } = require('../support/client.js');
const { children, freePort, pinServer } = require('./machine.js');

class Nginx {
  /** `env` reaches the scripts: BENCH_SESSION_SECRET, BENCH_SESSION_KID, BENCH_REDIS_SOCKET. */
  static async start(env = {}) {
    const nginx = new Nginx();
    await nginx.up(env);
    return nginx;
  }

  async up(env) {
    this.folder = tempFolder('nginx');
    this.port = await freePort();
    const values = {
      USER: process.getuid() === 0 ? 'user root;' : '', FOLDER: this.folder, PORT: this.port, BENCH: __dirname,
    };
    const template = fs.readFileSync(path.join(__dirname, 'nginx', 'nginx.conf'), 'utf8');
    const conf = path.join(this.folder, 'nginx.conf');
    fs.writeFileSync(conf, template.replace(/@([A-Z]+)@/g, (all, name) => values[name] ?? all));
    this.child = new Child('nginx', ['-e', 'stderr', '-p', this.folder, '-c', conf], { env: { ...process.env, ...env } });
    this.url = `http://127.0.0.1:${this.port}`;
    const answers = () => {
      if (!this.child.running) throw new Error(`nginx ended\n${this.child.tail()}`);
      return new Client(this.url).get('/hello').then(({ status }) => status === 200, () => false);
    };
    await until(answers, { what: 'nginx' });
    [this.worker] = children(this.child.pid);
    await pinServer([this.worker]);
  }

  target(location, headers) {
    return { url: this.url + location, headers, pid: this.worker };
  }

  async stop() {
    await this.child?.stop('SIGTERM');
    removeFolder(this.folder);
  }
}

module.exports = { Nginx };
