'use strict';
// An admin's day in a real browser: login with a one-time code, promo code, tariffs with preview, flag, refund, days,
// and the journal that shows all of it. Every page passes axe in both schemes on a laptop and on a phone.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { AxeBuilder } = require('@axe-core/playwright');
const { Browser } = require('../support/browser.js');
const { AppCopy } = require('../support/app_copy.js');
const { Product } = require('../support/product.js');
const { addAdmin, oneTimeCode } = require('../support/panel.js');

const LAPTOP = { viewport: { width: 1280, height: 800 }, hasTouch: false, isMobile: false };
const PHONE = { viewport: { width: 390, height: 844 } };

let app, product, browser, olga, payment, page, state;
before(async () => {
  app = new AppCopy();
  app.configure(`{ slow_requests = {}, cors = { origins = { "https://shop.example" } },
    webhook_out = { url = "http://127.0.0.1:9/in", secret = "0123456789abcdef", events = { "promo.applied" } } }`);
  [product, browser] = await Promise.all([Product.start({ root: app.root }), Browser.start()]);
  olga = await addAdmin(product.fura, 'olga', '--totp');
  const driver = await product.login({ id: 3001, first_name: 'Иван', last_name: 'Петров', username: 'ivan' });
  payment = await product.buyAccess(driver, '3_months');
  await product.postgres.query(`INSERT INTO outbox (kind, chat_key, payload, state, last_error)
    VALUES ('driver_message', '3001', '{"text": "Логист принял отклик"}', 'dead', 'Forbidden: bot was blocked by the user')`);
  page = await browser.open(`${product.client.url}/admin/payments`, {}, LAPTOP);
});
after(async () => {
  await browser?.close();
  await product?.stop();
  app?.close();
});

const visit = (path) => page.goto(product.client.url + path);
const text = (selector) => page.locator(selector).first().innerText();

test('login with a one-time code leads to the page that was asked for', async () => {
  assert.match(page.url(), /\/admin\/login\?next=/);
  await page.getByLabel('Логин').fill('olga');
  await page.getByLabel('Пароль').fill('wrong wrong wrong');
  await page.getByRole('button', { name: 'Войти' }).click();
  assert.match(await text('[role=alert]'), /не подошли/);
  assert.equal(await page.getByLabel('Логин').inputValue(), 'olga');
  page.problems.length = 0; // the browser reports the 401 above
  await page.getByLabel('Пароль').fill(olga.password);
  await page.getByLabel('Код из приложения').fill(oneTimeCode(olga.secret));
  await page.getByRole('button', { name: 'Войти' }).click();
  await page.waitForURL(/\/admin\/payments$/);
  assert.match(await text('main'), /1 299 ₽/);
  state = await page.context().storageState();
});

test('filters change the address and the rows without a new page, and Back undoes them', async () => {
  await page.locator('.filters summary').click();
  await page.getByLabel('Статус').selectOption('canceled');
  await page.getByRole('button', { name: 'Показать' }).click();
  await page.waitForURL(/status=canceled/);
  await page.getByText('По фильтру ничего нет').waitFor();
  await page.goBack();
  await page.getByText('1 299 ₽').first().waitFor();
});

test('a promo code is made and shown large', async () => {
  await visit('/admin/promo-codes');
  await page.getByText('Создать промокод').first().click();
  await page.getByLabel('Код (пусто — случайный)').fill('zima2026');
  await page.getByLabel('Действие').selectOption('extend_90');
  await page.getByLabel('По', { exact: true }).fill('2037-01-01');
  await page.getByRole('button', { name: 'Создать промокод' }).click();
  await page.waitForURL(/promo-codes\/ZIMA2026/);
  assert.match(await text('.big-code'), /ZIMA2026/);
  assert.match(await text('.strip.ok'), /Промокод создан/);
  assert.match(await text('main .facts'), /До\s+1 янв 2037 23:59:59/, 'the day chosen is the last one');
  await visit('/admin/promo-codes');
  assert.match(await text('.rows'), /1 янв 2037/);
});

test('tariffs show their cards and their difference before they are saved', async () => {
  await visit('/admin/settings');
  await page.getByLabel('Цена, тариф 1').fill('599');
  await page.getByRole('button', { name: 'Посмотреть изменения' }).click();
  assert.match(await text('#preview'), /599 ₽/);
  assert.match(await text('.diff del'), /499 ₽/);
  await page.getByRole('button', { name: 'Сохранить тарифы' }).click();
  await page.waitForURL(/done=saved/);
  assert.equal(await page.getByLabel('Цена, тариф 1').inputValue(), '599');
});

test('a flag is switched off and says so', async () => {
  await visit('/admin/flags');
  await page.locator('section', { hasText: 'promo_codes' }).getByRole('button', { name: 'Выключить' }).click();
  await page.waitForURL(/turned=promo_codes/);
  assert.match(await text('.strip.ok'), /promo_codes.*выключен/s);
});

test('a wrong list of drivers for a flag, and a wrong number of a shop, stay in their fields to be mended', async () => {
  await visit('/admin/flags');
  const flag = page.locator('section', { hasText: 'promo_codes' });
  await flag.getByText('Кому').click();
  await flag.getByLabel('Всегда включён для').fill('3001 3002x 3003');
  await flag.getByLabel('Процент водителей').fill('40');
  await flag.getByRole('button', { name: 'Сохранить' }).click();
  await page.locator('[role=alert]').waitFor();
  assert.match(await text('[role=alert]'), /Список водителей/);
  assert.equal(await flag.getByLabel('Всегда включён для').inputValue(), '3001 3002x 3003');
  assert.equal(await flag.getByLabel('Процент водителей').inputValue(), '40');
  await visit('/admin/settings');
  await page.getByLabel('Новый номер магазина').fill('12ab');
  await page.getByLabel('Новый секретный ключ').fill('test_key');
  await page.getByRole('button', { name: 'Заменить' }).click();
  await page.locator('[role=alert]').waitFor();
  page.problems.length = 0; // the browser reports the 422
  assert.equal(await page.getByLabel('Новый номер магазина').inputValue(), '12ab');
  assert.equal(await page.getByLabel('Новый секретный ключ').inputValue(), '', 'a secret is not sent back');
});

test('a setting of a plugin is refused beside its field, saved, and put back as in the file', async () => {
  await visit('/admin/rules');
  await page.getByRole('link', { name: 'cors' }).click();
  await page.waitForURL(/plugins\/cors/);
  assert.match(await text('#set-origins-now'), /https:\/\/shop\.example.*conf\/default\.lua/);
  const origins = page.getByLabel('origins', { exact: true });
  await origins.fill('https://shop.example\nshop.example/path');
  await page.getByRole('button', { name: 'Сохранить настройки' }).click();
  await page.locator('[role=alert]').waitFor();
  page.problems.length = 0; // the browser reports the 422
  assert.match(await text('#set-origins-wrong'), /плагин не принял/);
  assert.equal(await origins.getAttribute('aria-invalid'), 'true');
  assert.equal(await origins.inputValue(), 'https://shop.example\nshop.example/path');
  await origins.fill('https://shop.example\nhttps://two.example');
  await page.getByLabel('credentials', { exact: true }).selectOption('true');
  await page.getByRole('button', { name: 'Сохранить настройки' }).click();
  await page.waitForURL(/done=saved/);
  assert.match(await text('#set-origins-now'), /two\.example.*olga/s);
  const preflight = await product.client.request('OPTIONS', '/api/v1/tariffs',
    { headers: { origin: 'https://two.example', 'access-control-request-method': 'GET' } });
  assert.equal(preflight.headers['access-control-allow-credentials'], 'true');
  await page.getByRole('button', { name: 'Как в файле: origins' }).click();
  await page.waitForURL(/done=as_in_file/);
  assert.doesNotMatch(await text('#set-origins-now'), /two\.example/);
});

test('a plugin is switched off and on, after a question that begins on the safe button', async () => {
  await visit('/admin/plugins/slow_requests');
  await page.getByRole('button', { name: 'Выключить', exact: true }).click();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Оставить как есть');
  await page.getByRole('button', { name: 'Выключить slow_requests' }).click();
  await page.waitForURL(/done=plugin_off/);
  assert.match(await text('h1'), /выключен/);
  await page.getByRole('button', { name: 'Включить', exact: true }).click();
  await page.getByRole('button', { name: 'Включить slow_requests' }).click();
  await page.waitForURL(/done=plugin_on/);
});

test('a draft of a rule is tried on one of its samples', async () => {
  await visit('/admin/rules/tariffs');
  const source = page.getByLabel('Текст правила');
  await page.getByLabel('Пример из самопроверок').selectOption({ index: 1 });
  await page.getByRole('button', { name: 'Попробовать' }).click();
  assert.match(await text('#tried pre'), /499\.00/);
  await source.fill(`${await source.inputValue()}\nreturn = 1`);
  await page.getByRole('button', { name: 'Попробовать' }).click();
  await page.locator('#refusals').waitFor();
  page.problems.length = 0; // the browser reports the 422
  assert.match(await text('#refusals'), /lua\/rules\/tariffs\.lua:\d+/);
});

test('a refund shows its effect, begins on the safe button and repeats the sum', async () => {
  await visit(`/admin/payments/${payment.payment_id}`);
  await page.getByRole('button', { name: 'Вернуть деньги' }).click();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Не возвращать');
  await page.getByLabel('Сумма, ₽').fill('433');
  await page.getByText(/Подписка станет короче на \d+ д/).waitFor();
  await page.locator('#refund').getByLabel('Причина').fill('не подошло');
  await page.getByRole('button', { name: 'Вернуть 433 ₽' }).click();
  await page.waitForURL(/done=refunded/);
  assert.match(await text('.title'), /Возвращён частично/);
  assert.match(await page.locator('.trail').first().innerText(), /Возврат\s+→ Возвращён частично/);
});

test('a refund that is refused opens its dialog again with what was typed, and says why there', async () => {
  await visit(`/admin/payments/${payment.payment_id}`);
  await page.getByRole('button', { name: 'Вернуть деньги' }).click();
  await page.getByLabel('Сумма, ₽').fill('50000');
  await page.locator('#refund').getByLabel('Причина').fill('ошиблись тарифом');
  await page.getByRole('button', { name: 'Вернуть 50000 ₽' }).click();
  await page.locator('#refund[open] [role=alert]').waitFor();
  page.problems.length = 0; // the browser reports the 422
  assert.match(await text('#refund [role=alert]'), /больше остатка/);
  assert.equal(await page.getByLabel('Сумма, ₽').inputValue(), '50000');
  assert.equal(await page.locator('#refund').getByLabel('Причина').inputValue(), 'ошиблись тарифом');
  assert.match(await text('#refund .bad'), /50000 ₽/);
});

test('a list that could not be had keeps its rows and says why', async () => {
  await visit('/admin/payments');
  await page.locator('.filters summary').click();
  const rows = await page.locator('.rows tbody tr').count();
  const ask = () => page.getByRole('button', { name: 'Показать' }).click();
  await page.route('**/admin/payments?*', (route) => route.abort(), { times: 1 });
  await ask();
  await page.getByText('Ответа нет. Список прежний').waitFor();
  await page.route('**/admin/payments?*', (route) => route.continue({ url: `${product.client.url}/admin/payments?min=x` }), { times: 1 });
  await ask();
  await page.locator('#list-problem').getByText('Сумма от, ₽: Нужно целое число.').waitFor();
  assert.match(await text('#list-problem'), /Запрос/);
  assert.equal(await page.locator('.rows tbody tr').count(), rows);
  await ask();
  await page.waitForFunction(() => document.querySelector('#list-problem').textContent === '');
  page.problems.length = 0; // the browser reports what failed
});

test('days are given from the page of the driver', async () => {
  await visit('/admin/');
  await page.keyboard.press('/');
  await page.keyboard.type('@ivan');
  await page.keyboard.press('Enter');
  await page.waitForURL(/drivers\/3001/);
  await page.getByRole('button', { name: 'Продлить или подарить' }).click();
  await page.getByLabel('Дней').fill('5');
  await page.locator('#extend').getByLabel('Причина').fill('за терпение');
  assert.match(await text('#extend-effect'), /Подписка станет до/);
  await page.getByRole('button', { name: 'Продлить', exact: true }).click();
  await page.waitForURL(/done=extended/);
  assert.match(await text('main'), /за терпение/);
  assert.match(await text('main'), /3 месяца\s+1 299 ₽/);
});

test('the journal shows all of it, with the values before and after', async () => {
  await visit('/admin/audit?type=admin');
  const journal = await text('#list');
  for (const action of ['admin.logged_in', 'promo_code.created', 'setting.changed', 'flag.changed', 'refund.requested',
    'subscription.extended']) assert.ok(journal.includes(action), action);
  const flag = page.locator('tr', { hasText: 'flag.changed' });
  assert.match(await flag.locator('del').innerText(), /да/);
  assert.match(await flag.locator('ins').innerText(), /нет/);
});

test('no page has a script error or a refused resource', () => {
  assert.deepEqual(page.problems, []);
});

const axe = (other) => new AxeBuilder({ page: other }).withTags(['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']);

/** On a laptop and on a phone, by day and by night: look(page, width, scheme). */
async function inEachLook(look) {
  for (const device of [LAPTOP, PHONE]) {
    for (const colorScheme of ['light', 'dark']) {
      const other = await browser.open('about:blank', {}, { ...device, colorScheme, storageState: state });
      await look(other, device.viewport.width, colorScheme);
      await other.context().close();
    }
  }
}

test('every page passes axe and needs no side scrolling, on a laptop and a phone, by day and by night', async () => {
  const pages = ['/admin/?period=30', '/admin/payments?status=partially_refunded', `/admin/payments/${payment.payment_id}`,
    '/admin/subscriptions', '/admin/promo-codes', '/admin/promo-codes/ZIMA2026', '/admin/drivers', '/admin/drivers/3001',
    '/admin/outbox', '/admin/jobs', '/admin/cache?driver=3001', '/admin/settings', '/admin/flags', '/admin/rules', '/admin/rules/card',
    '/admin/plugins/cors', '/admin/plugins/slow_requests', '/admin/plugins/webhook_out', '/admin/audit', '/admin/audit?type=driver&q=none',
    '/admin/search?find=nothing', '/admin/no-such-page', '/admin/settings/switch', '/admin/payments?min=x', '/admin/login'];
  const faults = [];
  await inEachLook(async (other, width, colorScheme) => {
    for (const path of pages) {
      await other.goto(product.client.url + path);
      const where = `${path} at ${width}, ${colorScheme}`;
      const over = await other.evaluate(() => document.documentElement.scrollWidth) - width;
      if (over > 0) faults.push(`${where}: ${over} px too wide`);
      const { violations } = await axe(other).analyze();
      for (const { id, nodes } of violations) faults.push(`${where}: ${id}: ${nodes[0].html.slice(0, 160)}`);
    }
  });
  assert.deepEqual(faults, []);
});

test('every dialog passes axe, on a laptop and a phone, by day and by night', async () => {
  const places = [`/admin/payments/${payment.payment_id}`, '/admin/drivers/3001', '/admin/promo-codes/ZIMA2026', '/admin/cache?driver=3001',
    '/admin/settings', '/admin/plugins/cors', '/admin/outbox?show=dead'];
  const faults = [];
  let seen = 0;
  await inEachLook(async (other, width, colorScheme) => {
    for (const path of places) {
      await other.goto(product.client.url + path);
      for (const id of await other.locator('dialog[id]').evaluateAll((all) => all.map((dialog) => dialog.id))) {
        await other.evaluate((name) => document.getElementById(name).showModal(), id);
        const { violations } = await axe(other).include(`#${id}`).analyze();
        for (const { id: fault, nodes } of violations) faults.push(`${path} #${id} ${colorScheme}: ${fault}: ${nodes[0].html.slice(0, 160)}`);
        const box = await other.locator(`#${id}`).boundingBox();
        if (box.x < 0 || box.x + box.width > width) faults.push(`${path} #${id} is cut at ${width}`);
        seen += 1;
        await other.evaluate((name) => document.getElementById(name).close(), id);
      }
    }
  });
  assert.deepEqual(faults, []);
  assert.ok(seen >= 4 * 12, `${seen} dialogs`);
});

test('the keyboard walks the rows and opens one, and a switch turns that off', async () => {
  await visit('/admin/payments');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/admin\/payments\/[0-9a-f-]{36}/);
  await page.keyboard.press('g');
  await page.keyboard.press('d');
  await page.waitForURL(/\/admin\/drivers$/);
  await page.keyboard.press('?');
  assert.equal(await page.locator('#keys').isVisible(), true);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  assert.match(await page.evaluate(() => document.activeElement.textContent), /К содержанию/);
  await page.locator('.account summary').click();
  await page.getByRole('button', { name: 'Клавиши: вкл' }).click();
  await page.locator('.account summary').click();
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('?');
  assert.equal(await page.locator('#keys').isVisible(), false);
  await page.evaluate(() => localStorage.removeItem('admin-keys'));
});

test('a session about to end can be kept without losing what was typed', async () => {
  const other = await browser.open('about:blank', {}, { ...LAPTOP, storageState: state });
  await other.clock.install();
  await other.goto(`${product.client.url}/admin/promo-codes`);
  await other.getByText('Создать промокод').first().click();
  await other.getByLabel('Для кого').fill('для выставки');
  assert.equal(await other.locator('#expiry').isVisible(), false);
  await other.clock.fastForward('59:00');
  await other.getByRole('button', { name: 'Остаться' }).click();
  await other.locator('#expiry').waitFor({ state: 'hidden' });
  assert.equal(await other.getByLabel('Для кого').inputValue(), 'для выставки');
});

test('on a phone the menu leads everywhere, from the first place to the last', async () => {
  const phone = await browser.open(`${product.client.url}/admin/`, {}, { viewport: { width: 360, height: 600 }, storageState: state });
  const menu = phone.locator('.menu-phone');
  await menu.locator('summary').tap();
  const places = await menu.getByRole('link').allTextContents();
  assert.deepEqual([places[0], places.at(-1)], ['Сводка', 'Журнал']);
  for (const place of places) {
    if (!(await menu.getByRole('link', { name: place }).isVisible())) await menu.locator('summary').tap();
    await menu.getByRole('link', { name: place }).tap();
    await phone.waitForFunction((title) => document.querySelector('.menu-phone [aria-current=page]')?.textContent === title, place);
  }
  await phone.context().close();
});
