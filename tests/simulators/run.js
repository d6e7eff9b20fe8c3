#!/usr/bin/env node
'use strict';
// Run the simulators until interrupted; prints their addresses as one line of JSON:
//   node tests/simulators/run.js --listen 127.0.0.1:0
// A fixed port P gives CargoTech P, Telegram P+1, YooKassa P+2. See USAGE for the rest.
const { CargoTech } = require('./cargotech.js');
const { Telegram } = require('./telegram.js');
const { YooKassa } = require('./yookassa.js');

const USAGE = `usage: run.js [--listen HOST:PORT] [--seed N] [--cargos N] [--clock running|frozen]
  [--phone TEXT] [--password TEXT] [--bot-token TEXT] [--shop-id TEXT] [--secret-key TEXT] [--notify-url URL]
The account and the keys may also come from CARGOTECH_PHONE, CARGOTECH_PASSWORD, TELEGRAM_BOT_TOKEN,
YOOKASSA_SHOP_ID and YOOKASSA_SECRET_KEY.`;

const OPTIONS = new Set(['listen', 'seed', 'cargos', 'clock', 'phone', 'password', 'bot-token', 'shop-id', 'secret-key', 'notify-url']);

function options(argv) {
  const found = {};
  for (let index = 0; index < argv.length; index += 2) {
    const name = argv[index].replace(/^--/, '');
    if (!OPTIONS.has(name) || argv[index + 1] === undefined) throw new Error(USAGE);
    found[name] = argv[index + 1];
  }
  return found;
}

const whole = (text) => (text === undefined ? undefined : Number(text));

/** Start all three; gives {cargotech, telegram, yookassa, urls, close()}. */
async function start(given = {}, env = process.env) {
  const [, host, port] = /^(.*):(\d+)$/.exec(given.listen ?? '127.0.0.1:0');
  const cargotech = new CargoTech({
    seed: whole(given.seed), cargos: whole(given.cargos), clock: given.clock,
    phone: given.phone ?? env.CARGOTECH_PHONE, password: given.password ?? env.CARGOTECH_PASSWORD,
  });
  const telegram = new Telegram({ token: given['bot-token'] ?? env.TELEGRAM_BOT_TOKEN });
  const yookassa = new YooKassa({
    shopId: given['shop-id'] ?? env.YOOKASSA_SHOP_ID, secretKey: given['secret-key'] ?? env.YOOKASSA_SECRET_KEY,
    notifyUrl: given['notify-url'],
  });
  const all = [cargotech, telegram, yookassa];
  const place = (index) => `${host}:${Number(port) && Number(port) + index}`;
  await Promise.all(all.map((one, index) => one.listen(place(index))));
  return {
    cargotech, telegram, yookassa,
    urls: { cargotech: cargotech.url, telegram: telegram.url, yookassa: `${yookassa.url}/v3` },
    close: () => Promise.all(all.map((one) => one.close())),
  };
}

async function main() {
  const running = await start(options(process.argv.slice(2)));
  process.stdout.write(`${JSON.stringify(running.urls)}\n`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => running.close().then(() => process.exit(0)));
}

module.exports = { start };

if (require.main === module) {
  main().catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  });
}
