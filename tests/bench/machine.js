'use strict';
// The two cores, the processes on them, and what they use.
const fs = require('node:fs');
const net = require('node:net');
const { must } = require('../support/child.js');

/** The server under test has a core for itself; load, Redis and this program share the other. */
const SERVER_CORE = '0';
const LOAD_CORE = '1';

/** Put running processes, with all their threads, on the server's core. */
async function pinServer(pids) {
  for (const pid of pids) await must('taskset', ['-acp', SERVER_CORE, String(pid)]);
}

async function pinLoad() {
  await must('taskset', ['-acp', LOAD_CORE, String(process.pid)]); // children inherit it
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function children(pid) {
  return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

/** CPU time of a process so far, in seconds. */
function cpuSeconds(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Milliseconds on a core so far of a process's main thread, which is the one that runs Lua. */
function mainThreadMs(pid) {
  return Number(fs.readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
}

/** Memory of a process that is its own, in KiB. */
function privateKib(pid) {
  const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kib = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(rollup)[1]);
  return kib('Private_Clean') + kib('Private_Dirty');
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

module.exports = { LOAD_CORE, SERVER_CORE, children, cpuSeconds, freePort, mainThreadMs, median, pinLoad, pinServer, privateKib, sleep };
