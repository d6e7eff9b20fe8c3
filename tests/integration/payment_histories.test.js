'use strict';
// Any history of taps, payments, refusals, refunds, true and false notifications, repetitions, reconcilers, a failing gateway and
// kill -9 comes to one end: what the gateway holds, one grant for each payment, and no state that ever moved back.
// A failure prints the shortest history that shows it; HISTORIES='[["tap",0],["pay",0]]' plays one, HISTORY_SEED=7 begins elsewhere.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { Product } = require('../support/product.js');
const { dice, shrink } = require('../support/histories.js');
const { until } = require('../support/client.js');

const SEED = Number(process.env.HISTORY_SEED ?? 20260203);
const HISTORIES = 40;
const SIDE_BY_SIDE = 6;
const KILLS = 5;
const DAY_S = 86400;
const TARIFFS = { '1_month': [49900, 30], '3_months': [129900, 90] };
const EVENTS = ['payment.succeeded', 'payment.canceled', 'payment.waiting_for_capture', 'refund.succeeded'];
const MOVES = {
  pending: ['waiting_for_capture', 'succeeded', 'canceled', 'failed'], waiting_for_capture: ['succeeded', 'canceled'],
  failed: ['waiting_for_capture', 'succeeded', 'canceled'], succeeded: ['partially_refunded', 'refunded'],
  partially_refunded: ['partially_refunded', 'refunded'], canceled: [], refunded: [],
};

let product, yookassa, kills;
const ids = (function* numbers() { for (let id = 50001; ; id++) yield id; })();

before(async () => {
  product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' } });
  yookassa = product.control('yookassa');
  await yookassa.post('notifications', { duplicates: 1 });
  kills = 0;
});
after(() => product?.stop());

// ---- what may happen ----

/** One step: its name, which payment or tariff it is about, and what else it needs. */
function draw(random) {
  const about = random.whole(3);
  return random.one([
    () => ['tap', random.whole(2)], () => ['tap', random.whole(2)], () => ['taps', random.whole(2)],
    () => ['pay', about], () => ['pay', about], () => ['refuse', about],
    () => ['told', about, random.one(EVENTS), 1 + random.whole(4)], () => ['told', about, random.one(EVENTS), 1 + random.whole(4)],
    () => ['refund', about, 1 + random.whole(4)], () => ['refund', about, 1 + random.whole(4)], () => ['reconcile'], () => ['away', random.one(['POST', 'GET']), random.one(['close', 'garbage', 'status'])],
    () => ['older', about], () => ['kill'],
  ])();
}

const history = (random) => [['tap', random.whole(2)], ...Array.from({ length: 3 + random.whole(10) }, () => draw(random))];

const payments = () => [...product.simulators.yookassa.payments.values()];
const madeFor = (driver) => payments().filter((one) => one.metadata.driver_id === driver.id);
const pick = (driver, about) => { const made = madeFor(driver); return made[about % made.length]; };
const quietly = (promise) => promise.catch(() => undefined); // its worker may be killed
const notify = (event, object) => quietly(product.client.post('/webhooks/yookassa', { type: 'notification', event, object }));
const sql = (text) => product.postgres.query(text);

let reconciling;
const reconcile = () => {
  reconciling ??= product.fura.command('jobs', 'run', 'payments.reconcile').finally(() => { reconciling = undefined; });
  return reconciling;
};

const STEPS = {
  tap: (driver, tariff) => quietly(driver.client.post('/api/v1/payments', { tariff: Object.keys(TARIFFS)[tariff] })),
  taps: (driver, tariff) => Promise.all([1, 2, 3].map(() => STEPS.tap(driver, tariff))),
  pay: (driver, about) => quietly(yookassa.post('pay', { id: pick(driver, about)?.id })),
  refuse: (driver, about) => quietly(yookassa.post('refuse', { id: pick(driver, about)?.id })),
  /** Several times at once, whatever the truth is. */
  told: (driver, about, event, times) => {
    const payment = pick(driver, about);
    const refund = [...product.simulators.yookassa.refunds.values()].find((one) => one.payment_id === payment?.id);
    const object = event.startsWith('refund') ? refund ?? { id: crypto.randomUUID(), status: 'succeeded', payment_id: payment?.id } : payment;
    return object && Promise.all(Array.from({ length: times }, () => notify(event, { ...object, status: event.split('.')[1], paid: true })));
  },
  refund: async (driver, about, part) => {
    const payment = pick(driver, about);
    if (payment?.status !== 'succeeded') return;
    const value = (Number(payment.amount.value) * part / 4).toFixed(2);
    await quietly(product.asShop('refunds', { payment_id: payment.id, amount: { value, currency: 'RUB' } }));
  },
  reconcile,
  away: (_, method, action) => yookassa.post('misbehave', { action, status: 500, after: method === 'POST',
    match: method === 'POST' ? { method, path: '/v3/payments' } : { method, path: '/v3/payments/*' } }),
  older: (driver) => sql(`UPDATE payments SET created_at = created_at - interval '6 minutes', next_check_at = NULL WHERE driver_id = ${driver.id}`),
  kill: () => {
    if (kills >= KILLS) return undefined;
    kills += 1;
    killing = killing.then(killOne);
    return killing;
  },
};

/** The next one dies when all serve again: with none left there is nothing to kill. */
let killing = Promise.resolve();
async function killOne() {
  const [victim] = product.fura.workers();
  process.kill(victim, 'SIGKILL');
  await until(() => product.fura.workers().length === 2 && !product.fura.workers().includes(victim), { what: 'a new worker' });
  await product.fura.untilReady();
}

// ---- where it must end ----

/** All that is still to be asked is asked. */
async function settle() {
  await product.fura.untilReady();
  await sql("UPDATE payments SET created_at = created_at - interval '3 minutes', next_check_at = NULL, posting_until = NULL WHERE status IN ('pending', 'waiting_for_capture')");
  await reconcile();
  const waiting = () => product.postgres.value('SELECT count(*) FROM payment_inbox WHERE next_try_at IS NOT NULL').then(Number);
  await until(async () => {
    if (await waiting() === 0) return true;
    await sql('UPDATE payment_inbox SET next_try_at = now() WHERE next_try_at > now()');
    await product.fura.command('jobs', 'run', 'payments.inbox');
    return await waiting() === 0;
  }, { what: 'every notification to be looked after' });
  const end = await product.fura.command('jobs', 'run', 'payments.compare');
  assert.equal(end.code, 0, end.output);
}

/** What the gateway holds decides what ours must be. */
function wanted(payment) {
  if (payment.status !== 'succeeded') return payment.status;
  const refunded = Number(payment.refunded_amount?.value ?? 0);
  return refunded === 0 ? 'succeeded' : refunded === Number(payment.amount.value) ? 'refunded' : 'partially_refunded';
}

async function mustBeRight(driver) {
  const rows = await sql(`SELECT id, coalesce(gateway_id, ''), status, days FROM payments WHERE driver_id = ${driver.id}`);
  const made = madeFor(driver);
  assert.equal(new Set(made.map((one) => one.metadata.payment_id)).size, made.length, 'one payment at the gateway for each of ours');
  for (const payment of made) {
    const row = rows.find(([, gateway]) => gateway === payment.id);
    assert.ok(row, 'a payment of the gateway is known');
    const [id, , status, days] = row;
    assert.equal(status, wanted(payment), 'our status is the gateway\'s');
    const grants = await sql(`SELECT days FROM subscription_grants WHERE source = 'payment' AND source_id = '${id}'`);
    assert.deepEqual(grants, payment.status === 'succeeded' ? [[days]] : [], 'one grant for a payment that was paid, none for another');
    const taken = Number(await product.postgres.value(`SELECT coalesce(-sum(days), 0) FROM subscription_grants
      WHERE source = 'refund' AND source_id IN (SELECT id::text FROM refunds WHERE payment_id = '${id}')`));
    assert.ok(taken >= 0 && taken <= Number(days), `refunds took ${taken} of ${days} days`);
    if (status === 'refunded') assert.equal(taken, Number(days), 'all was given back, all days are taken');
  }
  await mustOnlyMoveOn(driver);
  await mustAddUp(driver);
}

/** No state ever moved back, by the payment's own history. */
async function mustOnlyMoveOn(driver) {
  const steps = await sql(`SELECT payment_id, coalesce(old_status, ''), new_status FROM payment_history JOIN payments ON payments.id = payment_id
    WHERE driver_id = ${driver.id} AND new_status IS NOT NULL ORDER BY payment_history.id`);
  const at = {};
  for (const [id, from, to] of steps.filter((step) => step[1] !== step[2] || step[2] === 'partially_refunded')) {
    assert.equal(from, at[id] ?? 'pending', 'each step begins where the one before ended');
    assert.ok(MOVES[from].includes(to), `${from} → ${to}`);
    at[id] = to;
  }
}

/** The end of the access is what the ledger comes to: base = max(now, end), days of 86400 s. */
async function mustAddUp(driver) {
  const ledger = await sql(`SELECT source, days, extract(epoch FROM granted_at), extract(epoch FROM expires_after) FROM subscription_grants
    WHERE driver_id = ${driver.id} ORDER BY id`);
  let end;
  for (const [source, days, at, after] of ledger) {
    end = source === 'refund' ? end + days * DAY_S : Math.max(Number(at), end ?? 0) + days * DAY_S;
    assert.ok(Math.abs(end - Number(after)) < 0.01, `${source} ${days}: ${end} is not ${after}`);
  }
  const kept = await product.postgres.value(`SELECT extract(epoch FROM expires_at) FROM subscriptions WHERE driver_id = ${driver.id}`);
  assert.ok(end === undefined ? kept === undefined : Math.abs(end - Number(kept)) < 0.01, `${end} is not ${kept}`);
}

// ---- playing ----

async function newcomer() {
  const id = String(ids.next().value);
  return { id, client: await product.login({ id: Number(id) }) };
}

async function play(driver, steps) {
  for (const [name, ...rest] of steps) await STEPS[name](driver, ...rest);
}

const reasonOf = (promise) => promise.then(() => undefined, (error) => error.message);
const failureOf = async (steps) => {
  const driver = await newcomer();
  return reasonOf(play(driver, steps).then(settle).then(() => mustBeRight(driver)));
};

async function explain(steps, reason) {
  kills = 0;
  const shorter = await shrink(steps, failureOf);
  return new Error(`${shorter.reason ?? reason}\nHISTORY_SEED=${SEED}\nHISTORIES='${JSON.stringify(shorter.steps)}'`);
}

test('any history of payments ends as the gateway has it, with one grant each', async () => {
  const random = dice(SEED);
  const given = process.env.HISTORIES && JSON.parse(process.env.HISTORIES);
  const all = given ? [given] : Array.from({ length: HISTORIES }, () => history(random));
  const drivers = await Promise.all(all.map(newcomer)); // nobody is logging in while a worker is killed
  const left = all.entries();
  const lane = async () => { for (const [index, steps] of left) await play(drivers[index], steps); };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, lane));
  await settle();
  for (const [index, steps] of all.entries()) {
    const reason = await reasonOf(mustBeRight(drivers[index]));
    if (reason) throw await explain(steps, reason);
  }
  if (given) return;
  const count = (text) => product.postgres.value(text).then(Number);
  assert.ok(await count("SELECT count(*) FROM payments WHERE status IN ('succeeded', 'refunded', 'partially_refunded')") > 10, 'many were paid');
  assert.ok(await count("SELECT count(*) FROM payments WHERE status IN ('refunded', 'partially_refunded')") > 3, 'some were given back');
  assert.ok(kills > 2, 'workers were killed');
});

test('a history that goes wrong is shown as short as it can be', async () => {
  const steps = [['tap', 0], ['told', 0], ['older', 0], ['pay', 0], ['kill'], ['refund', 0, 4], ['reconcile']];
  const names = (list) => list.map(([name]) => name);
  const fails = async (list) => (names(list).includes('pay') && names(list).includes('refund') ? 'wrong' : undefined);
  assert.deepEqual(names((await shrink(steps, fails)).steps), ['pay', 'refund']);
  const [one, same] = [dice(7), dice(7)];
  assert.deepEqual(history(one), history(same));
});
