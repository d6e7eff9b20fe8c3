'use strict';
// A private copy of the application, for tests that edit it.
const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./fura.js');
const { tempFolder, removeFolder } = require('./child.js');

class AppCopy {
  constructor() {
    this.folder = tempFolder('app');
    this.root = path.join(this.folder, 'app');
    for (const part of ['lua', 'conf', 'plugins', 'migrations', 'build/static']) {
      if (fs.existsSync(path.join(ROOT, part))) fs.cpSync(path.join(ROOT, part), path.join(this.root, part), { recursive: true });
    }
    this.originals = new Map();
    this.configure('{}');
    this.originals.clear(); // restore() keeps this conf: the watcher cannot be switched on by a reload
  }

  /** The conf: without the watcher, so that only the test reloads; `plugins` is Lua. */
  configure(plugins, more = '') {
    this.write('conf/default.lua', `return {\n  development = { watch = false },\n  plugins = ${plugins},\n${more}}\n`);
  }

  read(file) {
    return fs.readFileSync(path.join(this.root, file), 'utf8');
  }

  write(file, text) {
    const full = path.join(this.root, file);
    if (!this.originals.has(file)) this.originals.set(file, fs.existsSync(full) ? this.read(file) : undefined);
    fs.mkdirSync(path.dirname(full), { recursive: true });
    fs.writeFileSync(full, text);
  }

  /** Replace a text that must be there. */
  edit(file, from, to) {
    const text = this.read(file);
    if (!text.includes(from)) throw new Error(`${file} does not contain ${from}`);
    this.write(file, text.replace(from, to));
  }

  remove(file) {
    this.write(file, '');
    fs.rmSync(path.join(this.root, file));
  }

  /** Undo all edits. */
  restore() {
    for (const [file, text] of this.originals) {
      if (text === undefined) fs.rmSync(path.join(this.root, file), { force: true });
      else fs.writeFileSync(path.join(this.root, file), text);
    }
    this.originals.clear();
  }

  close() {
    removeFolder(this.folder);
  }
}

module.exports = { AppCopy };
