'use strict';
// Runs the cases and prints one table; exit status 1 when a bar is missed.
const { exitOnSignals } = require('../support/child.js');
const cases = require('./cases.js');
const { pinLoad } = require('./machine.js');

const COLUMNS = [['work', 'work'], ['fura', 'Fura'], ['peer', 'nginx + Lua'], ['result', 'result'], ['bar', 'bar'], ['verdict', '']];

function verdict(row) {
  if (row.bar === undefined) return '';
  return row.ok ? 'ok' : 'MISSED';
}

function print(rows) {
  const table = [Object.fromEntries(COLUMNS), ...rows.map((row) => ({ ...row, verdict: verdict(row) }))];
  const width = (key) => Math.max(...table.map((row) => (row[key] ?? '').length));
  const widths = COLUMNS.map(([key]) => width(key));
  for (const row of table) console.log(COLUMNS.map(([key], i) => (row[key] ?? '').padEnd(widths[i])).join('  ').trimEnd());
}

/** The rows of a case; one that breaks is a missed bar, and the others still count. */
async function measure(name) {
  console.error(`measuring: ${name}`);
  try {
    return await cases[name]();
  } catch (error) {
    console.error(error);
    return [{ work: name, result: 'broke off', bar: 'an answer', ok: false }];
  }
}

async function main(names) {
  const unknown = names.filter((name) => !cases[name]);
  if (unknown.length > 0) throw new Error(`no such case: ${unknown.join(', ')}; there are ${Object.keys(cases).join(', ')}`);
  exitOnSignals();
  await pinLoad();
  const rows = [];
  for (const name of names.length > 0 ? names : Object.keys(cases)) rows.push(...await measure(name));
  print(rows);
  process.exitCode = rows.some((row) => row.bar !== undefined && !row.ok) ? 1 : 0;
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(2);
});
