'use strict';
// What CargoTech may do to us, case by case, and what a driver gets then (contracts 1.4, 2.1, 2.3).
const { test, describe, before, after, beforeEach } = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const { Product } = require('../support/product.js');
const { until } = require('../support/client.js');

const LIST = '/v2/cargos/views';
const LOGIN = '/v1/auth/login';

let product;
let cargotech;
let driver;
let radius = 0;

/** A search nobody has made before, small enough to have no second page. */
const search = () => `/api/v1/cargos?mode=all&limit=100&start_point_id=62&start_point_radius=${++radius}`;
const calls = (path = LIST) => product.simulators.cargotech.entries.filter((entry) => entry.path === path).length;
const misbehave = (rule) => cargotech.post('misbehave', { match: { path: LIST }, ...rule });
const newDriver = (function* ids() { for (let id = 5101; ; id++) yield { id }; })();

async function start() {
  product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' } });
  cargotech = product.control('cargotech');
  await until(() => calls(LOGIN) === 1, { what: 'the login of the start' });
}

/** Ask, and tell what it cost: {status, json, headers, calls, logins, tookMs}. */
async function ask(path) {
  const [before, logins, started] = [calls(), calls(LOGIN), Date.now()];
  const answer = await driver.get(path);
  return { ...answer, calls: calls() - before, logins: calls(LOGIN) - logins, tookMs: Date.now() - started };
}

/** All stored pages become older than they may be shown as fresh. */
const age = () => product.redis.command('EVAL', `for _, key in ipairs(redis.call("KEYS", "cargos:page:*")) do
  local stamp, text = redis.call("GET", key):match("^([%d%.]+)(\\n.*)$")
  redis.call("SET", key, ("%.3f"):format(tonumber(stamp) - 1000) .. text, "EX", 80000)
end`, '0');

const refused = (answer, code, what) => {
  assert.equal(answer.status, 502, what);
  assert.equal(answer.json.code, code, what);
  assert.doesNotMatch(answer.text, /127\.0\.0\.1|simulated|Unauthenticated|token/i, what);
};

/** Messages that reached the chat of alerts. */
async function alertsSent() {
  const { requests } = await product.control('telegram').get('log');
  return requests.filter((one) => /sendMessage$/.test(one.path) && String(one.body.chat_id) === '-1009876543210').map((one) => one.body.text);
}

describe('CargoTech misbehaves', () => {
  before(start);
  after(() => product.stop());
  beforeEach(async () => {
    driver = await product.login(newDriver.next().value);
    const well = await ask(search());
    assert.equal(well.status, 200, 'well before the test');
  });

  test('a call carries the id of the request it is made for, and continues its trace', async () => {
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    const headers = { 'x-request-id': 'from-the-driver-1', traceparent: `00-${trace}-00f067aa0ba902b7-01` };
    assert.equal((await driver.get(search(), headers)).status, 200);
    const { headers: sent } = product.simulators.cargotech.entries.findLast((entry) => entry.path === LIST);
    assert.equal(sent['x-request-id'], 'from-the-driver-1');
    assert.match(sent.traceparent, new RegExp(`^00-${trace}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`));
    await driver.get(search(), { traceparent: '00-nonsense' });
    const { headers: plain } = product.simulators.cargotech.entries.findLast((entry) => entry.path === LIST);
    assert.equal(plain.traceparent, undefined);
    assert.match(plain['x-request-id'], /^[\w.-]{1,64}$/);
  });

  test('401 once: a new login, the call repeated, the driver notices nothing', async () => {
    await cargotech.post('revoke_tokens');
    const answer = await ask(search());
    assert.equal(answer.status, 200);
    assert.deepEqual([answer.calls, answer.logins], [2, 1]);
  });

  test('many calls whose token died at once cost one login', async () => {
    await cargotech.post('revoke_tokens');
    const before = calls(LOGIN);
    const answers = await Promise.all(Array.from({ length: 8 }, () => driver.get(search())));
    assert.deepEqual(answers.map((answer) => answer.status), Array(8).fill(200));
    assert.equal(calls(LOGIN) - before, 1);
  });

  test('401 always: one login, one repeat, upstream_auth_failed and an alert; then no storm of logins', async () => {
    await misbehave({ action: 'status', status: 401, times: 0 });
    const first = await ask(search());
    refused(first, 'upstream_auth_failed');
    assert.deepEqual([first.calls, first.logins], [2, 1]);
    const next = await ask(search());
    refused(next, 'upstream_auth_failed');
    assert.equal(next.logins, 0, 'a login right after the refusal');
    await until(async () => (await alertsSent()).some((text) => text.includes('cargotech_token_refused')), { what: 'the alert' });
    await cargotech.post('reset');
    await until(async () => (await ask(search())).status === 200, { what: 'healing' });
  });

  test('403: upstream_auth_failed and an alert, neither a retry nor a login', async () => {
    await cargotech.post('account', { suspended: true });
    const answer = await ask(search());
    refused(answer, 'upstream_auth_failed');
    assert.deepEqual([answer.calls, answer.logins], [1, 0]);
    assert.match(product.fura.log, /cargotech_forbidden/);
    await cargotech.post('account', { suspended: false });
  });

  test('422 at login: a growing pause between logins, one alert, and it heals by itself', async () => {
    await cargotech.post('account', { password: 'another' });
    await cargotech.post('revoke_tokens');
    const before = calls(LOGIN);
    const pauses = [];
    await until(async () => {
      const known = calls(LOGIN);
      refused(await ask(search()), 'upstream_auth_failed');
      if (calls(LOGIN) > known) pauses.push(Number(await product.redis.command('PTTL', 'cargotech:login:pause')));
      return pauses.length === 3;
    }, { what: 'three refused logins', timeoutMs: 20000 });
    assert.equal(calls(LOGIN) - before, 3);
    pauses.forEach((pause, index) => {
      assert.ok(pause > 500 * 2 ** index && pause <= 1000 * 2 ** index, `pauses: ${pauses}`);
    });
    const alerts = product.fura.log.split('\n').filter((line) => line.includes('"alert":"cargotech_login_refused"'));
    assert.equal(alerts.length, 1);
    await cargotech.post('account', { password: 'test-cargotech-password' });
    await until(async () => (await ask(search())).status === 200, { what: 'the next login' });
  });

  test('429 with Retry-After: asked again after that time', async () => {
    await misbehave({ action: 'status', status: 429, headers: { 'retry-after': '1' } });
    const answer = await ask(search());
    assert.equal(answer.status, 200);
    assert.equal(answer.calls, 2);
    assert.ok(answer.tookMs >= 1000, `${answer.tookMs} ms`);
  });

  test('429 with X-RateLimit-Reset-After alone is honoured too', async () => {
    await misbehave({ action: 'status', status: 429, headers: { 'x-ratelimit-reset-after': '1' } });
    const answer = await ask(search());
    assert.equal(answer.status, 200);
    assert.ok(answer.tookMs >= 1000, `${answer.tookMs} ms`);
  });

  test('500: refused at once, without a retry', async () => {
    await misbehave({ action: 'status', status: 500 });
    const answer = await ask(search());
    refused(answer, 'upstream_unavailable');
    assert.equal(answer.calls, 1);
  });

  test('503 twice: retried with growing pauses', async () => {
    await misbehave({ action: 'status', status: 503, times: 2 });
    const answer = await ask(search());
    assert.equal(answer.status, 200);
    assert.equal(answer.calls, 3);
    assert.ok(answer.tookMs >= 0.8 * (500 + 1500), `${answer.tookMs} ms`);
  });

  test('503 always: three retries, then upstream_unavailable', async () => {
    await misbehave({ action: 'status', status: 503, times: 4 });
    const answer = await ask(search());
    refused(answer, 'upstream_unavailable');
    assert.equal(answer.calls, 4);
  });

  test('422 to a list: refused without a retry', async () => {
    await misbehave({ action: 'status', status: 422 });
    const answer = await ask(search());
    refused(answer, 'upstream_unavailable');
    assert.equal(answer.calls, 1);
  });

  test('a hanging upstream: 502 within the deadline when nothing is stored', async () => {
    await misbehave({ action: 'delay_ms', delay_ms: 14000 });
    const answer = await ask(search());
    refused(answer, 'upstream_unavailable');
    assert.ok(answer.tookMs > 8000 && answer.tookMs < 13000, `${answer.tookMs} ms`);
  });

  test('a hanging upstream: the stored page after two seconds, marked stale', async () => {
    const path = search();
    const stored = await ask(path);
    await age();
    driver = await product.login(newDriver.next().value);
    await misbehave({ action: 'delay_ms', delay_ms: 4000 });
    const answer = await ask(path);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['x-cache'], 'STALE');
    assert.deepEqual(answer.json.cards, stored.json.cards);
    assert.ok(answer.tookMs < 3500, `${answer.tookMs} ms`);
    await until(async () => (await ask(path)).headers['x-cache'] !== 'STALE', { what: 'the page that came late' });
  });

  test('a broken upstream: the stored page, marked stale', async () => {
    const path = search();
    await ask(path);
    await age();
    driver = await product.login(newDriver.next().value);
    await misbehave({ action: 'status', status: 500 });
    const answer = await ask(path);
    assert.equal(answer.status, 200);
    assert.equal(answer.json.cache, 'stale');
  });

  test('garbage once: asked again', async () => {
    await misbehave({ action: 'garbage' });
    const answer = await ask(search());
    assert.equal(answer.status, 200);
    assert.equal(answer.calls, 2);
  });

  test('half a body: asked again', async () => {
    await misbehave({ action: 'half_body' });
    const answer = await ask(search());
    assert.equal(answer.status, 200);
    assert.equal(answer.calls, 2);
  });

  test('a closed connection: asked again', async () => {
    await misbehave({ action: 'close' });
    const answer = await ask(search());
    assert.equal(answer.status, 200);
    assert.equal(answer.calls, 2);
  });

  test('an answer of another shape is refused, not shown', async () => {
    await misbehave({ action: 'status', status: 200, body: { cargos: 'none' } });
    refused(await ask(search()), 'upstream_unavailable');
  });

  test('a malformed cargo among good ones is shown without its bad fields, one without an id is skipped', async () => {
    const whole = await ask(search());
    const [strange, nameless] = whole.json.cards.map((card) => Number(card.id));
    const bad = { weight: true, price: 'много', price_carrier: {}, distance: [1], load_types: 'x', company: 5, points: { start: { city: { name: null } } } };
    await cargotech.post('patch', { id: strange, fields: bad });
    await cargotech.post('patch', { id: nameless, fields: { id: 'x' } });
    const { json, status } = await ask(search());
    assert.equal(status, 200);
    assert.equal(json.cards.length, whole.json.cards.length - 1);
    const card = json.cards.find((one) => one.id === String(strange));
    assert.deepEqual([card.price, card.price_kopecks, card.distance_km, card.title], ['—', null, null, String(strange)]);
    await cargotech.post('reset');
  });

  test('a redirect is not followed: the token goes nowhere else', async () => {
    const visits = [];
    const elsewhere = http.createServer((request, response) => {
      visits.push(request.headers.authorization);
      response.end('{"data":[]}');
    });
    await new Promise((done) => elsewhere.listen(0, '127.0.0.1', done));
    const location = `http://127.0.0.1:${elsewhere.address().port}/v2/cargos/views`;
    await misbehave({ action: 'redirect', headers: { location } });
    const answer = await ask(search());
    elsewhere.close();
    refused(answer, 'upstream_unavailable');
    assert.equal(answer.calls, 1);
    assert.deepEqual(visits, []);
  });

  test('cargos that are gone are no failures: five of them leave the rest alone, and are remembered', async () => {
    const before = calls('/v1/carrier/cargos/900001');
    for (let n = 1; n <= 6; n++) assert.equal((await driver.get(`/api/v1/cargos/90000${n}`)).status, 404);
    assert.equal((await driver.get('/api/v1/cargos/900001')).json.code, 'cargo_not_found');
    assert.equal(calls('/v1/carrier/cargos/900001') - before, 1);
    assert.equal((await ask(search())).status, 200);
  });

  test('a cargo that vanished is gone although its detail was stored', async () => {
    const [card] = (await ask(search())).json.cards;
    assert.equal((await driver.get(`/api/v1/cargos/${card.id}`)).status, 200);
    await cargotech.post('vanish', { ids: [card.id] });
    await product.redis.command('EVAL', `local key = "cargo:" .. ARGV[1] .. ":detail"
      local stamp, text = redis.call("GET", key):match("^([%d%.]+)(\\n.*)$")
      return redis.call("SET", key, ("%.3f"):format(tonumber(stamp) - 5000) .. text)`, '0', card.id);
    assert.equal((await driver.get(`/api/v1/cargos/${card.id}`)).status, 404);
    assert.equal(await product.redis.command('EXISTS', `cargo:${card.id}:detail`), '0');
    await cargotech.post('reset');
  });

  test('five failures in a row open the breaker: nothing is sent, stored pages are stale', async () => {
    const stored = search();
    await ask(stored);
    await age();
    driver = await product.login(newDriver.next().value);
    await misbehave({ action: 'status', status: 500, times: 0 });
    for (let n = 0; n < 5; n++) assert.equal((await ask(search())).calls, 1);
    const shut = await ask(search());
    refused(shut, 'upstream_unavailable');
    assert.equal(shut.calls, 0);
    const stale = await ask(stored);
    assert.equal(stale.headers['x-cache'], 'STALE');
    assert.equal(stale.calls, 0);
    assert.equal((await product.client.get('/healthz')).json.upstreams.cargotech, 'open');
  });
});

describe('CargoTech says when to come back', () => {
  before(start);
  after(() => product.stop());

  test('429 with a long Retry-After: nobody waits, nobody asks before', async () => {
    driver = await product.login(newDriver.next().value);
    await misbehave({ action: 'status', status: 429, headers: { 'retry-after': '120' } });
    const answer = await ask(search());
    refused(answer, 'upstream_unavailable');
    assert.equal(answer.calls, 1);
    assert.ok(answer.tookMs < 3000, `${answer.tookMs} ms`);
    const next = await ask(search());
    refused(next, 'upstream_unavailable');
    assert.equal(next.calls, 0);
  });
});
