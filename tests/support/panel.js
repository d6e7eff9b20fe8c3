'use strict';
// Somebody at the admin panel without a browser: logs in with a one-time code, keeps the cookie, sends forms.
const crypto = require('node:crypto');
const { Client } = require('./client.js');
const { keepSecret } = require('./secrets.js');

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const PASSWORD = 'correct horse battery staple';

function unbase32(text) {
  let bits = '';
  for (const letter of text) bits += ALPHABET.indexOf(letter).toString(2).padStart(5, '0');
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

/** A piece of HTML as the text it stands for. */
function unescape(html) {
  return html.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&');
}

/** RFC 6238, independent of the server's own. */
function oneTimeCode(secret, at = Date.now()) {
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(at / 30000)));
  const mac = crypto.createHmac('sha1', unbase32(secret)).update(step).digest();
  const offset = mac[19] & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1000000).padStart(6, '0');
}

/** `fura admin add`: gives {login, password, secret}. */
async function addAdmin(fura, login, ...options) {
  const end = await fura.commandWith(`${PASSWORD}\n`, 'admin', 'add', login, ...options);
  if (end.code !== 0) throw new Error(`fura admin add: ${end.output}`);
  keepSecret('admin password', PASSWORD);
  return { login, password: PASSWORD, secret: keepSecret('one-time secret', /secret=([A-Z2-7]+)/.exec(end.output)?.[1]) };
}

class Panel {
  /** Somebody new, logged in; options are those of `fura admin add`. */
  static async of(product, login, ...options) {
    return new Panel(product.client).login(await addAdmin(product.fura, login, '--no-totp', ...options));
  }

  constructor(client) {
    this.origin = client.url;
    this.client = new Client(client.url, { accept: 'text/html' });
    this.cookie = undefined;
  }

  get headers() {
    return this.cookie ? { cookie: `fura_admin=${this.cookie}` } : {};
  }

  get(path, headers = {}) {
    return this.client.get(path, { ...this.headers, ...headers });
  }

  /** A form as the browser would send it, with nothing added. */
  form(path, fields, headers = {}) {
    return this.client.request('POST', path, {
      body: new URLSearchParams(fields).toString(),
      headers: { ...this.headers, 'content-type': 'application/x-www-form-urlencoded', origin: this.origin, ...headers },
    });
  }

  /** A form of a page of the panel: the page's token goes with it. */
  async send(path, fields = {}) {
    this.csrf ??= /name="csrf" value="([^"]+)"/.exec((await this.get('/admin/')).text)?.[1];
    return this.form(path, { csrf: this.csrf, ...fields });
  }

  async tryLogin({ login, password, code = '' }, headers) {
    const answer = await this.form('/admin/login', { login, password, code, next: '/admin/' }, headers);
    const found = /fura_admin=([^;]+)/.exec(String(answer.headers['set-cookie'] ?? ''));
    if (found) {
      this.cookie = keepSecret('admin session', found[1]);
      this.csrf = undefined;
    }
    return answer;
  }

  async login(admin) {
    const answer = await this.tryLogin({ ...admin, code: admin.secret ? oneTimeCode(admin.secret) : '' });
    if (answer.status !== 303) throw new Error(`login: ${answer.status} ${answer.text}`);
    return this;
  }
}

module.exports = { PASSWORD, Panel, addAdmin, oneTimeCode, unescape };
