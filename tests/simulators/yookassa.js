'use strict';
// YooKassa as our server sees it: payments and refunds over Basic auth with Idempotence-Key, a page where a human
// pays or refuses, and notifications that may be late, doubled or out of order.
const crypto = require('node:crypto');
const { Simulator, answer } = require('./simulator.js');
const { paymentPage } = require('./yookassa_page.js');

const KEY_LIFE_MS = 24 * 3600 * 1000;
const PENDING_LIFE_MS = 3600 * 1000;
const RETRY_MS = [100, 500, 2000, 5000];

function fail(status, code, description, parameter) {
  return answer(status, { type: 'error', id: crypto.randomUUID(), code, description, ...(parameter && { parameter }) });
}
const invalid = (description, parameter) => fail(400, 'invalid_request', description, parameter);
const missing = (what) => fail(404, 'not_found', `${what} not found`);

/** Whole kopecks of {"value": "499.00", "currency": "RUB"}, or NaN. */
function kopecks(amount) {
  const match = /^(\d{1,9})\.(\d\d)$/.exec(amount?.value ?? '');
  return match && amount.currency === 'RUB' ? Number(match[1]) * 100 + Number(match[2]) : NaN;
}
const money = (value) => ({ value: (value / 100).toFixed(2), currency: 'RUB' });

/** Like theirs: 36 characters, grows with time. */
function objectId(prefix) {
  const random = crypto.randomBytes(8).toString('hex');
  return `${prefix}-000f-5000-${random.slice(0, 4)}-${random.slice(4, 16)}`;
}

class YooKassa extends Simulator {
  constructor({ shopId = '100500', secretKey = 'test_simulated-secret-key', notifyUrl = '' } = {}) {
    super('yookassa');
    Object.assign(this, { shopId, secretKey, defaultNotifyUrl: notifyUrl });
    this.resetState();
    this.addApi();
    this.route('GET', '/checkout/payments/{id}', (request) => this.showPage(request));
    this.route('POST', '/checkout/payments/{id}', (request) => this.pressed(request));
    this.addPeople();
  }

  resetState() {
    this.payments = new Map();
    this.refunds = new Map();
    this.keys = new Map();
    this.counter = 0x2f000000;
    this.notifications = { url: this.defaultNotifyUrl, delay_ms: 0, duplicates: 0, order: 'fifo', hold: 0 };
    this.held = [];
    this.delivered = [];
  }

  addApi() {
    this.create('/v3/payments', (json) => this.createPayment(json));
    this.create('/v3/payments/{id}/capture', (json, { id }) => this.capture(id, json));
    this.create('/v3/payments/{id}/cancel', (_json, { id }) => this.cancel(id));
    this.create('/v3/refunds', (json) => this.createRefund(json));
    this.route('GET', '/v3/me', () => answer(200, {
      account_id: this.shopId, status: 'enabled', test: true, fiscalization: { enabled: false }, payment_methods: ['bank_card', 'sbp'] }));
    this.route('GET', '/v3/payments', ({ query }) => this.listPayments(query));
    this.route('GET', '/v3/payments/{id}', ({ params }) => this.read(this.payments, params.id, 'Payment'));
    this.route('GET', '/v3/refunds/{id}', ({ params }) => this.read(this.refunds, params.id, 'Refund'));
    this.route('GET', '/v3/refunds', ({ query }) => answer(200, { type: 'list',
      items: [...this.refunds.values()].filter((one) => !query.get('payment_id') || one.payment_id === query.get('payment_id')).reverse() }));
  }

  /** A POST that needs an Idempotence-Key: the same key and body give the first answer again for 24 hours. */
  create(pattern, run) {
    this.route('POST', pattern, (request) => {
      const key = request.headers['idempotence-key'];
      if (!key || !/^[0-9a-zA-Z+\-_.]{1,64}$/.test(key)) return invalid('Idempotence key is missing or malformed', 'Idempotence-Key');
      if (request.json === undefined && request.body !== '') return invalid('Malformed JSON');
      const asked = `${request.path}\n${request.body}`;
      const known = this.keys.get(key);
      if (known && this.now() - known.at < KEY_LIFE_MS) {
        return known.asked === asked ? known.result : invalid('Idempotence key duplicated', 'Idempotence-Key');
      }
      const result = run(request.json ?? {}, request.params);
      // The answer of then: later changes of the payment do not show in it.
      if (result.status === 200) this.keys.set(key, { at: this.now(), asked, result: structuredClone(result) });
      return result;
    });
  }

  /** The control endpoints that play the payer and the network. */
  addPeople() {
    this.control('POST', 'pay', ({ json }) => this.settle(this.mustFind(json.id), 'succeeded'));
    this.control('POST', 'refuse', ({ json }) => this.settle(this.mustFind(json.id), 'canceled', json.reason));
    this.control('POST', 'alter', ({ json }) => { Object.assign(this.mustFind(json.id), json.fields); });
    this.control('POST', 'notifications', ({ json }) => { Object.assign(this.notifications, json); });
    this.control('POST', 'notify', ({ json }) => {
      const payment = this.mustFind(json.id);
      this.notify(json.event ?? `payment.${payment.status}`, payment);
    });
    this.control('POST', 'release', () => this.release());
  }

  mustFind(id) {
    const payment = this.payments.get(id);
    if (!payment) throw new Error('no such payment');
    return payment;
  }

  state() {
    return { payments: [...this.payments.values()], refunds: [...this.refunds.values()], notifications: this.notifications,
      held: this.held.length, delivered: this.delivered };
  }

  before({ path, headers }) {
    if (!path.startsWith('/v3/')) return undefined;
    const expected = `Basic ${Buffer.from(`${this.shopId}:${this.secretKey}`).toString('base64')}`;
    if (headers.authorization === expected) return undefined;
    return fail(401, 'invalid_credentials', 'Error in shopId or secret key. Check their validity.', 'Authorization');
  }

  notFound() {
    return missing('Resource');
  }

  stamp() {
    return new Date(this.now()).toISOString();
  }

  newId() {
    return objectId((this.counter++).toString(16).padStart(8, '0'));
  }

  createPayment(json) {
    const fault = paymentFault(json);
    if (fault) return fault;
    const id = this.newId();
    const payment = {
      id, status: 'pending', paid: false, amount: money(kopecks(json.amount)),
      confirmation: { type: 'redirect', return_url: json.confirmation.return_url, confirmation_url: `${this.url}/checkout/payments/${id}` },
      created_at: this.stamp(), description: json.description, metadata: json.metadata ?? {},
      recipient: { account_id: this.shopId, gateway_id: '100700' }, refundable: false, test: true,
      ...(json.receipt && { receipt_registration: 'pending' }),
    };
    Object.defineProperty(payment, 'capture', { value: json.capture === true });
    this.payments.set(id, payment);
    return answer(200, payment);
  }

  read(objects, id, what) {
    this.expire();
    return objects.has(id) ? answer(200, objects.get(id)) : missing(what);
  }

  /** Nobody waits for a payer longer than an hour. */
  expire() {
    for (const payment of this.payments.values()) {
      if (payment.status === 'pending' && this.now() - Date.parse(payment.created_at) > PENDING_LIFE_MS) {
        this.settle(payment, 'canceled', 'expired_on_confirmation');
      }
    }
  }

  listPayments(query) {
    this.expire();
    const limit = Number(query.get('limit') ?? 10);
    if (!Number.isInteger(limit) || limit < 1 || limit > 100) return invalid('Incorrect limit', 'limit');
    const since = Date.parse(query.get('created_at.gte') ?? 0);
    const all = [...this.payments.values()].reverse()
      .filter((one) => !query.get('status') || one.status === query.get('status'))
      .filter((one) => !query.get('created_at.gte') || Date.parse(one.created_at) >= since);
    const from = query.get('cursor') ? all.findIndex((one) => one.id === query.get('cursor')) : 0;
    if (from < 0) return invalid('Incorrect cursor', 'cursor');
    const next = all[from + limit];
    return answer(200, { type: 'list', items: all.slice(from, from + limit), ...(next && { next_cursor: next.id }) });
  }

  /** Move a payment on and tell about it; final statuses stay. */
  settle(payment, status, reason) {
    if (payment.status === 'succeeded' || payment.status === 'canceled') return payment;
    const waits = status === 'succeeded' && payment.status === 'pending' && !payment.capture;
    payment.status = waits ? 'waiting_for_capture' : status;
    delete payment.confirmation;
    if (status === 'canceled') payment.cancellation_details = { party: 'yoo_money', reason: reason ?? 'general_decline' };
    else this.paid(payment);
    this.notify(`payment.${payment.status}`, payment);
    return payment;
  }

  paid(payment) {
    const done = payment.status === 'succeeded';
    Object.assign(payment, {
      paid: true, refundable: done, ...(done && { captured_at: this.stamp(), income_amount: money(Math.round(kopecks(payment.amount) * 0.965)) }),
      payment_method: { type: 'bank_card', id: payment.id, saved: false, title: 'Bank card *4444', status: 'active',
        card: { first6: '555555', last4: '4444', expiry_month: '12', expiry_year: '2030', card_type: 'MasterCard', issuer_country: 'RU' } },
      authorization_details: { rrn: '10000000000', auth_code: '000000', three_d_secure: { applied: false } },
      ...(payment.receipt_registration && { receipt_registration: 'succeeded' }),
    });
    if (!done) payment.expires_at = new Date(this.now() + 7 * 86400000).toISOString();
  }

  capture(id) {
    const payment = this.payments.get(id);
    if (!payment) return missing('Payment');
    if (payment.status !== 'waiting_for_capture') return invalid('Payment is not waiting for capture');
    return answer(200, this.settle(payment, 'succeeded'));
  }

  cancel(id) {
    const payment = this.payments.get(id);
    if (!payment) return missing('Payment');
    if (payment.status !== 'waiting_for_capture') return invalid('Payment is not waiting for capture');
    return answer(200, this.settle(payment, 'canceled', 'canceled_by_merchant'));
  }

  createRefund({ payment_id: paymentId, amount, description = '' }) {
    const payment = this.payments.get(paymentId);
    if (!payment || payment.status !== 'succeeded') return invalid('Payment is not refundable', 'payment_id');
    const value = kopecks(amount);
    const already = kopecks(payment.refunded_amount ?? money(0));
    if (!(value > 0) || already + value > kopecks(payment.amount)) return invalid('Refund amount is too large', 'amount');
    if (description.length > 250) return invalid('Description is too long', 'description');
    payment.refunded_amount = money(already + value);
    payment.refundable = already + value < kopecks(payment.amount);
    const refund = { id: this.newId(), payment_id: paymentId, status: 'succeeded', amount: money(value), created_at: this.stamp(), description };
    this.refunds.set(refund.id, refund);
    this.notify('refund.succeeded', refund);
    return answer(200, refund);
  }

  showPage({ params }) {
    this.expire();
    const payment = this.payments.get(params.id);
    return payment ? answer(200, paymentPage(payment)) : answer(404, '<h1>Платёж не найден</h1>');
  }

  pressed({ params, json }) {
    const payment = this.payments.get(params.id);
    if (!payment) return answer(404, '<h1>Платёж не найден</h1>');
    const back = payment.confirmation?.return_url;
    this.settle(payment, json?.decision === 'pay' ? 'succeeded' : 'canceled', 'permission_revoked');
    return back ? answer(303, undefined, { location: back }) : answer(200, paymentPage(payment));
  }

  /** Queue a notification as configured: late, doubled, or held until `hold` of them can go in another order. */
  notify(event, object) {
    const { delay_ms: delay, duplicates, hold } = this.notifications;
    const body = JSON.stringify({ type: 'notification', event, object });
    const copies = Array.from({ length: 1 + duplicates }, () => ({ event, body, tries: 0 }));
    if (hold > 0) {
      this.held.push(...copies);
      if (this.held.length >= hold) this.release();
      return;
    }
    for (const copy of copies) this.later(delay, () => this.deliver(copy));
  }

  release() {
    const batch = this.notifications.order === 'reverse' ? this.held.reverse() : this.held;
    this.held = [];
    batch.reduce((before, copy) => before.then(() => this.deliver(copy)), Promise.resolve());
  }

  /** Anything but 200 is repeated. */
  async deliver(copy) {
    const { url } = this.notifications;
    if (!url) return;
    const status = await post(url, copy.body);
    this.delivered.push({ event: copy.event, status, at: this.stamp() });
    if (status !== 200) this.later(RETRY_MS[Math.min(copy.tries++, RETRY_MS.length - 1)], () => this.deliver(copy));
  }
}

/** The status, or 0 when nobody answered. */
async function post(url, body) {
  try {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal: AbortSignal.timeout(10000) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

const isShortText = (value, most) => typeof value === 'string' && [...value].length <= most;

/** The answer that refuses a payment, or undefined. */
function paymentFault(json) {
  const metadata = Object.entries(json.metadata ?? {});
  if (!(kopecks(json.amount) > 0)) return invalid('Incorrect amount', 'amount');
  if (json.confirmation?.type !== 'redirect') return invalid('Only redirect is simulated', 'confirmation.type');
  if (!/^https?:\/\//.test(json.confirmation.return_url ?? '') || json.confirmation.return_url.length > 2048) {
    return invalid('Incorrect return_url', 'confirmation.return_url');
  }
  if (json.description !== undefined && !isShortText(json.description, 128)) return invalid('Description is too long', 'description');
  if (metadata.length > 16 || !metadata.every(([key, value]) => key.length <= 32 && isShortText(value, 512))) {
    return invalid('Incorrect metadata', 'metadata');
  }
  if (json.receipt && !json.receipt.customer?.email && !json.receipt.customer?.phone) {
    return invalid('Receipt needs a customer', 'receipt.customer');
  }
  return undefined;
}

module.exports = { YooKassa };
