'use strict';
// The guides that bring files and commands, done word for word in a copy of the application: each command prints what they say.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { AppCopy } = require('../support/app_copy.js');
const { Product } = require('../support/product.js');
const { ROOT, binary } = require('../support/fura.js');
const { run } = require('../support/child.js');
const guide = require('../support/guide.js');

// What needs a running server comes in docs/plugins.md only; of the guides to rules the commands of one chapter are done here.
const GUIDES = [
  { file: 'docs/plugins.md', wanted: () => true },
  { file: 'docs/rules.md', wanted: isAboutSpecs },
  { file: 'docs/ru/rules.md', wanted: isAboutSpecs },
];

function isAboutSpecs({ file, command }) {
  return file?.endsWith('_spec.lua') || command?.startsWith('build/fura test');
}

let app;
let product;
before(async () => {
  app = new AppCopy();
  fs.cpSync(path.join(ROOT, 'tests', 'fixtures'), path.join(app.root, 'tests', 'fixtures'), { recursive: true });
  fs.mkdirSync(path.join(app.root, 'build'), { recursive: true }); // it holds static files when they are built
  fs.symlinkSync(binary(), path.join(app.root, 'build', 'fura'));
  product = await Product.start({ root: app.root });
  writeEnvFile();
});
after(async () => {
  await product?.stop();
  app?.close();
});

/** As `make demo` leaves it. */
function writeEnvFile() {
  const env = { ...product.fura.env, FURA_LISTEN: new URL(product.client.url).host };
  const lines = Object.entries(env).map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`);
  fs.mkdirSync(path.join(app.root, '.data', 'demo'), { recursive: true });
  fs.writeFileSync(path.join(app.root, '.data', 'demo', 'env'), `${lines.join('\n')}\n`);
}

/** A shell of somebody who has nothing set yet; what they sourced stays. */
class Shell {
  constructor() {
    this.sourced = [];
  }

  async type(command) {
    if (command.startsWith('. ')) this.sourced.push(command);
    const { PATH, HOME } = process.env;
    const end = await run('bash', ['-c', [...this.sourced, command].join(' && ')], { cwd: app.root, env: { PATH, HOME } });
    return end.output;
  }
}

for (const { file, wanted } of GUIDES) {
  const shell = new Shell();
  for (const step of guide.steps(file).filter(wanted)) {
    const what = step.command ?? step.file ?? `the edit of ${step.hunks[0].file}`;
    test(`${file}:${step.line}: ${what}`, async () => {
      if (step.file) app.write(step.file, step.text);
      if (step.hunks) guide.apply(app, step);
      if (step.command) assert.equal(guide.timeless(await shell.type(step.command)), guide.timeless(step.output));
    });
  }
}
