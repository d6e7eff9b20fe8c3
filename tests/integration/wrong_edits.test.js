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
const QUERY = 'lua/rules/query.lua';
const RESPONSES = 'lua/rules/responses.lua';
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
  ['a price with a decimal comma', TARIFFS, 'rub(499)', 'rub(499,50)', /rub takes one number, with a point: rub\(499\.50\)/, '"1_month"'],
  ['a negative price', TARIFFS, 'rub(499)', 'rub(-499)', /tariff 1_month: look at its price/, '"1_month"'],
  ['a price that is no number', TARIFFS, 'rub(499)', '0/0', /tariff 1_month: look at its price/, '"1_month"'],
  ['price and days swapped', TARIFFS, 'days = 30, price_kopecks = rub(499)', 'days = rub(499), price_kopecks = 30', /look at its days/, '"1_month"'],
  ['a Russian letter in days', TARIFFS, 'days = 30', 'd\u0430ys = 30', /'d\u0430ys' has letters that only look English/, '"1_month"'],
  ['a Russian letter in a member that may be left out', TARIFFS, 'days = 30', 'on_s\u0430le = false, days = 30', /only look English/, '"1_month"'],
  ['rub in Russian', TARIFFS, 'rub(499)', 'руб(499)', /'руб' makes no sense here/, '"1_month"'],
  ['typographic quotes', TARIFFS, '"1_month"', '«1_month»', /typographic quotes \(expected straight ones/, '«1_month»'],
  ['a space that is none', TARIFFS, 'days = 30', 'days\u00a0= 30', /an invisible sign stands at 'days'/, '"1_month"'],
  ['on_sale misspelt', TARIFFS, 'days = 30', 'onsale = false, days = 30', /tariff 1_month: 'onsale' means nothing \(did you mean on_sale\?\)/, '"1_month"'],
  ['on_sale in words', TARIFFS, 'days = 30', 'on_sale = "no", days = 30', /look at on_sale \(expected true or false, got "no"\)/, '"1_month"'],
  ['a badge in two languages', TARIFFS, 'days = 30', 'badge = { ru = "x" }, days = 30', /look at its badge \(expected a text in quotes, got a table\)/, '"1_month"'],
  ['a tariff with a name before it', TARIFFS, '{ name = "3_months"', 'quarter = { name = "3_months"', /has a gap or a name of its own/, 'list = {'],
  ['a text in place of a tariff', TARIFFS, /\{ name = "3_months".*\}/, '"3_months"', /tariff number 2: look at it \(expected \{ name = /, 'list = {'],
  ['a wrong tariff in a file of Windows', TARIFFS, /[^]*/, (text) => text.replace('days = 30', 'days = 0').replaceAll('\n', '\r\n'), /look at its days/, '"1_month"'],

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
  ['a flag misspelt', FLAGS, 'payments = true', 'payment = true', /there is no flag payment \(did you mean payments\?\)/, 'payment ='],
  ['a flag removed', FLAGS, /    payments = true.*\n/, '', /the flag payments is missing/, 'defaults'],

  // texts
  ['a text without English', TEXTS, NOT_FOUND_TEXT, 'not_found = { "Такой страницы нет." }', /not_found needs two languages/, 'not_found ='],
  ['a text without braces', TEXTS, NOT_FOUND_TEXT, 'not_found = "Такой страницы нет."', /not_found needs two languages/, 'not_found ='],
  ['an empty text', TEXTS, NOT_FOUND_TEXT, 'not_found = { "", "There is no such page." }', /not_found is empty in Russian/, 'not_found ='],
  ['a quote inside a text', TEXTS, '"Такой страницы нет."', '"Такой "страницы" нет."', /comma|makes no sense|not finished/, 'Такой'],
  ['a value filled in in one language only', TEXTS, NOT_FOUND_TEXT, 'not_found = { "Нет {path}.", "There is no such page." }', /filled in differently by language/, 'not_found ='],
  ['a brace without its other half', TEXTS, NOT_FOUND_TEXT, 'not_found = { "Нет {path.", "No {path." }', /a \{ without its \}/, 'not_found ='],
  ['a text of the app removed', TEXTS, /  respond = \{.*\n/, '', /the text respond is missing \(lua\/web\/views\/response\/block\.html says it\)/, 'local app = {'],
  ['a text of a problem removed', TEXTS, /  payment_required = \{.*\n/, '', /the text payment_required is missing/, 'local problems = {'],
  ['a text of the bot removed', TEXTS, /  greeting = \{.*\n/, '', /the text greeting is missing/, 'local bot = {'],
  ['a text named like the end of another one', TEXTS, /  refused = \{.*\n/, '  refused = { "Нет." },\n', /refused needs two languages/, '  refused ='],
  ['a text named like one of another part', TEXTS, '  number = { "№ {id}"', '  number = { ""', /number is empty in Russian/, 'no. {id}'],
  ['a text empty in English', TEXTS, NOT_FOUND_TEXT, 'not_found = { "Такой страницы нет.", "" }', /not_found is empty in English/, 'not_found ='],
  ['a form of a word forgotten', TEXTS, '{days|день|дня|дней}", "{days} {days|day|days} left"', '{days|день|дней}", "{days} {days|day|days} left"', /wrong number of forms in Russian: \{days\|день\|дней\}/, 'days_left ='],
  ['a function of the texts removed', TEXTS, /  month = function.*\n/, '', /'month' is missing or wrong/, 'return {'],

  // filters
  ['a smallest above the largest', FILTERS, 'min = 1, max = 100, default = 20', 'min = 200, max = 100, default = 20', /min above its max|default that it does not accept/, 'limit = {'],
  ['a default that is not accepted', FILTERS, 'default = 20', 'default = 500', /default that it does not accept itself/, 'limit = {'],
  ['an unknown type', FILTERS, 'start_date = { type = "date"', 'start_date = { type = "day"', /unknown type \(expected integer, date/, 'start_date = {'],
  ['a remembered filter misspelt', FILTERS, '"start_date", "weight_volume"', '"start_dat", "weight_volume"', /does not exist: start_dat \(did you mean start_date\?\)/, 'remembered'],
  ['a largest in quotes', FILTERS, 'max = 100,', 'max = "100",', /limit has a wrong max \(expected a number, got "100"\)/, 'limit = {'],
  ['a default in quotes', FILTERS, 'default = 20', 'default = "20"', /default that it does not accept itself/, 'limit = {'],
  ['a default that is no choice', FILTERS, 'default = "my"', 'default = "own"', /mode has a default that it does not accept itself/, 'mode = {'],
  ['choices without braces', FILTERS, 'one_of = { "my", "all" }', 'one_of = "my"', /mode has a wrong one_of \(expected a list, got "my"\)/, 'mode = {'],
  ['a check misspelt', FILTERS, 'check = weight_volume', 'chek = weight_volume', /'chek' means nothing \(did you mean check\?\)/, 'weight_volume = {'],
  ['a radius with its unit', FILTERS, 'radius_choices = { 0, 25', 'radius_choices = { 0, "25 км"', /expected whole kilometres.*got "25 км"/, 'radius_choices'],
  ['a preset in words', FILTERS, '"20-83"', '"20 тонн"', /expected tonnes and cubic metres.*got "20 тонн"/, 'weight_volume_presets'],
  ['a filter that no longer goes upstream', QUERY, '"start_date", "load_types"', '"start_dat", "load_types"', /example 2: build: expected/, 'start_date ='],

  // responses
  ['a status misspelt', RESPONSES, 'status = "accepted", text', 'status = "acepted", text', /a button makes an unknown status/, 'letter = "a"'],
  ['a letter that is a word', RESPONSES, 'letter = "a"', 'letter = "accept"', /the letter of a button is wrong/, 'letter = "accept"'],
  ['a number in quotes', RESPONSES, 'return 5', 'return "5"', /poll_s: expected the number 5, got the string 5/, '"poll_s"'],

  // promo codes, refunds, cards
  ['a promo action misspelt', PROMO, 'extend_30 = 30', 'extend_3O = 30', /there is no promo action extend_3O \(did you mean extend_30\?\)/, 'extend_3O ='],
  ['days that the name does not promise', PROMO, 'extend_30 = 30', 'extend_30 = 45', /extend_30 gives a wrong number of days \(expected 30,/, 'extend_30 ='],
  ['no letters for promo codes', PROMO, /ALPHABET = ".*"/, 'ALPHABET = ""', /letters of made-up codes are wrong/, 'ALPHABET ='],
  ['promo codes of no length', PROMO, 'generated_length = 12', 'generated_length = 0', /made-up codes have a wrong length/, 'generated_length ='],
  ['an example without braces', REFUNDS, '{ bought(rub(499), 0, 30) }', 'bought', /example 1: is no example/, '"days_to_take"'],
  ['a month forgotten', CARD, '"янв", ', '', /day_month: expected 1 янв, got 1 фев/, '"day_month"'],
  ['a function of the card no longer returned', CARD, ', day_month = day_month', '', /'day_month' is missing or wrong/, ''],
  ['a promo code of no days', PROMO, 'extend_30 = 30', 'extend_30 = 0', /extend_30 gives a wrong number of days/, 'extend_30'],
  ['days of a promo code in words', PROMO, 'extend_30 = 30', 'extend_30 = "thirty"', /extend_30 gives a wrong number of days/, 'extend_30'],
  ['a refund that takes the wrong way', REFUNDS, 'math.floor(payment.days *', 'math.ceil(payment.days *', /example 4: days_to_take: expected 6, got 7/, 'rub(100)'],
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
  const edited = text.replace(from, typeof to === 'function' ? to : () => to);
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
