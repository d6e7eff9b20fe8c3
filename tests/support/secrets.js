'use strict';
// The secrets the tests give to the server or get from it, and the search for them where they must not be: every started
// server's log and every command's output pass through here (fura.js), in plain and in any usual coding.
const SHORTEST = 8; // anything shorter is found by accident
const CONTEXT = 60;
const MOST_ALIKE = 40; // of the tokens of a crowd some are enough

const known = new Map(); // value → name
const alike = new Map(); // name → how many

/** From now on this value may appear nowhere; gives it back. */
function keepSecret(name, value) {
  const count = alike.get(name) ?? 0;
  if (typeof value !== 'string' || value.length < SHORTEST || known.has(value) || count >= MOST_ALIKE) return value;
  known.set(value, name);
  alike.set(name, count + 1);
  return value;
}

const SECRET_VARIABLES = [
  'SESSION_SECRET', 'SETTINGS_ENCRYPTION_KEY', 'TELEGRAM_BOT_TOKEN', 'TELEGRAM_WEBHOOK_SECRET', 'CARGOTECH_PHONE', 'CARGOTECH_PASSWORD',
  'YOOKASSA_SECRET_KEY', 'YOOKASSA_WEBHOOK_SECRET', 'YOOKASSA_WEBHOOK_PATH_KEY',
];

/** The secret variables of a server's environment, each part of lists too. */
function keepEnvironment(env) {
  for (const name of SECRET_VARIABLES) {
    for (const part of (env[name] ?? '').split(',')) keepSecret(name, part);
  }
  keepSecret('TELEGRAM_BOT_TOKEN', env.TELEGRAM_BOT_TOKEN?.split(':')[1]);
  keepSecret('CARGOTECH_PHONE', env.CARGOTECH_PHONE?.replace(/\D/g, ''));
}

/** What base64 makes of bytes inside a longer text: the letters that do not depend on what stands beside them. */
function insideBase64(value) {
  const bytes = Buffer.from(value);
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64').replace(/=+$/, '');
    const first = Math.ceil(before * 8 / 6);
    const whole = Math.floor((before + bytes.length) * 8 / 6);
    return text.slice(first, whole);
  });
}

const urlSafe = (base64) => base64.replaceAll('+', '-').replaceAll('/', '_');

/** Every form a value may leak in. */
function formsOf(value) {
  const inside = insideBase64(value);
  return new Set([value, encodeURIComponent(value), encodeURIComponent(value).replaceAll('%20', '+'), JSON.stringify(value).slice(1, -1),
    JSON.stringify(value).slice(1, -1).replaceAll('/', '\\/'), Buffer.from(value).toString('hex'), ...inside, ...inside.map(urlSafe)]);
}

const forms = new Map(); // value → its forms, worked out once

/** The secrets in a text: {name, around}, where `around` does not repeat the secret. */
function leaksIn(text) {
  const found = [];
  for (const [value, name] of known) {
    if (!forms.has(value)) forms.set(value, formsOf(value));
    for (const form of forms.get(value)) {
      const at = form.length >= SHORTEST ? text.indexOf(form) : -1;
      if (at < 0) continue;
      const around = `${text.slice(Math.max(0, at - CONTEXT), at)}<<${name}>>${text.slice(at + form.length, at + form.length + CONTEXT)}`;
      found.push({ name, around });
      break;
    }
  }
  return found;
}

/** Raises when a secret stands in the text; `where` says whose text it is. */
function mustHideSecrets(where, text) {
  const leaks = leaksIn(text);
  if (leaks.length > 0) throw new Error(`${where} shows secrets:\n${leaks.map((leak) => `  ${leak.name}: …${leak.around}…`).join('\n')}`);
}

module.exports = { keepEnvironment, keepSecret, leaksIn, mustHideSecrets };
