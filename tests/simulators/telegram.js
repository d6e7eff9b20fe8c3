'use strict';
// The Bot API as our server sees it, with the chats behind it: messages are kept, limits and refusals are Telegram's,
// and the control API plays the people: it presses buttons, sends /start, blocks the bot. GET / shows the chats to a human.
const { Simulator, answer } = require('./simulator.js');
const { chatsPage } = require('./telegram_page.js');

const CALLBACK_LIFE_MS = 15000;
const RETRY_MS = [50, 200, 1000, 3000];
const LIMITS = { chat_burst: 3, chat_per_s: 1, group_per_min: 20, overall_per_s: 30 };

const ok = (result) => answer(200, { ok: true, result });
const fail = (code, description, parameters) =>
  answer(code, { ok: false, error_code: code, description, ...(parameters && { parameters }) });
const badRequest = (text, parameters) => fail(400, `Bad Request: ${text}`, parameters);

const REFUSALS = {
  blocked: 'Forbidden: bot was blocked by the user',
  deactivated: 'Forbidden: user is deactivated',
  never_started: "Forbidden: bot can't initiate conversation with a user",
};

class Telegram extends Simulator {
  constructor({ token = '1234567890:TEST-simulated-bot-token', username = 'cargotech_bot', limits = LIMITS } = {}) {
    super('telegram');
    Object.assign(this, { token, username, defaultLimits: { ...LIMITS, ...limits } });
    this.resetState();
    for (const method of Object.keys(methods)) {
      const run = (request) => methods[method](this, { ...Object.fromEntries(request.query), ...request.json });
      for (const verb of ['GET', 'POST']) this.route(verb, `/bot{token}/${method}`, run);
    }
    this.route('GET', '/', () => answer(200, chatsPage(this.chats)));
    this.route('POST', '/press', (request) => this.pressed(request.json));
    this.addPeople();
  }

  resetState() {
    this.chats = new Map();
    this.people = new Map();
    this.migrated = new Map();
    this.webhook = null;
    this.pending = [];
    this.delivering = false;
    this.lastError = undefined;
    this.callbacks = new Map();
    this.limits = { ...this.defaultLimits };
    this.sent = new Map();
    this.lastUpdateId = 700000;
    this.lastMessageId = 0;
  }

  /** The control endpoints that play the people. */
  addPeople() {
    this.control('POST', 'send', ({ json }) => this.say(json));
    this.control('POST', 'press', ({ json }) => this.press(json));
    this.control('POST', 'user', ({ json }) => {
      if (json.state !== 'ok' && !REFUSALS[json.state]) throw new Error(`user: state must be ok, ${Object.keys(REFUSALS).join(', ')}`);
      this.people.set(String(json.id), json.state);
      if (json.state === 'blocked' || json.state === 'ok') this.push({ my_chat_member: membership(json) });
    });
    this.control('POST', 'migrate', ({ json }) => { this.migrated.set(String(json.from), Number(json.to)); });
    this.control('POST', 'limits', ({ json }) => { Object.assign(this.limits, json); });
    this.control('POST', 'update', ({ json }) => this.push(json));
  }

  state() {
    return {
      chats: Object.fromEntries(this.chats), webhook: this.webhook && { url: this.webhook.url, allowed_updates: this.webhook.allowed_updates },
      pending_updates: this.pending.length, callbacks: Object.fromEntries(this.callbacks), limits: this.limits,
    };
  }

  loggedPath(path) {
    return path.replace(/^\/bot[^/]+/, '');
  }

  before({ path }) {
    const bot = /^\/bot([^/]*)\//.exec(path);
    if (!bot) return undefined;
    if (!/^\d+:[\w-]+$/.test(decodeURIComponent(bot[1]))) return fail(404, 'Not Found');
    return decodeURIComponent(bot[1]) === this.token ? undefined : fail(401, 'Unauthorized');
  }

  notFound() {
    return fail(404, 'Not Found');
  }

  me() {
    return { id: Number(this.token.split(':')[0]), is_bot: true, first_name: 'Грузы', username: this.username };
  }

  /** Why nothing may be sent to this chat now, or undefined. */
  refusal(chatId) {
    const moved = this.migrated.get(String(chatId));
    if (moved) return badRequest('group chat was upgraded to a supergroup chat', { migrate_to_chat_id: moved });
    const person = this.people.get(String(chatId));
    if (REFUSALS[person]) return fail(403, REFUSALS[person]);
    const wait = this.overLimit(chatId);
    return wait ? fail(429, `Too Many Requests: retry after ${wait}`, { retry_after: wait }) : undefined;
  }

  /** Seconds to wait, or 0 after counting the message. */
  overLimit(chatId) {
    const now = this.now();
    const wait = Math.max(
      this.over('all', now, 1000, this.limits.overall_per_s),
      this.over(chatId, now, (this.limits.chat_burst * 1000) / this.limits.chat_per_s, this.limits.chat_burst),
      chatId < 0 ? this.over(`group ${chatId}`, now, 60000, this.limits.group_per_min) : 0,
    );
    if (wait) return Math.ceil(wait / 1000);
    for (const key of ['all', chatId, `group ${chatId}`]) this.sent.get(key)?.push(now);
    return 0;
  }

  over(key, now, windowMs, most) {
    const times = (this.sent.get(key) ?? []).filter((at) => at > now - windowMs);
    this.sent.set(key, times);
    return times.length >= most ? times[0] + windowMs - now : 0;
  }

  keep(chatId, message) {
    const id = String(chatId);
    if (!this.chats.has(id)) this.chats.set(id, []);
    this.chats.get(id).push(message);
    return message;
  }

  message(chatId, messageId) {
    return this.chats.get(String(chatId))?.find((one) => one.message_id === Number(messageId));
  }

  newMessage(chat, from, fields) {
    return this.keep(chat.id, { message_id: ++this.lastMessageId, date: Math.floor(this.now() / 1000), chat, from, ...fields });
  }

  /** A person writes: {"chat_id", "text", "from"?}; defaults to their private chat. */
  say({ from = {}, chat_id: chatId, text }) {
    const person = { id: Number(chatId ?? from.id), is_bot: false, first_name: 'Водитель', language_code: 'ru', ...from };
    const id = Number(chatId ?? person.id);
    this.people.set(String(person.id), 'ok');
    const entities = text.startsWith('/') ? [{ type: 'bot_command', offset: 0, length: text.split(' ')[0].length }] : undefined;
    const message = this.newMessage(chatOf(id), person, { text, ...(entities && { entities }) });
    return this.push({ message });
  }

  /** A person presses a button: {"chat_id", "message_id", "button"? (its text), "data"? (forged), "from"?}. */
  press({ chat_id: chatId, message_id: messageId, button, data, from }) {
    const message = this.message(chatId, messageId);
    if (!message) throw new Error('press: no such message');
    const buttons = (message.reply_markup?.inline_keyboard ?? []).flat();
    const found = buttons.find((one) => one.text === button || one.callback_data === data);
    if (!found && data === undefined) throw new Error(`press: no such button (there are: ${buttons.map((one) => one.text).join(', ')})`);
    const id = String(2151234567890000000n + BigInt(this.callbacks.size));
    this.callbacks.set(id, { at: this.now(), answer: null });
    return this.push({ callback_query: {
      id, chat_instance: '-77', data: data ?? found.callback_data, message,
      from: { id: 9001, is_bot: false, first_name: 'Диспетчер', ...from },
    } });
  }

  pressed({ chat_id: chatId, message_id: messageId, data }) {
    this.press({ chat_id: chatId, message_id: messageId, data });
    return answer(303, undefined, { location: '/' });
  }

  push(update) {
    const whole = { update_id: ++this.lastUpdateId, ...update };
    const allowed = this.webhook?.allowed_updates;
    if (allowed?.length && !Object.keys(update).every((kind) => allowed.includes(kind))) return whole;
    this.pending.push({ update: whole, tries: 0 });
    this.deliver();
    return whole;
  }

  /** One at a time, in order, repeated until the answer is 2xx. */
  async deliver() {
    if (this.delivering || !this.webhook || this.pending.length === 0) return;
    this.delivering = true;
    const { webhook } = this;
    const entry = this.pending[0];
    const done = await post(webhook, entry.update).catch((error) => ({ error: error.cause?.message ?? error.message }));
    this.delivering = false;
    if (webhook !== this.webhook) return this.deliver();
    if (done.ok) {
      this.pending.shift();
      this.methodInAnswer(done.reply);
      return this.deliver();
    }
    this.lastError = { at: this.now(), text: done.error };
    this.later(RETRY_MS[Math.min(entry.tries++, RETRY_MS.length - 1)], () => this.deliver());
  }

  /** A webhook's answer may itself be a call of a method. */
  methodInAnswer(reply) {
    if (reply && Object.hasOwn(methods, reply.method)) methods[reply.method](this, reply);
  }
}

async function post({ url, secret_token: secret }, update) {
  const response = await fetch(url, {
    method: 'POST',
    redirect: 'manual',
    signal: AbortSignal.timeout(10000),
    headers: { 'content-type': 'application/json', ...(secret && { 'x-telegram-bot-api-secret-token': secret }) },
    body: JSON.stringify(update),
  });
  const text = await response.text();
  let reply;
  try {
    reply = JSON.parse(text);
  } catch {
    reply = undefined;
  }
  return { ok: response.ok, reply, error: `Wrong response from the webhook: ${response.status} ${response.statusText}` };
}

const chatOf = (id) => (id < 0 ? { id, type: 'supergroup', title: 'Отклики' } : { id, type: 'private', first_name: 'Водитель' });

function membership({ id, state }) {
  const user = { id: Number(id), is_bot: false, first_name: 'Водитель' };
  const status = state === 'blocked' ? 'kicked' : 'member';
  return { chat: chatOf(Number(id)), from: user, date: Math.floor(Date.now() / 1000), new_chat_member: { status } };
}

/** What is wrong with a keyboard, or undefined. */
function keyboardFault(markup, chatId) {
  for (const button of (asObject(markup)?.inline_keyboard ?? []).flat()) {
    const size = Buffer.byteLength(button.callback_data ?? 'x');
    if (!button.text || size < 1 || size > 64) return 'BUTTON_DATA_INVALID';
    if (button.web_app && chatId < 0) return 'BUTTON_TYPE_INVALID';
  }
  return undefined;
}

/** Forms carry nested values as JSON text. */
function asObject(value) {
  return typeof value === 'string' ? JSON.parse(value) : value;
}

const methods = {
  getMe: (bot) => ok(bot.me()),

  sendMessage(bot, { chat_id: chat, text, reply_markup: markup }) {
    const chatId = Number(chat);
    if (!Number.isSafeInteger(chatId) || chatId === 0) return badRequest('chat not found');
    if (typeof text !== 'string' || text.trim() === '') return badRequest('message text is empty');
    if ([...text].length > 4096) return badRequest('message is too long');
    const fault = keyboardFault(markup, chatId);
    if (fault) return badRequest(fault);
    const refused = bot.refusal(chatId);
    if (refused) return refused;
    return ok(bot.newMessage(chatOf(chatId), bot.me(), { text, ...(markup && { reply_markup: asObject(markup) }) }));
  },

  editMessageText(bot, { chat_id: chat, message_id: id, text, reply_markup: markup }) {
    return edit(bot.message(chat, id), { text, reply_markup: asObject(markup) });
  },

  editMessageReplyMarkup(bot, { chat_id: chat, message_id: id, reply_markup: markup }) {
    const message = bot.message(chat, id);
    return edit(message, { text: message?.text, reply_markup: asObject(markup) });
  },

  answerCallbackQuery(bot, { callback_query_id: id, text = '', show_alert: alert = false }) {
    const query = bot.callbacks.get(String(id));
    if (!query || bot.now() - query.at > CALLBACK_LIFE_MS) {
      return badRequest('query is too old and response timeout expired or query ID is invalid');
    }
    if ([...text].length > 200) return badRequest('MESSAGE_TOO_LONG');
    query.answer = { text, alert };
    return ok(true);
  },

  setWebhook(bot, { url = '', secret_token: secret, allowed_updates: allowed, drop_pending_updates: drop }) {
    if (secret !== undefined && !/^[\w-]{1,256}$/.test(secret)) return badRequest('secret token contains unallowed characters');
    if (url && !/^https?:\/\//.test(url)) return badRequest('bad webhook: An HTTPS URL must be provided for webhook');
    if (drop) bot.pending = [];
    bot.webhook = url ? { url, secret_token: secret, allowed_updates: asObject(allowed) ?? [] } : null;
    bot.lastError = undefined;
    bot.deliver();
    return answer(200, { ok: true, result: true, description: url ? 'Webhook was set' : 'Webhook was deleted' });
  },

  deleteWebhook(bot, { drop_pending_updates: drop }) {
    return methods.setWebhook(bot, { drop_pending_updates: drop });
  },

  getWebhookInfo(bot) {
    return ok({
      url: bot.webhook?.url ?? '', has_custom_certificate: false, pending_update_count: bot.pending.length, max_connections: 40,
      ...(bot.webhook && { allowed_updates: bot.webhook.allowed_updates }),
      ...(bot.lastError && { last_error_date: Math.floor(bot.lastError.at / 1000), last_error_message: bot.lastError.text }),
    });
  },
};

function edit(message, { text, reply_markup: markup }) {
  if (!message) return badRequest('message to edit not found');
  if (typeof text !== 'string' || text.trim() === '') return badRequest('message text is empty');
  if (message.text === text && JSON.stringify(message.reply_markup) === JSON.stringify(markup)) {
    return badRequest('message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message');
  }
  message.text = text;
  message.reply_markup = markup;
  return ok(message);
}

module.exports = { Telegram };
