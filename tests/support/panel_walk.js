'use strict';
// Every address of the panel that reads a large table, found on its own pages: each filter they offer with each choice, alone and
// together with every other field, each order, both ends and the middle of a list, the search, the file, the summary.
const { DRIVER } = require('./big_tables.js');
const { unescape } = require('./panel.js');

const LISTS = ['payments', 'subscriptions', 'promo-codes', 'drivers', 'outbox', 'audit'];
const DAY_MS = 86400000;
const day = (ago) => new Date(Date.now() - ago * DAY_MS).toISOString().slice(0, 10);

/** What somebody types into the fields, by their names; a list may have its own. */
const TYPED = {
  q: [String(DRIVER + 77), '@driver77', 'ярополк', 'никого'], from: [day(3), day(400)], to: [day(700), day(30)], min: ['100', '3000'], max: ['1000'],
  actor: ['olga', String(DRIVER + 77)], action: ['payment.succeeded', 'setting.changed'], object: ['payment', 'setting'], kind: ['response', 'none'],
};
const TYPED_OF = {
  'promo-codes': { q: ['CODE0000', 'NOSUCH'] }, outbox: { q: [String(DRIVER + 77), '1'] }, audit: { q: ['tariffs', String(DRIVER + 77)] },
};

const address = (path, fields) => `${path}?${new URLSearchParams(fields)}`;

/** The fields of a list's form: {name, values}. */
function fieldsOf(list, html) {
  const form = /<form role="search"[^]*?<\/form>/.exec(html)[0];
  const selects = [...form.matchAll(/<select[^>]* name="(\w+)">([^]*?)<\/select>/g)].map(([, name, options]) => ({
    name, values: [...options.matchAll(/<option value="([^"]+)"/g)].map(([, value]) => value), isChoice: true }));
  const inputs = [...form.matchAll(/<input[^>]* name="(\w+)"/g)].map(([, name]) => ({ name, values: TYPED_OF[list]?.[name] ?? TYPED[name] }));
  const unknown = inputs.find((input) => !input.values);
  if (unknown) throw new Error(`/admin/${list} has a field ${unknown.name} that this walk cannot fill`);
  return [...selects, ...inputs];
}

/** At most `most` of a list, from all over it. */
const spread = (list, most) => list.filter((_, n) => Math.floor(n * most / list.length) !== Math.floor((n - 1) * most / list.length));

/** Each field with each of its values, then choices together with values of every other field. */
function* combinations(fields) {
  for (const { name, values } of fields) for (const value of values) yield { [name]: value };
  for (const choice of fields.filter((field) => field.isChoice)) {
    for (const other of fields.filter((field) => field !== choice)) {
      for (const value of spread(choice.values, 4)) for (const second of spread(other.values, 4)) yield { [choice.name]: value, [other.name]: second };
    }
  }
}

/** Links to follow on a list: its orders, and the page after a page. */
function* links(html) {
  for (const [, href] of html.matchAll(/<th[^>]*><a href="([^"]+)"/g)) yield unescape(href);
  const next = /rel="next" href="([^"]+)"/.exec(html)?.[1];
  if (next) yield unescape(next);
}

const cursor = (...parts) => Buffer.from(JSON.stringify(parts)).toString('base64url');

/** A page in the middle of the large lists, forward and backward. */
function* depths() {
  const at = new Date(Date.now() - 365 * DAY_MS).toISOString();
  const middle = { payments: [at, '80000000-0000-4000-8000-000000000000'], audit: [at, '5000'], subscriptions: [at, String(DRIVER)],
    drivers: [at, String(DRIVER)], outbox: ['5000', '5000'] };
  for (const [list, [sort, key]] of Object.entries(middle)) {
    for (const backward of [false, true]) yield address(`/admin/${list}`, { cursor: cursor(sort, key, 5001, backward) });
  }
}

async function* ofList(panel, list) {
  const path = `/admin/${list}`;
  const { text } = await panel.get(path);
  yield path;
  const seen = new Set();
  for (const href of links(text)) {
    yield href;
    if (!href.includes('sort=')) continue;
    const { text: sorted } = await panel.get(href); // and the other way round
    for (const turned of links(sorted)) if (!seen.has(turned)) { seen.add(turned); yield turned; }
  }
  for (const fields of combinations(fieldsOf(list, text))) {
    yield address(path, fields);
    if (list === 'payments') yield address(`${path}.csv`, fields);
  }
}

/** {kind, path}: kind is list, csv, page, search or summary. */
async function* walk(panel, postgres) {
  for (const list of LISTS) for await (const path of ofList(panel, list)) yield { kind: path.includes('.csv') ? 'csv' : 'list', path };
  for (const path of depths()) yield { kind: 'list', path };
  yield { kind: 'csv', path: '/admin/payments.csv' };
  const [[payment, gateway]] = await postgres.query("SELECT id, gateway_id FROM payments WHERE status = 'partially_refunded' LIMIT 1");
  for (const find of [String(DRIVER + 77), '@driver77', 'ярополк', 'никого', payment, gateway, 'CODE00000007']) yield { kind: 'search', path: address('/admin/search', { find }) };
  for (const q of [payment, gateway]) yield { kind: 'list', path: address('/admin/payments', { q }) };
  for (const path of [`/admin/payments/${payment}`, `/admin/payments/${payment}/refund-effect?amount=1`, `/admin/drivers/${DRIVER + 77}`, '/admin/promo-codes/CODE00000007']) {
    yield { kind: 'page', path };
  }
  for (const period of ['today', '7', '30']) yield { kind: 'summary', path: address('/admin/', { period }) };
  yield { kind: 'summary', path: address('/admin/', { from: day(365), to: day(0) }) };
}

module.exports = { walk };
