'use strict';
// One round of wrk, and rounds of two servers in turn.
const path = require('node:path');
const { Child } = require('../support/child.js');
const { LOAD_CORE, cpuSeconds, median } = require('./machine.js');

const REPORT = path.join(__dirname, 'report.lua');

/** Load that runs until its time is over or it is told to stop. */
class Load {
  /** target: {url, headers?, pid: the process that answers} */
  constructor(target, { connections, seconds }) {
    const headers = Object.entries(target.headers ?? {}).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const args = ['-c', LOAD_CORE, 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', ...headers,
      '-s', REPORT, target.url];
    this.target = target;
    this.cpuBefore = cpuSeconds(target.pid);
    this.child = new Child('taskset', args);
  }

  /**
   * {perSecond, perCore, failed, p50, p99, max (ms)}. perCore: answers for each second of CPU time the server used, which
   * is what a whole core would give; it holds also when wrk is the slower side or the machine has other work.
   */
  async result() {
    const end = await this.child.ended;
    const match = /^RESULT (.*)$/m.exec(this.child.output);
    if (end.code !== 0 || !match) throw new Error(`wrk ended with ${JSON.stringify(end)}\n${this.child.tail()}`);
    const { requests, seconds, ...rest } = JSON.parse(match[1]);
    return { perSecond: requests / seconds, perCore: requests / (cpuSeconds(this.target.pid) - this.cpuBefore), ...rest };
  }

  stop() {
    this.child.signal('SIGINT');
    return this.result();
  }
}

const load = (target, options) => new Load(target, options).result();

/** A B A B …: what disturbs the machine for a while disturbs both. `fura` and `peer` are lists of results. */
async function inTurn(fura, peer, options) {
  const results = { fura: [], peer: [] };
  await load(fura, { ...options, seconds: 2 });
  await load(peer, { ...options, seconds: 2 });
  for (let round = 0; round < options.rounds; round++) {
    results.fura.push(await load(fura, options));
    results.peer.push(await load(peer, options));
  }
  return results;
}

const medianOf = (results, field) => median(results.map((result) => result[field]));

/** The median of the rounds' ratios. */
const ratio = ({ fura, peer }, field) => median(fura.map((result, round) => result[field] / peer[round][field]));

module.exports = { Load, inTurn, load, medianOf, ratio };
