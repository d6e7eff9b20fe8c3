'use strict';
// What PostgreSQL really did for each statement: auto_explain writes every plan to a log, with the rows that were touched.
const fs = require('node:fs');
const path = require('node:path');
const { until } = require('./client.js');

const MARK = 'the end of these plans';

/** For Postgres.start: settings that make it tell. The collector keeps what several backends write apart. */
const TELLING = ['logging_collector=on', 'log_directory=log', 'log_filename=plans.log', 'session_preload_libraries=auto_explain', 'auto_explain.log_min_duration=0', 'auto_explain.log_analyze=on',
  'auto_explain.log_timing=off', 'auto_explain.log_format=json', 'auto_explain.log_nested_statements=on'];

function plansIn(log) {
  return [...log.matchAll(/ plan:\n((?:\t.*\n)+)/g)].map(([, text]) => {
    const { 'Query Text': query, Plan: plan } = JSON.parse(text.replace(/^\t/gm, ''));
    return { query, plan };
  });
}

/** The plans of all that the database does while `work` runs: {query, plan}. */
async function plansOf(postgres, work) {
  const file = path.join(postgres.data, 'log', 'plans.log');
  const before = fs.statSync(file).size;
  await work();
  await postgres.query(`SELECT '${MARK}'`); // what came before is written by then
  const log = () => fs.readFileSync(file).subarray(before).toString();
  await until(() => log().includes(MARK), { what: 'the log of PostgreSQL' });
  return plansIn(log());
}

/** Every node of a plan. */
function* nodesOf(plan) {
  yield plan;
  for (const child of plan.Plans ?? []) yield* nodesOf(child);
}

/** Rows a node had in hand, those it dropped included. */
function touched(node) {
  return (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)) * node['Actual Loops'];
}

/** Scans that touched more than `most` rows of a table: {table, how, rows, query}. */
function heavyScans(plans, most) {
  const heavy = [];
  for (const { query, plan } of plans) {
    for (const node of nodesOf(plan)) {
      const rows = node['Relation Name'] ? touched(node) : 0;
      if (rows > most) heavy.push({ table: node['Relation Name'], how: node['Node Type'], rows, query: query.replace(/\s+/g, ' ') });
    }
  }
  return heavy;
}

module.exports = { TELLING, heavyScans, plansOf };
