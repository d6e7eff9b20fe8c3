'use strict';
// A driver's way through the Mini App, from Telegram's door to the dispatcher's answer.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const path = require('node:path');
const { Product } = require('../support/product.js');
const { MiniApp, cards, cargoId, openCargo, press, telegramCalls, untilListed } = require('../support/mini_app.js');
const { SETTINGS } = require('../support/fura.js');
const { until } = require('../support/client.js');

const GROUP = SETTINGS.TELEGRAM_RESPONSES_CHAT_ID;
let product;
let app;

before(async () => {
  product = await Product.start({ env: { FURA_RATE_LIMITS: 'off', FURA_DEV_LOGIN: 'on' }, conf: path.join(__dirname, 'conf/short_lives.lua') });
  app = await MiniApp.start(product);
});
after(async () => {
  await app?.close();
  await product?.stop();
});

/** Revocation reaches every worker within a second. */
const untilRefused = (client) => until(async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, () => client.get('/api/v1/me')));
  return answers.every((answer) => answer.status === 401);
}, { what: 'the token refused by all workers' });
const tokenOf = async (page) => (await page.context().cookies()).find((one) => one.name === 'fura_session').value;
const messages = (chat) => product.simulators.telegram.chats.get(String(chat)) ?? [];
const mainText = (page, text) => page.waitForFunction((wanted) => {
  const { isVisible, text: shown } = window.Telegram.WebApp.MainButton;
  return isVisible && shown === wanted;
}, text);

test('opening the app in Telegram signs the driver in and shows the cargos', async () => {
  const page = await app.open({ driver: { id: 701 } });
  await untilListed(page);
  assert.equal(await cards(page).count(), 20);
  assert.equal(await page.locator('#app').getAttribute('data-driver'), '701');
  await page.waitForFunction(() => window.telegramCalls.some((call) => call.name === 'ready'));
  assert.equal((await telegramCalls(page, 'disableVerticalSwipes')).length, 1);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test('a returning driver has the list in the first HTML, with the filters of last time', async () => {
  const page = await app.open({ driver: { id: 702 } });
  await untilListed(page);
  await page.locator('.mode', { hasText: 'Все грузы' }).click();
  await page.waitForFunction(() => document.querySelector('#results:not([aria-busy])'));
  const client = product.client.as(await tokenOf(page));
  await until(async () => (await client.get('/api/v1/me')).json.filters.mode === 'all', { what: 'remembered filters' });
  await page.reload();
  assert.equal(await page.locator('[name=mode][value=all]').isChecked(), true);
  assert.ok(await cards(page).count() > 0);
  await page.context().close();
});

test('the city is found and chosen with the keyboard alone, and its chip narrows the list', async () => {
  const page = await app.open({ driver: { id: 703 }, device: { hasTouch: false, isMobile: false } });
  await untilListed(page);
  await page.locator('.bar [data-open=filters]').focus();
  await page.keyboard.press('Enter');
  await page.waitForSelector('#filters-box[open]');
  while (!(await page.evaluate(() => document.activeElement.id === 'start-city'))) await page.keyboard.press('Tab');
  await page.keyboard.type('моск');
  await page.waitForSelector('#start-cities [role=option]');
  assert.equal(await page.locator('#start-city').getAttribute('aria-expanded'), 'true');
  assert.match(await page.locator('#start-status').textContent(), /^Найдено \d+$/);
  await page.keyboard.press('ArrowDown');
  const active = await page.locator('#start-city').getAttribute('aria-activedescendant');
  assert.equal(await page.locator(`#${active}`).getAttribute('aria-selected'), 'true');
  await page.keyboard.press('Enter');
  assert.equal(await page.locator('#start-city').inputValue(), 'Москва');
  assert.equal(await page.locator('#filters [name=start_point_id]').inputValue(), '62');
  await page.locator('#filters .sheet-foot .main').focus();
  await page.keyboard.press('Enter');
  await page.waitForSelector('#filter-chips .chip');
  assert.match(await page.locator('#filter-chips .chip').first().textContent(), /Москва/);
  assert.equal(await page.locator('#filters-box').evaluate((dialog) => dialog.open), false);
  await page.context().close();
});

test('scrolling loads three pages by itself, then asks, and comes to an end without repeats', async () => {
  const page = await app.open({ driver: { id: 704 } });
  await untilListed(page);
  const total = Number((await page.locator('#cargo-count .num').textContent()).match(/из (\d+)/)[1]);
  const loaded = async () => cards(page).count();
  for (const expected of [40, 60, 80]) {
    await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
    await page.waitForFunction((count) => document.querySelectorAll('#cargo-cards>.card').length >= count - 5, expected);
  }
  await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
  assert.match(await page.locator('#load-more .more').textContent(), /^Показать ещё \d+$/);
  for (let presses = 0; await page.locator('#load-more .more').count() > 0; presses += 1) {
    assert.ok(presses < 30, 'the list has an end');
    const before_ = await page.locator('#load-more .more').getAttribute('hx-get');
    await page.locator('#load-more .more').click();
    await page.waitForFunction((old) => document.querySelector('#load-more .more')?.getAttribute('hx-get') !== old, before_);
  }
  assert.match(await page.locator('#load-more').textContent(), /Это все грузы по вашим фильтрам/);
  const ids = await cards(page).evaluateAll((all) => all.map((card) => card.id));
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.length > total * 0.9, `${ids.length} of ${total}`);
  assert.ok(await loaded() > 80);
  await page.context().close();
});

test('without access the detail is open, the contact is locked and names its price; Back returns to the card', async () => {
  const page = await app.open({ driver: { id: 705 } });
  await untilListed(page);
  await openCargo(page, cards(page).nth(2));
  assert.match(await page.locator('.locked').textContent(), /499 ₽ за 30 дней/);
  assert.match(await page.locator('#sheet .rate .vh').textContent(), /\d рубл[ьяе]й? за километр, \d+ километр/);
  assert.equal(await page.locator('#sheet a[href^="tel:"]').count(), 0);
  await mainText(page, 'Открыть контакт и отклик');
  await press(page, 'MainButton');
  await page.waitForSelector('#step .tariff');
  await mainText(page, 'Оплатить 499 ₽');
  await page.locator('.tariff', { hasText: '3 месяца' }).click();
  await mainText(page, 'Оплатить 1 299 ₽');
  await press(page, 'BackButton');
  await page.waitForFunction(() => document.activeElement.id === 'sheet-title');
  await press(page, 'BackButton');
  await page.waitForFunction(() => !document.querySelector('#sheet-box').open);
  const focused = await page.evaluate(() => document.activeElement.closest('.card')?.id);
  assert.equal(focused, await cards(page).nth(2).getAttribute('id'));
  assert.equal(await page.evaluate(() => window.Telegram.WebApp.BackButton.isVisible), false);
  await page.context().close();
});

test('a payment opens the shop in the same tap and turns paid by itself; then the contact is open', async () => {
  const page = await app.open({ driver: { id: 706, first_name: 'Иван' } });
  await untilListed(page);
  await openCargo(page);
  await press(page, 'MainButton');
  await mainText(page, 'Оплатить 499 ₽');
  await press(page, 'MainButton');
  await page.waitForSelector('#pay-state');
  const [opened] = await until(async () => {
    const calls = await telegramCalls(page, 'openLink');
    return calls.length && calls;
  }, { what: 'openLink' });
  const id = new URL(opened.args[0]).pathname.split('/').pop();
  await product.control('yookassa').post('pay', { id });
  await page.waitForSelector('#pay-screen .mark.ok', { timeout: 20000 });
  assert.match(await page.locator('#pay-screen .title').textContent(), /^Оплачено\. Подписка до \d+ /);
  await press(page, 'BackButton');
  await page.waitForSelector('#sheet a[href^="tel:"]');
  await page.context().close();
});

test('a response goes out once and turns accepted after the dispatcher presses «Принять»', async () => {
  const driver = { id: 707, first_name: 'Иван' };
  await product.buyAccess(await product.login(driver));
  const page = await app.open({ driver });
  await untilListed(page);
  const id = await cargoId(cards(page).nth(1));
  await openCargo(page, cards(page).nth(1));
  await mainText(page, 'Откликнуться');
  await press(page, 'MainButton');
  await page.fill('#resp [name=name]', 'Иван');
  await page.fill('#resp [name=phone]', '12');
  await page.evaluate(() => document.activeElement.blur());
  await mainText(page, 'Отправить отклик');
  await press(page, 'MainButton');
  await page.waitForFunction(() => /\+7 и ещё 10 цифр/.test(document.querySelector('#resp-problem').textContent));
  assert.equal(await page.locator('#resp [name=name]').inputValue(), 'Иван');
  await page.fill('#resp [name=phone]', '8 999 888-77-66');
  await page.evaluate(() => document.activeElement.blur());
  await press(page, 'MainButton');
  await page.waitForSelector('#resp .badge');
  assert.match(await page.locator('#resp .badge').textContent(), /Отправляется|Отправлен/);
  const message = await until(() => messages(GROUP).find((one) => one.text.includes(id) && one.text.includes('707')), { what: 'the message' });
  await product.control('telegram').post('press', { chat_id: Number(GROUP), message_id: message.message_id, button: 'Принять' });
  await page.waitForFunction(() => /Принят/.test(document.querySelector('#resp .badge').textContent), undefined, { timeout: 30000 });
  await page.waitForFunction((card) => /Принят/.test(document.querySelector(`#card-resp-${card}`).textContent), id);
  await press(page, 'BackButton');
  await page.click('[data-act=root][data-root=responses]');
  await page.waitForSelector('.resp-card .badge.ok');
  assert.equal(messages(GROUP).filter((one) => one.text.includes('707')).length, 1);
  await page.context().close();
});

test('a response that the server could not take says so, keeps what was typed, and goes out when pressed again', async () => {
  const driver = { id: 721, first_name: 'Иван' };
  await product.buyAccess(await product.login(driver));
  const page = await app.open({ driver });
  await untilListed(page);
  await openCargo(page);
  await press(page, 'MainButton');
  await page.fill('#resp [name=name]', 'Пётр');
  await page.evaluate(() => document.activeElement.blur());
  await product.postgres.query('ALTER TABLE responses RENAME TO responses_away');
  try {
    await press(page, 'MainButton');
    await page.waitForFunction(() => document.querySelector('#resp-problem').textContent.trim() === 'Не отправлено: сервер не ответил. Нажмите ещё раз.');
  } finally {
    await product.postgres.query('ALTER TABLE responses_away RENAME TO responses');
  }
  assert.equal(await page.locator('#resp [name=name]').inputValue(), 'Пётр');
  await press(page, 'MainButton');
  await page.waitForSelector('#resp .badge');
  await page.context().close();
});

test('when the gateway is away the driver reads so, and another tariff can be paid on the same screen', async () => {
  const page = await app.open({ driver: { id: 717 }, path: '/paywall' });
  await page.waitForSelector('.tariff');
  await product.control('yookassa').post('misbehave', { match: { method: 'POST', path: '/v3/payments' }, times: 2, action: 'status', status: 500 });
  await press(page, 'MainButton');
  await page.waitForFunction(() => document.querySelector('#pay-problem').textContent.trim() !== '');
  await page.click('.tariff:has([value="3_months"])');
  await press(page, 'MainButton');
  await page.waitForSelector('#pay-state', { timeout: 30000 });
  assert.match(await page.locator('#pay-state').textContent(), /1 299 ₽/);
  await page.context().close();
});

test('a promo code adds its days and opens the access key, a wrong one says what is wrong and stays in the field', async () => {
  await product.postgres.query(`INSERT INTO promo_codes (code, action, days, max_uses, valid_from, valid_until)
    VALUES ('MONTH30', 'extend_30', 30, 1, now() - interval '1 hour', now() + interval '1 day')`);
  const page = await app.open({ driver: { id: 708 }, path: '/paywall' });
  await page.waitForSelector('.tariff');
  await page.fill('#promo-code', 'nosuchcode');
  await page.click('#promo button');
  await page.waitForFunction(() => document.querySelector('#promo-problem').textContent.trim() !== '');
  assert.match(await page.locator('#promo-problem').textContent(), /Такого промокода нет/);
  assert.equal(await page.locator('#promo-code').inputValue(), 'nosuchcode');
  assert.equal(await page.locator('.key').count(), 0);
  await page.fill('#promo-code', 'month30');
  await page.click('#promo button');
  await page.waitForSelector('#promo[data-changed]');
  assert.match(await page.locator('#promo').textContent(), /Добавили 30 дней\. Подписка до \d+ /);
  assert.match(await page.locator('#access').textContent(), /осталось 30 дней/);
  await page.click('.key summary');
  await page.click('#access-key button');
  await page.waitForSelector('.key-text');
  await page.context().close();
});

test('an expired session is renewed silently and the request is repeated once', async () => {
  const driver = { id: 709 };
  const page = await app.open({ driver });
  await untilListed(page);
  const session = product.client.as(await tokenOf(page));
  await session.post('/api/v1/auth/logout', {});
  await untilRefused(session);
  const statuses = [];
  page.on('response', (answer) => statuses.push(`${answer.status()} ${new URL(answer.url()).pathname}`));
  await openCargo(page);
  assert.equal(statuses.filter((one) => one === '200 /api/v1/auth/telegram').length, 1);
  assert.ok(statuses.some((one) => one.startsWith('401 /api/v1/cargos/')));
  await page.context().close();
});

test('a login on another device is told, and «Продолжить здесь» takes the session back', async () => {
  const driver = { id: 710 };
  const page = await app.open({ driver });
  await untilListed(page);
  const session = product.client.as(await tokenOf(page));
  await product.login(driver);
  await untilRefused(session);
  await page.click('.refresh');
  await page.waitForSelector('.edge h1');
  assert.equal(await page.locator('.edge h1').textContent(), 'Вы вошли на другом устройстве');
  await page.click('[data-act=login]');
  await untilListed(page);
  await page.context().close();
});

test('without a connection a strip says so and what needs it is off, until it is back', async () => {
  const page = await app.open({ driver: { id: 715 } });
  await untilListed(page);
  await page.context().setOffline(true);
  await page.waitForSelector('#offline:not([hidden])');
  assert.equal(await page.locator('.refresh').isDisabled(), true);
  assert.equal(await page.locator('.refresh').getAttribute('aria-describedby'), 'offline');
  const asked = new Promise((resolve) => { page.route('**/api/v1/cargos/prices*', resolve, { times: 1 }); });
  await page.context().setOffline(false);
  const prices = await asked;
  assert.equal(await page.locator('#offline').isVisible(), true, 'prices first, then the strip goes');
  await prices.continue();
  await page.waitForSelector('#offline', { state: 'hidden' });
  assert.equal(await page.locator('.refresh').isDisabled(), false);
  await page.context().close();
});

test('wrong filters are told at their fields and keep the sheet open', async () => {
  const page = await app.open({ driver: { id: 716 } });
  await untilListed(page);
  await page.click('.bar [data-open=filters]');
  await page.fill('[data-own=weight]', '5000');
  await page.fill('[data-own=volume]', '15,5');
  await page.evaluate(() => document.activeElement.blur());
  await press(page, 'MainButton');
  await page.waitForFunction(() => document.querySelector('#err-weight_volume').textContent === 'Вес от 0,1 до 1000 т.');
  assert.equal(await page.locator('#filters-box').evaluate((dialog) => dialog.open), true);
  assert.equal(await page.locator('[data-own=volume]').inputValue(), '15,5');
  await page.context().close();
});

test('on a wide screen filters stand beside the modes; chosen beside an open pane they show the list, with its bar and its marked card', async () => {
  const page = await app.open({ driver: { id: 719 }, width: 820, height: 900, device: { isMobile: false, hasTouch: false } });
  await untilListed(page);
  assert.equal(await page.locator('[data-open=filters]:visible').count(), 1);
  const [modes, filters] = await Promise.all(['.modes', '.top [data-open=filters]'].map((part) => page.locator(part).boundingBox()));
  assert.ok(filters.x > modes.x + modes.width && Math.abs(filters.y - modes.y) < 2, JSON.stringify({ modes, filters }));
  await openCargo(page, cards(page).nth(1));
  await page.click('.top [data-open=filters]');
  await page.waitForSelector('.types .chip');
  await press(page, 'BackButton');
  await page.waitForSelector('#filters-box', { state: 'hidden' });
  assert.equal(await page.locator('.card.selected').count(), 1);
  await page.click('.top [data-open=filters]');
  await page.click('[data-date]');
  await press(page, 'MainButton');
  await page.waitForSelector('#filter-chips .chip');
  assert.equal(await page.locator('.top .filter-count').textContent(), '1');
  assert.equal(await page.locator('#results').isVisible(), true);
  assert.equal(await page.locator('.bar').isVisible(), true);
  assert.equal(await page.locator('#sheet .route').isVisible(), true);
  await page.context().close();
});

test('filters chosen at «Отклики» lead back to the list', async () => {
  const page = await app.open({ driver: { id: 720 } });
  await untilListed(page);
  await page.click('[data-act=root][data-root=responses]');
  await page.waitForSelector('#responses .empty');
  await page.click('.bar [data-open=filters]');
  await page.click('[data-date]');
  await press(page, 'MainButton');
  await page.waitForSelector('#filter-chips .chip');
  assert.equal(await page.locator('#results').isVisible(), true);
  assert.equal(await page.locator('.bar .filter-count').textContent(), '1');
  await page.context().close();
});

test('outside of Telegram the page says where to open it', async () => {
  const page = await app.openOutside();
  await page.waitForSelector('.edge h1');
  assert.equal(await page.locator('.edge h1').textContent(), 'Откройте в Telegram');
  assert.match(await page.locator('.edge a.main').getAttribute('href'), /^https:\/\/t\.me\//);
  await page.context().close();
});

test('in development anyone on this machine may sign in as a driver', async () => {
  const page = await app.openOutside();
  await page.waitForSelector('.edge h1');
  await page.fill('#dev-id', '717');
  await page.click('#dev-login button');
  await untilListed(page);
  assert.equal(await page.locator('#app').getAttribute('data-driver'), '717');
  assert.equal(await page.locator('#dev-login').count(), 0);
  await openCargo(page);
  await page.locator('#sheet [data-main]').click();
  await page.waitForSelector('#step .tariff');
  await page.keyboard.press('Escape');
  await page.waitForSelector('#sheet .route');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !document.querySelector('#sheet-box').open);
  await page.context().close();
});

test('a link to a cargo and the bot\'s «pay_…» open what they name', async () => {
  const driver = { id: 718 };
  const client = await product.login(driver);
  const { json: list } = await client.get('/api/v1/cargos?mode=my');
  const { json: payment } = await client.post('/api/v1/payments', { tariff: '1_month' });
  const linked = await app.open({ driver, path: `/?cargo=${list.cards[3].id}` });
  await linked.waitForSelector('#sheet .route');
  assert.match(await linked.locator('#sheet-title').textContent(), new RegExp(list.cards[3].id));
  await linked.context().close();
  const paying = await app.open({ driver, path: `/?payment=${payment.payment_id}` });
  await paying.waitForSelector('#pay-state');
  assert.match(await paying.locator('#pay-state').textContent(), /Ждём оплату 499 ₽/);
  await paying.context().close();
});

test('forged launch data is refused with one sentence', async () => {
  const page = await app.open({ driver: { id: 712 } });
  await untilListed(page);
  const broken = product.initData({ id: 713 }).replace(/hash=[0-9a-f]{4}/, 'hash=0000');
  await page.context().clearCookies();
  await page.goto('about:blank');
  await page.goto(`${product.client.url}/#tgWebAppData=${encodeURIComponent(broken)}&tgWebAppPlatform=android`);
  await page.waitForSelector('.edge');
  assert.match(await page.locator('.edge').textContent(), /Не удалось войти\. Закройте и откройте приложение заново\./);
  await page.context().close();
});

test('the app speaks English to those who read it', async () => {
  const page = await app.open({ driver: { id: 714, language_code: 'en' } });
  await untilListed(page);
  assert.equal(await page.locator('html').getAttribute('lang'), 'en');
  assert.match(await page.locator('.bar').textContent(), /Filters.*Cargo.*Responses.*Subscription/s);
  await page.context().close();
});

// The last one: it leaves the breaker of the feed open.
test('while the feed is down the stored list stays with its time; with nothing stored a retry is offered', async () => {
  const page = await app.open({ driver: { id: 711 } });
  await untilListed(page);
  const feed = product.control('cargotech');
  await feed.post('misbehave', { match: { path: '/v2/cargos/views*' }, times: 0, action: 'status', status: 503 });
  try {
    await until(async () => {
      await page.click('.refresh');
      await page.waitForSelector('#results:not([aria-busy])');
      return page.locator('#results .strip.warn').count();
    }, { what: 'the notice of a stale list' });
    assert.match(await page.locator('#results .strip.warn').textContent(), /Биржа не отвечает\. Грузы на \d\d:\d\d, часть могла уйти\./);
    assert.equal(await cards(page).count(), 20);
    await page.click('.bar [data-open=filters]');
    await page.fill('#filters [name=start_date]', '2031-01-01');
    await page.evaluate(() => document.activeElement.blur());
    await press(page, 'MainButton');
    await page.waitForSelector('#results.problem', { timeout: 20000 });
    assert.match(await page.locator('#results').textContent(), /Биржа грузов не отвечает\. Попробуем сами через 20 с/);
  } finally {
    await feed.post('reset');
  }
  await page.context().close();
});
