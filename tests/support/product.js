'use strict';
// Everything a black-box test needs, started in one call: PostgreSQL, Redis, the simulators and the server on top.
const crypto = require('node:crypto');
const { Postgres } = require('./postgres.js');
const { Redis } = require('./redis.js');
const { Fura, SETTINGS } = require('./fura.js');
const { Client, until } = require('./client.js');
const { initData } = require('./initdata.js');
const { keepSecret, mustHideSecrets } = require('./secrets.js');
const simulators = require('../simulators/run.js');

/** What the gateway calls a payment that our API has answered with. */
const gatewayId = (payment) => new URL(payment.confirmation_url).pathname.split('/').pop();

class Product {
  /** options: {env, conf, root: another application folder, serve: false to only prepare, simulators: options of run.js, ready: false not to wait,
   *  postgres: settings of postgresql.conf}. */
  static async start({ env = {}, conf, root, serve = true, ready = true, simulators: given = {}, postgres = [] } = {}) {
    const product = new Product();
    try {
      await product.startServices(given, postgres);
      await product.prepare({ env, conf, root });
      if (serve) {
        await product.fura.serve({ ready });
        await product.connectWebhooks();
      }
    } catch (error) {
      await product.stop().catch(() => {});
      throw error;
    }
    return product;
  }

  async startServices(given, postgres) {
    const settled = await Promise.allSettled([
      Postgres.start({ settings: postgres }), Redis.start(), simulators.start({ clock: 'frozen', ...given }, SETTINGS),
    ]);
    [this.postgres, this.redis, this.simulators] = settled.map((one) => one.value);
    const failed = settled.find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
  }

  async prepare({ env, conf, root }) {
    this.fura = new Fura({ conf, root, env: { ...this.serviceEnv(), ...env } });
    await this.fura.migrate();
  }

  serviceEnv() {
    const { cargotech, telegram, yookassa } = this.simulators.urls;
    return {
      DATABASE_URL: this.postgres.url, REDIS_URL: this.redis.url,
      CARGOTECH_API_URL: cargotech, TELEGRAM_API_URL: telegram, YOOKASSA_API_URL: yookassa,
    };
  }

  get client() {
    return this.fura.client;
  }

  /** The control API of a simulator: product.control('cargotech').get('log') */
  control(name) {
    const client = new Client(this.simulators[name].url);
    return {
      get: async (what) => (await client.get(`/__control/${what}`)).json,
      post: async (what, body = {}) => {
        const { status, json } = await client.post(`/__control/${what}`, body);
        if (status !== 200) throw new Error(`${name} ${what}: ${json.error}`);
        return json;
      },
    };
  }

  /** As the merchant does it at the gateway, past the server: asShop('refunds', {payment_id, amount}); gives the gateway's answer. */
  async asShop(what, body) {
    const basic = Buffer.from(`${SETTINGS.YOOKASSA_SHOP_ID}:${SETTINGS.YOOKASSA_SECRET_KEY}`).toString('base64');
    const headers = { authorization: `Basic ${basic}`, 'idempotence-key': crypto.randomUUID(), 'content-type': 'application/json' };
    const answer = await fetch(`${this.simulators.yookassa.url}/v3/${what}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return answer.json();
  }

  /** How often a simulator was asked: counts('cargotech')['GET /v2/cargos/views'] */
  counts(name) {
    return { ...this.simulators[name].counts };
  }

  initData(driver, options = {}) {
    return initData(driver, { token: SETTINGS.TELEGRAM_BOT_TOKEN, ...options });
  }

  /** Log a driver in; gives a client that speaks with the session's token. */
  async login(driver = { id: 501 }) {
    const proof = this.initData(driver);
    keepSecret('initData', new URLSearchParams(proof).get('hash'));
    const answer = await this.client.post('/api/v1/auth/telegram', { init_data: proof });
    if (answer.status !== 200) throw new Error(`login: ${answer.status} ${answer.text}`);
    keepSecret('session token', answer.json.session_token);
    return Object.assign(this.client.as(answer.json.session_token), { token: answer.json.session_token });
  }

  /** Where the simulators send their updates and notifications. */
  async connectWebhooks() {
    await this.control('yookassa').post('notifications', { url: `${this.client.url}/webhooks/yookassa` });
    const hook = { url: `${this.client.url}/webhooks/telegram`, secret_token: SETTINGS.TELEGRAM_WEBHOOK_SECRET };
    await new Client(this.simulators.urls.telegram).post(`/bot${SETTINGS.TELEGRAM_BOT_TOKEN}/setWebhook`, hook);
  }

  /** Buy access the way a driver does, and wait until it is there. */
  async buyAccess(driver, tariff = '1_month') {
    const { status, json, text } = await driver.post('/api/v1/payments', { tariff });
    if (status !== 201) throw new Error(`payment: ${status} ${text}`);
    await this.control('yookassa').post('pay', { id: gatewayId(json) });
    const active = async () => (await driver.get('/api/v1/subscription')).json?.active;
    await until(active, { what: 'access after the payment' });
    return json;
  }

  /** All of it, whatever fails; the first failure is reported. No secret may stand in what the server or the database logged. */
  async stop() {
    for (const token of this.simulators?.cargotech.tokens.keys() ?? []) keepSecret('CargoTech token', token);
    const database = this.postgres && { stop: async () => {
      await this.postgres.stop();
      mustHideSecrets('the log of PostgreSQL', this.postgres.child.output);
    } };
    const parts = [this.fura, this.simulators && { stop: () => this.simulators.close() }, this.redis, database];
    const failures = [];
    for (const part of parts.filter(Boolean)) await part.stop().catch((error) => failures.push(error));
    if (failures.length) throw failures[0];
  }
}

module.exports = { Product, gatewayId };
