'use strict';
// A private Redis on a unix socket in a temporary folder; nothing is written to disk unless told where.
const path = require('node:path');
const { Child, must, tempFolder, removeFolder } = require('./child.js');

class Redis {
  /** `data` keeps a snapshot in that folder between runs. */
  static async start({ data } = {}) {
    const redis = new Redis(data);
    await redis.up();
    return redis;
  }

  constructor(data) {
    this.folder = tempFolder('redis');
    this.socket = path.join(this.folder, 'redis.sock');
    this.keep = data ? ['--dir', data, '--save', '60', '1'] : ['--dir', this.folder, '--save', ''];
  }

  get url() {
    return `unix://${this.socket}?db=0`;
  }

  async up() {
    const args = ['--port', '0', '--unixsocket', this.socket, '--appendonly', 'no', ...this.keep];
    this.child = new Child('redis-server', args, { deathSignal: 'TERM' });
    await this.child.waitFor(/ready to accept connections at/i);
  }

  /** What redis-cli prints. */
  async command(...args) {
    return (await must('redis-cli', ['-s', this.socket, ...args])).trimEnd();
  }

  kill() {
    return this.child.stop('SIGKILL');
  }

  async stop() {
    await this.child.stop();
    removeFolder(this.folder);
  }
}

/** What Redis is asked, by its own account. */
class Monitor {
  constructor(redis) {
    this.child = new Child('redis-cli', ['-s', redis.socket, 'MONITOR']);
  }

  ready() {
    return this.child.waitFor(/OK/);
  }

  async stop() {
    await this.child.stop('SIGTERM');
    return this.child.output.split('\n').slice(1).filter(Boolean);
  }
}

module.exports = { Monitor, Redis };
