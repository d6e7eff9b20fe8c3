#!/usr/bin/env node
'use strict';
// Smaller copies of the Mini App's scripts for build/static. Each begins with the hash of its source, and is served only
// while that still fits (lua/web/pages/page.lua): a script edited since is served as it was written.
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { minify } = require('terser');

const ROOT = path.resolve(__dirname, '..');
const SCRIPTS = ['boot', 'app'];
// No WebView that opens Mini Apps is older than arrow functions.
const OPTIONS = { ecma: 2018, compress: { passes: 3, unsafe_arrows: true, hoist_vars: true, collapse_vars: false } };

async function main() {
  for (const name of SCRIPTS) {
    const source = fs.readFileSync(path.join(ROOT, 'lua/web/static', `${name}.js`));
    const hash = crypto.createHash('sha256').update(source).digest('hex').slice(0, 16);
    const { code } = await minify(source.toString(), { ...OPTIONS, format: { preamble: `/*${hash}*/` } });
    fs.writeFileSync(path.join(ROOT, 'build/static', `${name}.min.js`), code);
  }
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
