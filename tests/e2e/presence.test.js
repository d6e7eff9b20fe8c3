'use strict';
// What the app does by itself: asks for news while somebody looks and rests while nobody does, tells of answers, keeps
// what was typed, and gives way while the product is being worked on.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { AppCopy } = require('../support/app_copy.js');
const { Product } = require('../support/product.js');
const { MiniApp, cards, openCargo, press, telegramCalls, toPayment, untilListed } = require('../support/mini_app.js');
const { SETTINGS } = require('../support/fura.js');
const { until } = require('../support/client.js');

const GROUP = SETTINGS.TELEGRAM_RESPONSES_CHAT_ID;
const MINUTE_MS = 60000;
let copy;
let product;
let app;

before(async () => {
  copy = new AppCopy();
  product = await Product.start({ root: copy.root, env: { FURA_RATE_LIMITS: 'off' } });
  app = await MiniApp.start(product);
});
after(async () => {
  await app?.close();
  await product?.stop();
  copy?.close();
});

const messages = (chat) => product.simulators.telegram.chats.get(String(chat)) ?? [];

/** The dispatcher presses a button under the message about this driver's response to this cargo. */
async function decide(driver, cargo, button) {
  const message = await until(() => messages(GROUP).find((one) => one.text.includes(cargo) && one.text.includes(driver.id)), { what: 'the message' });
  await product.control('telegram').post('press', { chat_id: Number(GROUP), message_id: message.message_id, button });
}

async function withAccess(driver) {
  const client = await product.login(driver);
  await product.buyAccess(client);
  return client;
}

/** Answered before the app is opened, which ends this session: the first so many cargos of the list. */
async function respond(driver, count) {
  const client = await withAccess(driver);
  const { json } = await client.get('/api/v1/cargos?mode=my');
  const ids = json.cards.slice(0, count).map((card) => card.id);
  for (const id of ids) assert.equal((await client.post('/api/v1/responses', { cargo_id: id, name: 'Иван' })).status, 202);
  return ids;
}

const untilAccepted = (driver, count) => until(async () => (await product.postgres.value(
  `SELECT count(*) FROM responses WHERE driver_id = ${driver.id} AND status = 'accepted'`)) === String(count), { what: 'the decision' });

/** The response form of the first cargo, for somebody with access. */
async function openForm(driver, options) {
  await withAccess(driver);
  const page = await app.open({ driver, ...options });
  await untilListed(page);
  await openCargo(page);
  await press(page, 'MainButton');
  return page;
}

/** The page's clock is ours from here on: timers run when the test says so. */
async function openWithClock(driver) {
  const page = await app.open({ driver, path: '/livez' });
  await page.clock.install();
  await page.goto(`${product.client.url}/#tgWebAppData=${encodeURIComponent(product.initData(driver))}&tgWebAppPlatform=android`);
  await untilListed(page);
  page.asked = [];
  page.on('request', (request) => page.asked.push(new URL(request.url()).pathname));
  return page;
}

/** Another app comes over ours, or ours comes back: by the browser's word, or by Telegram's. */
const WAYS = {
  'the page is hidden': {
    leave: (page) => page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
      document.dispatchEvent(new Event('visibilitychange'));
    }),
    come: (page) => page.evaluate(() => {
      delete document.hidden;
      document.dispatchEvent(new Event('visibilitychange'));
    }),
  },
  'Telegram is minimised': {
    leave: (page) => page.evaluate(() => window.telegramEmit('deactivated')),
    come: (page) => page.evaluate(() => window.telegramEmit('activated')),
  },
};

let lastId = 1600;
for (const [name, { leave, come }] of Object.entries(WAYS)) {
  test(`while ${name} nobody asks about a payment; back again the result comes at once`, async () => {
    const page = await openWithClock({ id: ++lastId });
    const id = await toPayment(page);
    await leave(page);
    page.asked.length = 0;
    await page.clock.runFor(5 * MINUTE_MS);
    assert.deepEqual(page.asked, []);
    await product.control('yookassa').post('pay', { id });
    await until(async () => (await product.postgres.value(`SELECT status FROM payments WHERE driver_id = ${lastId}`)) === 'succeeded', { what: 'the payment' });
    await come(page);
    await page.waitForSelector('#pay-screen .mark.ok');
    await page.context().close();
  });

  test(`while ${name} nobody asks about a response or prices; back again the answer comes at once`, async () => {
    const driver = { id: ++lastId, first_name: 'Иван' };
    const [cargo] = await respond(driver, 1);
    const page = await openWithClock(driver);
    await openCargo(page, page.locator(`#cargo-card-${cargo}`));
    await page.waitForSelector('#resp .badge');
    await leave(page);
    page.asked.length = 0;
    await page.clock.runFor(5 * MINUTE_MS);
    assert.deepEqual(page.asked, []);
    await decide(driver, cargo, 'Принять');
    await untilAccepted(driver, 1);
    await come(page);
    await page.waitForSelector('#resp .badge.ok');
    await page.context().close();
  });
}

test('an answer that is refused while the app asks by itself leaves the screen as it is, and is asked for again', async () => {
  const driver = { id: ++lastId, first_name: 'Иван' };
  const [cargo] = await respond(driver, 1);
  const page = await openWithClock(driver);
  await openCargo(page, page.locator(`#cargo-card-${cargo}`));
  await page.waitForSelector('#resp .badge');
  await page.route(`**/api/v1/cargos/${cargo}`, (route) => route.fulfill({
    status: 503, contentType: 'text/html; charset=utf-8', headers: { 'HX-Retarget': '#sheet', 'HX-Reswap': 'innerHTML' }, body: '<p>broken</p>',
  }));
  const refused = page.waitForResponse((answer) => answer.status() === 503);
  await page.clock.runFor(MINUTE_MS / 2);
  await refused;
  await page.unroute(`**/api/v1/cargos/${cargo}`);
  assert.equal(await page.locator('#sheet .route').count(), 1);
  const again = page.waitForResponse((answer) => answer.status() === 200 && answer.url().endsWith(cargo));
  await page.clock.runFor(MINUTE_MS / 2);
  await again;
  await page.context().close();
});

test('the number at «Отклики» counts answers since the list was last opened', async () => {
  const driver = { id: ++lastId, first_name: 'Иван' };
  const ids = await respond(driver, 3);
  await decide(driver, ids[0], 'Принять');
  await decide(driver, ids[1], 'Отклонить');
  const page = await app.open({ driver });
  await untilListed(page);
  const badge = page.locator('#response-count');
  const shows = (text) => page.waitForFunction((wanted) => document.querySelector('#response-count').textContent === wanted, text);
  await shows('2 новых ответа');
  await page.click('[data-act=root][data-root=responses]');
  await page.waitForSelector('.resp-card .badge.ok');
  await page.waitForSelector('#response-count', { state: 'hidden' });
  await page.click('[data-act=root][data-root=cargos]');
  await decide(driver, ids[2], 'Принять');
  await untilAccepted(driver, 2);
  await page.evaluate(() => window.telegramEmit('activated'));
  await shows('1 новый ответ');
  assert.equal(await badge.isVisible(), true);
  await page.reload();
  await untilListed(page);
  await shows('1 новый ответ');
  await page.context().close();
});

test('before the first response Telegram is asked for the right to write and for the number, once', async () => {
  const page = await openForm({ id: ++lastId, first_name: 'Иван' }, { telegram: { contact: { phone_number: '79998887766' } } });
  await page.waitForFunction(() => document.querySelector('#resp [name=phone]').value === '+79998887766');
  assert.equal((await telegramCalls(page, 'requestWriteAccess')).length, 1);
  await press(page, 'BackButton');
  await press(page, 'MainButton');
  await page.waitForSelector('#resp-title');
  assert.equal((await telegramCalls(page, 'requestContact')).length, 1);
  await press(page, 'MainButton');
  await page.waitForSelector('#resp .badge');
  await press(page, 'BackButton');
  await openCargo(page, cards(page).nth(1));
  await page.waitForSelector('#resp button.send');
  assert.match(await page.locator('#resp .link').textContent(), /^Отклик от: Иван, \+7/);
  await page.context().close();
});

test('who refuses to give a number may leave it out, and is not asked again', async () => {
  const page = await openForm({ id: ++lastId, first_name: 'Иван' });
  await page.waitForSelector('#resp-title');
  await press(page, 'MainButton');
  await page.waitForSelector('#resp .badge');
  await press(page, 'BackButton');
  await openCargo(page, cards(page).nth(1));
  assert.equal(await page.locator('#resp .link').textContent(), 'Отклик от: Иван · Изменить');
  await page.context().close();
});

test('a name half typed is there again after a reload, and Telegram asks before it closes the app', async () => {
  const page = await openForm({ id: ++lastId, first_name: 'Иван' });
  await page.fill('#resp [name=name]', 'Иван Петров');
  assert.ok((await telegramCalls(page, 'enableClosingConfirmation')).length > 0);
  await page.reload();
  await untilListed(page);
  await openCargo(page);
  await press(page, 'MainButton');
  assert.equal(await page.locator('#resp [name=name]').inputValue(), 'Иван Петров');
  assert.equal((await telegramCalls(page, 'disableClosingConfirmation')).length, 0);
  await press(page, 'MainButton');
  await page.waitForSelector('#resp .badge');
  assert.ok((await telegramCalls(page, 'disableClosingConfirmation')).length > 0);
  await page.context().close();
});

test('access that ended meanwhile shows the lock instead of a refusal', async () => {
  const page = await openForm({ id: ++lastId, first_name: 'Иван' });
  await page.waitForSelector('#resp-title');
  await page.route('**/api/v1/responses', (route) => route.fulfill({ status: 402, contentType: 'text/html; charset=utf-8',
    headers: { 'HX-Retarget': '#resp-problem', 'HX-Reswap': 'innerHTML' }, body: 'Нужна подписка.' }));
  const reloaded = page.waitForResponse((answer) => /\/api\/v1\/cargos\/\d+$/.test(answer.url()));
  await press(page, 'MainButton');
  await reloaded;
  await page.waitForFunction(() => document.querySelector('#sheet-box').dataset.step === '');
  await page.context().close();
});

test('the bot\'s button behind «/start cargo_…» opens that cargo', async () => {
  const driver = { id: ++lastId };
  const client = await product.login(driver);
  const { json: list } = await client.get('/api/v1/cargos?mode=my');
  const message = { message_id: 1, date: 1, chat: { id: driver.id, type: 'private' }, from: { id: driver.id, is_bot: false, first_name: 'Иван' },
    text: `/start cargo_${list.cards[4].id}` };
  await product.client.post('/webhooks/telegram', { update_id: 1, message }, { 'x-telegram-bot-api-secret-token': SETTINGS.TELEGRAM_WEBHOOK_SECRET });
  const [greeting] = await until(() => messages(driver.id).length && messages(driver.id), { what: 'the greeting' });
  const { url } = greeting.reply_markup.inline_keyboard[0][0].web_app;
  const page = await app.open({ driver, path: `/${new URL(url).search}` });
  await page.waitForSelector('#sheet .route');
  assert.match(await page.locator('#sheet-title').textContent(), new RegExp(list.cards[4].id));
  await page.context().close();
});

/** Use these plugins from now on. */
async function use(plugins) {
  copy.configure(plugins);
  const end = await product.fura.command('reload');
  assert.equal(end.code, 0, end.output);
}

/** Nothing that asks this comes through, until the page is told otherwise: a tunnel, a dead mast. */
const cutOff = (page, what) => page.route(what, (route) => route.abort());

test('a sign-in that got no answer says so and is tried again, by a touch or by itself', async () => {
  const driver = { id: ++lastId };
  const page = await app.open({ driver, path: '/livez' });
  await page.clock.install();
  await cutOff(page, '**/api/v1/auth/telegram');
  const url = `${product.client.url}/#tgWebAppData=${encodeURIComponent(product.initData(driver))}&tgWebAppPlatform=android`;
  await page.goto(url);
  await page.waitForSelector('.problem .main');
  assert.match(await page.locator('.problem').textContent(), /Сервер не ответил\. Нажмите ещё раз\./);
  await page.locator('.problem .main').click();
  await page.waitForSelector('.problem .main');
  await page.unroute('**/api/v1/auth/telegram');
  await page.clock.runFor(20000);
  await untilListed(page);
  await page.context().close();
});

test('a cargo, the responses and the subscription that got no answer each offer to ask again', async () => {
  const page = await app.open({ driver: { id: ++lastId } });
  await untilListed(page);
  const detail = /\/api\/v1\/cargos\/\d+$/;
  await cutOff(page, detail);
  await cards(page).first().locator('a.cover').click();
  await page.waitForSelector('#sheet .problem .main');
  assert.match(await page.locator('#sheet-title').textContent(), /₽/, 'what the card knew stays');
  await page.unroute(detail);
  await page.click('#sheet .problem .main');
  await page.waitForSelector('#sheet .route');
  await press(page, 'BackButton');
  await cutOff(page, '**/api/v1/paywall');
  await page.click('.bar a');
  await page.waitForSelector('#step .problem .main');
  await page.unroute('**/api/v1/paywall');
  await page.click('#step .problem .main');
  await page.waitForSelector('.tariff');
  await press(page, 'BackButton');
  await cutOff(page, '**/api/v1/responses');
  await page.click('[data-act=root][data-root=responses]');
  await page.waitForSelector('#responses .problem .main');
  await page.unroute('**/api/v1/responses');
  await page.click('#responses .problem .main');
  await page.waitForSelector('#responses .empty');
  await page.context().close();
});

test('what was asked for without a connection is there when the connection is back', async () => {
  const page = await app.open({ driver: { id: ++lastId } });
  await untilListed(page);
  await page.context().setOffline(true);
  await page.waitForSelector('#offline:not([hidden])');
  await page.locator('.mode', { hasText: 'Все грузы' }).click();
  await page.click('[data-act=root][data-root=responses]');
  await page.waitForSelector('#responses .problem');
  const [listed] = await Promise.all([
    page.waitForResponse((answer) => new URL(answer.url()).pathname === '/api/v1/cargos'),
    page.context().setOffline(false),
  ]);
  assert.equal(new URL(listed.url()).searchParams.get('mode'), 'all');
  await page.waitForSelector('#responses .empty');
  await page.waitForSelector('#offline', { state: 'hidden' });
  await page.click('[data-act=root][data-root=cargos]');
  await untilListed(page);
  await page.context().close();
});

test('filters chosen but not sent take nothing away from the list that is shown', async () => {
  const page = await app.open({ driver: { id: ++lastId } });
  await untilListed(page);
  await page.click('.bar [data-open=filters]');
  await page.fill('#filters [name=start_date]', '2031-01-01');
  await press(page, 'BackButton');
  const [prices] = await Promise.all([
    page.waitForResponse((answer) => new URL(answer.url()).pathname === '/api/v1/cargos/prices'),
    page.evaluate(() => window.telegramEmit('activated')),
  ]);
  assert.equal(new URL(prices.url()).searchParams.get('start_date'), null);
  assert.match(await prices.text(), /cargo-price-/);
  assert.doesNotMatch(await prices.text(), /Уже забрали/);
  await page.context().close();
});

test('reset forgets every filter, those of «Ещё» too; one’s own weight is shown again as it was typed', async () => {
  const page = await app.open({ driver: { id: ++lastId } });
  await untilListed(page);
  await page.click('.bar [data-open=filters]');
  await page.click('#filters summary');
  const rare = { price: '9999999', price_per_km: '1000', distance: '10' };
  for (const [name, value] of Object.entries(rare)) await page.fill(`[data-range=${name}]`, value);
  await page.fill('[data-own=weight]', '15,5');
  await page.fill('[data-own=volume]', '70');
  await page.fill('[name=owner_company]', '7712345678');
  await page.evaluate(() => document.activeElement.blur());
  await press(page, 'MainButton');
  await page.waitForSelector('#results .empty');
  assert.equal(await page.locator('#filter-chips .chip').count(), 5);
  await page.reload();
  await page.waitForSelector('#results .empty');
  assert.equal(await page.locator('[data-own=weight]').inputValue(), '15,5');
  await page.click('[data-act=reset-apply]');
  await untilListed(page);
  assert.equal(await page.locator('#filter-chips .chip').count(), 0);
  for (const name of Object.keys(rare)) assert.equal(await page.locator(`[data-range=${name}]`).inputValue(), '');
  await page.context().close();
});

test('a wrong filter is told where one looks, however far its field is', async () => {
  const page = await app.open({ driver: { id: ++lastId }, width: 320, height: 568 });
  await untilListed(page);
  await page.click('.bar [data-open=filters]');
  await page.click('#filters summary');
  await page.fill('[name=owner_company]', '123');
  await page.evaluate(() => { document.activeElement.blur(); document.querySelector('#filters-box').scrollTop = 0; });
  await press(page, 'MainButton');
  await page.waitForFunction(() => document.querySelector('#filters-problem').textContent.trim() !== '');
  assert.match(await page.locator('#filters-problem').textContent(), /Проверьте фильтры\. ИНН: 10 или 12 цифр\./);
  const box = await page.locator('#filters-problem').boundingBox();
  assert.ok(box.y > 0 && box.y + box.height <= 568, JSON.stringify(box));
  assert.equal(await page.locator('#err-owner_company').textContent(), 'ИНН: 10 или 12 цифр.');
  await page.context().close();
});

test('a cargo found gone on opening is marked in the list, in words; so is one that was answered', async () => {
  const driver = { id: ++lastId, first_name: 'Иван' };
  const [answered, other] = (await (await product.login(driver)).get('/api/v1/cargos?mode=my')).json.cards.slice(6);
  await product.postgres.query(`INSERT INTO responses (driver_id, cargo_id, code, cargo, status)
    VALUES (${driver.id}, ${answered.id}, '${String(answered.id).padStart(20, '0')}', '${JSON.stringify(answered)}', 'queued')`);
  await product.control('cargotech').post('vanish', { ids: [Number(answered.id), Number(other.id)] });
  const page = await app.open({ driver });
  await untilListed(page);
  for (const { id } of [answered, other]) {
    await page.locator(`#cargo-card-${id} a.cover`).click();
    await page.waitForFunction(() => /уже забрали/.test(document.querySelector('#sheet').textContent));
    await press(page, 'BackButton');
    await page.locator(`#cargo-card-${id}.gone`, { hasText: 'Уже забрали' }).waitFor();
  }
  await page.context().close();
});

test('more cargos come at once when asked for while prices are on their way', async () => {
  const page = await app.open({ driver: { id: ++lastId } });
  await untilListed(page);
  const asked = new Promise((resolve) => { page.route('**/api/v1/cargos/prices*', resolve); }); // and never answered
  await page.evaluate(() => window.telegramEmit('activated'));
  await asked;
  await page.locator('#load-more .more').click();
  await page.waitForFunction(() => document.querySelectorAll('#cargo-cards>.card').length > 30);
  await page.context().close();
});

test('a city left by the arrow counts when its name is exact, else one is asked to pick', async () => {
  const page = await app.open({ driver: { id: ++lastId } });
  await untilListed(page);
  await page.click('.bar [data-open=filters]');
  const leave = async (typed, answer) => {
    await page.fill('#start-city', '');
    await page.locator('#start-city').pressSequentially(typed);
    await page.waitForFunction((said) => document.querySelector('#start-status').textContent.startsWith(said), answer);
    await page.tap('[data-city=start] .back');
  };
  await leave('москва', 'Найдено');
  assert.equal(await page.locator('#filters [name=start_point_id]').inputValue(), '62');
  await leave('моск', 'Найдено');
  assert.equal(await page.locator('#start-status').textContent(), 'Выберите город из списка');
  assert.equal(await page.locator('#filters [name=start_point_id]').inputValue(), '');
  await page.context().close();
});

for (const [device, tap] of [['a finger', (button) => button.tap()], ['a mouse', (button) => button.click({ delay: 60 })]]) {
  test(`the cross of a city empties it with ${device}; in the open field one can type on`, async () => {
    const page = await app.open({ driver: { id: ++lastId } });
    await untilListed(page);
    await page.click('.bar [data-open=filters]');
    const choose = async () => {
      await page.locator('#start-city').pressSequentially('моск');
      await page.locator('#start-cities [role=option]', { hasText: /^Москва ·/ }).waitFor();
    };
    await choose();
    await page.locator('#start-cities [role=option]').first().click();
    assert.equal(await page.locator('#filters [name=start_point_id]').inputValue(), '62');
    await tap(page.locator('[data-city=start] .clear'));
    assert.equal(await page.locator('#filters [name=start_point_id]').inputValue(), '');
    assert.equal(await page.locator('#start-city').inputValue(), '');
    await choose();
    await tap(page.locator('[data-city=start] .clear'));
    assert.equal(await page.evaluate(() => document.activeElement.id), 'start-city');
    await choose();
    await page.context().close();
  });
}

// The last one: what is left of the pages would meet closed doors.
test('maintenance: the open app gives way at the next touch, pages say when it is over, and both come back by themselves', async () => {
  const driver = { id: ++lastId };
  const page = await openWithClock(driver);
  await openCargo(page);
  await use('{ maintenance = { back_at = "15:30", retry_after_s = 120 } }');
  try {
    const api = await product.client.get('/api/v1/tariffs');
    assert.equal(api.status, 503);
    assert.equal(api.json.code, 'maintenance');
    assert.equal(api.json.detail, 'Чиним. Вернёмся к 15:30.');
    assert.equal(api.headers['retry-after'], '120');
    const ticked = page.waitForResponse((answer) => answer.status() === 503);
    await press(page, 'BackButton');
    await page.clock.runFor(MINUTE_MS);
    await ticked;
    assert.ok(await cards(page).count() > 0, 'what was asked by itself takes nothing away');
    await cards(page).nth(1).locator('a.cover').click();
    await page.waitForSelector('main.edge');
    assert.equal(await page.locator('.edge [role=status]').textContent(), 'Чиним. Вернёмся к 15:30.');
    assert.equal(await page.locator('dialog[open]').count(), 0);
    const other = await app.open({ driver: { id: ++lastId, language_code: 'en' }, device: { locale: 'en-GB' } });
    assert.equal(await other.locator('.edge [role=status]').textContent(), 'Repairs, back at 15:30.');
    assert.equal(await other.evaluate(() => document.documentElement.dataset.scheme), 'light');
    await other.context().close();
  } finally {
    await use('{}');
  }
  await page.clock.runFor(2 * MINUTE_MS);
  await untilListed(page);
  await page.context().close();
});
