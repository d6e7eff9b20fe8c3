'use strict';
// A private PostgreSQL on a unix socket in a temporary folder. As root it runs as the user postgres, since it
// refuses root. Fast rather than durable unless told otherwise.
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { Child, must, tempFolder, removeFolder } = require('./child.js');

// No fsync: what was committed survives the death of the process, which is all that tests do to it.
const FAST = ['fsync=off', 'full_page_writes=off', 'max_wal_size=256MB'];
const SETTINGS = ['listen_addresses=', 'shared_buffers=32MB', 'max_connections=200', 'timezone=UTC', 'log_min_messages=warning'];

const bin = (name) => {
  const installed = '/usr/lib/postgresql';
  const versions = fs.existsSync(installed) ? fs.readdirSync(installed).map(Number).sort((a, b) => b - a) : [];
  const found = versions.map((version) => path.join(installed, String(version), 'bin', name)).find((file) => fs.existsSync(file));
  if (!found) throw new Error('PostgreSQL is not installed: run `make deps`');
  return found;
};

/** Who the server must run as: undefined for ourselves. */
function serverUser() {
  if (process.getuid() !== 0) return undefined;
  const [, , uid, gid] = execFileSync('getent', ['passwd', 'postgres'], { encoding: 'utf8' }).split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

class Postgres {
  /** `data` keeps the database in that folder, durable, instead of a temporary one; `settings` are more of postgresql.conf. */
  static async start({ data, settings } = {}) {
    const postgres = new Postgres(data, settings);
    await postgres.initialise();
    await postgres.up();
    await postgres.createDatabase();
    return postgres;
  }

  constructor(data, settings = []) {
    this.user = serverUser();
    this.folder = tempFolder('pg', this.user); // the socket lives here: paths of sockets must be short
    this.data = data ?? path.join(this.folder, 'data');
    this.settings = [...SETTINGS, ...(data ? [] : FAST), ...settings];
  }

  async initialise() {
    if (fs.existsSync(path.join(this.data, 'PG_VERSION'))) return;
    const args = ['-D', this.data, '-U', 'fura', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync', '--no-instructions'];
    await must(bin('initdb'), args, { user: this.user });
  }

  async createDatabase() {
    const known = await this.query("SELECT 1 FROM pg_database WHERE datname = 'fura'", 'postgres');
    if (!known.length) await this.query('CREATE DATABASE fura', 'postgres');
  }

  get url() {
    return this.urlOf('fura');
  }

  urlOf(database) {
    return `postgresql:///${database}?host=${encodeURIComponent(this.folder)}&user=fura`;
  }

  /** Start it again after kill(); at most once at a time. */
  async up() {
    const settings = this.settings.flatMap((setting) => ['-c', setting]);
    const args = ['-D', this.data, '-k', this.folder, ...settings];
    this.child = new Child(bin('postgres'), args, { user: this.user, deathSignal: 'INT', cwd: this.folder });
    await this.ready();
  }

  async ready() {
    for (;;) {
      const answered = await this.query('SELECT 1', 'postgres').catch(() => undefined);
      if (answered) return;
      if (!this.child.running) throw new Error(`PostgreSQL did not start:\n${this.child.tail()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Rows as arrays of text, through psql: independent of the server's own driver. */
  async query(sql, database = 'fura') {
    const separator = '\x1f';
    const text = await must('psql', ['-XqAt', '-F', separator, '-v', 'ON_ERROR_STOP=1', '-d', this.urlOf(database), '-c', sql]);
    return text.split('\n').slice(0, -1).map((line) => line.split(separator));
  }

  /** The first column of the first row. */
  async value(sql) {
    return (await this.query(sql))[0]?.[0];
  }

  /** Away at once, as in a crash; the data stays for up(). */
  kill() {
    return this.child.stop('SIGQUIT');
  }

  async stop() {
    await this.child.stop('SIGINT');
    removeFolder(this.folder);
  }
}

module.exports = { Postgres, serverUser };
