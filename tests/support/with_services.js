#!/usr/bin/env node
'use strict';
// Run a command with private PostgreSQL (migrated), Redis and simulators, told to it through the environment:
//   node tests/support/with_services.js build/fura test tests/spec
const { spawn } = require('node:child_process');
const { Product } = require('./product.js');
const { ROOT } = require('./fura.js');
const { exitOnSignals } = require('./child.js');

async function main([command, ...args]) {
  if (!command) throw new Error('usage: with_services.js COMMAND [ARGUMENTS]');
  exitOnSignals();
  const product = await Product.start({ serve: false });
  const child = spawn(command, args, { env: { ...process.env, ...product.fura.env }, cwd: ROOT, stdio: 'inherit' });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve(signal ? 1 : status));
  });
  await product.stop();
  process.exitCode = code;
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
});
