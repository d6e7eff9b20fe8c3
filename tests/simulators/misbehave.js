'use strict';
// Faults on request: rules that match coming requests and spoil their answers a given number of times.
//
//   POST /__control/misbehave
//   {"match": {"method": "POST", "path": "/v3/payments*"}, "times": 2, "action": "status", "status": 500}
//
// `*` in a path stands for anything. `times` defaults to 1; 0 means until the next reset. A fault comes instead of
// the work, as if the service had never seen the request; with "after": true the work is done and only its answer is
// spoilt, which is how a timeout after acceptance looks.

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Each gets {rule, response, take, send} and returns the status to log; `take()` does the work and gives its answer.
const actions = {
  async status({ rule, response, send }) {
    const status = rule.status ?? 500;
    return send(response, { status, headers: rule.headers ?? {}, body: rule.body ?? { message: `simulated ${status}` } });
  },
  async delay_ms({ rule, response, take, send }) {
    await sleep(rule.delay_ms ?? 1000);
    return send(response, take());
  },
  async garbage({ response, send }) {
    return send(response, { status: 200, headers: { 'content-type': 'application/json' }, body: '{"data":[{"id":1,"wei\u0000\ufffd' });
  },
  async half_body({ response, take, send }) {
    return send(response, take(), { cut: true });
  },
  async close({ response }) {
    response.destroy();
    return 0;
  },
  async redirect({ rule, response, send }) {
    const headers = { location: 'http://127.0.0.1:9/elsewhere', ...rule.headers };
    return send(response, { status: rule.status ?? 302, headers, body: undefined });
  },
  // The request is taken twice, as when a proxy on the way repeats it.
  async duplicate({ response, take, send }) {
    take();
    return send(response, take());
  },
};

class Misbehaviour {
  constructor() {
    this.clear();
  }

  clear() {
    this.rules = [];
  }

  list() {
    return this.rules;
  }

  add(rule) {
    if (!rule || !Object.hasOwn(actions, rule.action)) {
      throw new Error(`misbehave: action must be one of ${Object.keys(actions).join(', ')}`);
    }
    const times = rule.times ?? 1;
    if (!Number.isInteger(times) || times < 0) throw new Error('misbehave: times must be a whole number, 0 for no end');
    this.rules.push({ ...rule, match: rule.match ?? {}, left: times === 0 ? null : times });
    return { ok: true, rules: this.rules.length };
  }

  /** The first rule that fits, used up by one. */
  next(request) {
    const rule = this.rules.find((one) => fits(one.match, request));
    if (rule && rule.left !== null && --rule.left === 0) this.rules.splice(this.rules.indexOf(rule), 1);
    return rule;
  }

  /** Answer a request the way the rules say, or honestly. Gives the status sent, 0 for none. */
  async answer({ request, response, take, send }) {
    const rule = this.next(request);
    if (!rule) return send(response, take());
    const done = rule.after ? take() : undefined;
    return actions[rule.action]({ rule, response, take: () => done ?? take(), send });
  }
}

function fits({ method, path }, request) {
  if (method && method.toUpperCase() !== request.method) return false;
  if (!path) return true;
  const source = path.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*');
  return new RegExp(`^${source}$`).test(request.path);
}

module.exports = { Misbehaviour };
