'use strict';
// Wrong edits as people make them. Each is refused by `fura check` and by a reload, with the file, the line and a sentence that
// tells what to do, and the server goes on with what it had.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { AppCopy } = require('../support/app_copy.js');
const { Fura } = require('../support/fura.js');

const TARIFFS = 'lua/rules/tariffs.lua';
const ACCESS = 'lua/rules/access.lua';
const FLAGS = 'lua/rules/flags.lua';
const TEXTS = 'lua/rules/texts.lua';
const FILTERS = 'lua/rules/filters.lua';
const PROMO = 'lua/rules/promo.lua';
const REFUNDS = 'lua/rules/refunds.lua';
const CARD = 'lua/rules/card.lua';
const CONF = 'conf/default.lua';
const MONTH = '{ name = "1_month", title = { ru = "1 месяц", en = "1 month" }, days = 30, price_kopecks = rub(499) }';
const NOT_FOUND_TEXT = 'not_found = { "Такой страницы нет.", "There is no such page." }';
const LOOPS = /stopped after 2000 ms of computing without waiting while it was loaded \(expected .* look for a loop without an end here/;

/** what, file, the text replaced, what it becomes, the sentence, and what the line that is named contains. */
const EDITS = [
  // a tariff
  ['a price without rub', TARIFFS, 'rub(499) }', '499.5 }', /tariff 1_month: look at its price \(expected rub\(499\)/, '"1_month"'],
  ['a price with its unit', TARIFFS, 'rub(499) }', 'rub(499 ₽) }', /"1_month"|missing|makes no sense/, '"1_month"'],
  ['a price in quotes', TARIFFS, 'rub(499) }', 'rub("499") }', /rub takes a number, like rub\(499\)/, '"1_month"'],
  ['a free tariff', TARIFFS, 'rub(499) }', 'rub(0) }', /tariff 1_month: look at its price/, '"1_month"'],
  ['no days', TARIFFS, 'days = 30', 'days = 0', /tariff 1_month: look at its days \(expected a whole number from 1/, '"1_month"'],
  ['half a day', TARIFFS, 'days = 30', 'days = 30.5', /look at its days/, '"1_month"'],
  ['a comma forgotten between tariffs', TARIFFS, 'rub(499) },', 'rub(499) }', /not finished: a comma, or the \}/, '"3_months"'],
  ['a quote forgotten', TARIFFS, 'ru = "1 месяц"', 'ru = "1 месяц', /not finished|not closed|missing/, '1 месяц'],
  ['a bracket forgotten', TARIFFS, MONTH, MONTH.slice(0, -1), /comma, or the \}|missing/, ''],
  ['two tariffs of one name', TARIFFS, 'name = "3_months"', 'name = "1_month"', /two tariffs are called 1_month/, 'list = {'],
  ['a name in Russian', TARIFFS, 'name = "1_month"', 'name = "месяц"', /look at its name \(expected small letters/, ''],
  ['no title in Russian', TARIFFS, 'ru = "1 месяц", ', '', /look at its title \(expected \{ ru = /, '"1_month"'],
  ['all tariffs removed', TARIFFS, /list = \{[^]*?\n {2}\},/, 'list = {},', /there are no tariffs/, 'list = {'],
  ['days misspelt', TARIFFS, 'days = 30', 'dais = 30', /look at its days/, '"1_month"'],

  // who may do what
  ['a feature neither free nor paid', ACCESS, 'respond = "paid"', 'respond = "cheap"', /respond is neither free nor paid/, 'respond ='],
  ['quotes forgotten around free', ACCESS, 'list = "free"', 'list = free', /has no 'free'/, 'list ='],
  ['a feature misspelt', ACCESS, 'view_contacts = "paid"', 'view_contact = "paid"', /no feature view_contact \(did you mean view_contacts\?\)/, 'view_contact ='],
  ['a feature removed', ACCESS, '  detail = "free",\n', '', /the feature detail is missing/, 'FEATURES'],
  ['a rule turned round against its example', ACCESS, 'subscription.active == true', 'true', /example 2: allowed: expected false, got true/, '"respond"'],
  ['a function no longer returned', ACCESS, 'allowed = allowed, ', '', /'allowed' is missing or wrong/, 'return {'],

  // loops
  ['a loop without end where a rule is loaded', FLAGS, 'return {', 'while true do end\nreturn {', LOOPS, 'while true'],
  ['a loop without end in what an example calls', CARD, 'local function price(kopecks, language)\n',
    'local function price(kopecks, language)\n  repeat until false\n', LOOPS, 'repeat until'],

  // flags
  ['a flag with a word', FLAGS, 'promo_codes = true', 'promo_codes = "yes"', /promo_codes is neither on nor off \(expected true or false, got "yes"\)/, 'promo_codes ='],
  ['True with a capital letter', FLAGS, 'promo_codes = true', 'promo_codes = True', /has no 'True'/, 'promo_codes ='],
  ['a flag with a number', FLAGS, 'responses = true', 'responses = 1', /responses is neither on nor off/, 'responses ='],

  // texts
  ['a text without English', TEXTS, NOT_FOUND_TEXT, 'not_found = { "Такой страницы нет." }', /not_found needs two languages/, 'not_found ='],
  ['a text without braces', TEXTS, NOT_FOUND_TEXT, 'not_found = "Такой страницы нет."', /not_found needs two languages/, 'not_found ='],
  ['an empty text', TEXTS, NOT_FOUND_TEXT, 'not_found = { "", "There is no such page." }', /not_found is empty in Russian/, 'not_found ='],
  ['a quote inside a text', TEXTS, '"Такой страницы нет."', '"Такой "страницы" нет."', /comma|makes no sense|not finished/, 'Такой'],
  ['a value filled in in one language only', TEXTS, NOT_FOUND_TEXT, 'not_found = { "Нет {path}.", "There is no such page." }', /filled in differently by language/, 'not_found ='],
  ['a brace without its other half', TEXTS, NOT_FOUND_TEXT, 'not_found = { "Нет {path.", "No {path." }', /a \{ without its \}/, 'not_found ='],

  // filters
  ['a smallest above the largest', FILTERS, 'min = 1, max = 100, default = 20', 'min = 200, max = 100, default = 20', /min above its max|default that it does not accept/, 'limit = {'],
  ['a default that is not accepted', FILTERS, 'default = 20', 'default = 500', /default that it does not accept itself/, 'limit = {'],
  ['an unknown type', FILTERS, 'start_date = { type = "date"', 'start_date = { type = "day"', /unknown type \(expected integer, date/, 'start_date = {'],
  ['a remembered filter misspelt', FILTERS, '"start_date", "weight_volume"', '"start_dat", "weight_volume"', /does not exist: start_dat \(did you mean start_date\?\)/, 'remembered'],

  // promo codes, refunds, cards
  ['a promo code of no days', PROMO, 'extend_30 = 30', 'extend_30 = 0', /extend_30 gives a wrong number of days/, 'extend_30'],
  ['days of a promo code in words', PROMO, 'extend_30 = 30', 'extend_30 = "thirty"', /extend_30 gives a wrong number of days/, 'extend_30'],
  ['a refund that takes the wrong way', REFUNDS, 'math.floor(payment.days * share)', 'math.ceil(payment.days * share)', /example 4: days_to_take: expected 6, got 7/, 'rub(100)'],
  ['an end forgotten', CARD, 'if number and number > 0 then return number end\n', 'if number and number > 0 then return number\n', /word end is missing|makes no sense|comes after the end/, ''],
  ['a variable that does not exist', CARD, 'return NO_PRICE end', 'return NOPRICE end', /has no 'NOPRICE'/, ''],
  ['a wish for the network in a rule', CARD, 'local CURRENCY', 'local page = require "net"\nlocal CURRENCY', /has no 'require'; see lua\/rules\/README\.md/, 'require'],
  ['a whole file emptied', FLAGS, /[^]*/, '', /gives nothing back \(expected return/, ''],

  // settings and plugins
  ['a setting misspelt', CONF, 'plugins = {}', 'plugins = {}, timezon = "Europe/Moscow"', /timezon: is not a known key \(expected timezone\?/, ''],
  ['a number in words', CONF, 'plugins = {}', 'plugins = {}, drain_deadline_s = "a minute"', /drain_deadline_s/, ''],
  ['a plugin misspelt', CONF, 'plugins = {}', 'plugins = { slow_request = {} }', /no plugin of that name \(did you mean 'slow_requests'\?\)/, ''],
  ['a setting of a plugin misspelt', CONF, 'plugins = {}', 'plugins = { slow_requests = { treshold_ms = 5 } }', /treshold_ms: is no setting of this plugin \(did you mean 'threshold_ms'\?\)/, ''],
  ['a setting of a plugin out of bounds', CONF, 'plugins = {}', 'plugins = { slow_requests = { threshold_ms = 0 } }', /threshold_ms: is too small \(expected at least 1, got 0\)/, ''],
  ['a plugin without what it needs', CONF, 'plugins = {}', 'plugins = { cors = {} }', /plugins\.cors\.origins: is missing \(expected a list of texts: sites that may call/, ''],
  ['a list of plugins', CONF, 'plugins = {}', 'plugins = { "cors" }', /expected plugins by name/, ''],
  ['a plugin with an unknown stage', 'plugins/slow_requests/plugin.lua', 'stage = "observe"', 'stage = "later"', /stage is unknown \(expected edge or auth/, 'stage'],
  ['a plugin that is no Lua', 'plugins/slow_requests/plugin.lua', 'after_response = function', 'after_response = fonction', /plugins\/slow_requests\/plugin\.lua:\d+: /, ''],
];

let app;
let fura;

before(async () => {
  app = new AppCopy();
  fura = new Fura({ root: app.root, env: { FURA_WORKERS: '1', DATABASE_URL: undefined } });
  await fura.serve({ ready: false });
});

after(async () => {
  await fura?.stop();
  app?.close();
});

function breakIt([, file, from, to]) {
  const text = app.read(file);
  const edited = text.replace(from, () => to);
  assert.notEqual(edited, text, `${file} does not contain ${from}`);
  app.write(file, edited);
}

/** The first problem's line of the source, as it is now. */
function namedLine(file, output) {
  const found = output.match(new RegExp(`${file.replaceAll('.', '\\.').replaceAll('/', '\\/')}:(\\d+): `));
  assert.ok(found, `no ${file}:LINE in ${output}`);
  return app.read(file).split('\n')[Number(found[1]) - 1] ?? '';
}

for (const edit of EDITS) {
  const [what, file, , , sentence, near] = edit;
  test(`${what} (${file}) is refused, and the server goes on`, async () => {
    if (file.startsWith('plugins/')) {
      app.configure('{ slow_requests = {} }');
    }
    breakIt(edit);
    try {
      const check = await fura.command('check');
      assert.equal(check.code, 1, check.output);
      assert.match(check.stdout, sentence);
      const line = namedLine(file, check.stdout);
      assert.ok(line.includes(near), `the line named is: ${line}\n${check.stdout}`);
      const reload = await fura.command('reload');
      assert.equal(reload.code, 1, reload.output);
      assert.match(reload.output, sentence);
      assert.equal((await fura.client.get('/livez')).status, 200);
      assert.equal((await fura.client.get('/no/such/page')).json.detail, 'Такой страницы нет.');
    } finally {
      app.restore();
    }
  });
}

test('there are at least forty of them, and what is right again is taken', async () => {
  assert.ok(EDITS.length >= 40);
  const reload = await fura.command('reload');
  assert.equal(reload.code, 0, reload.output);
});
