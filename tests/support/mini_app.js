'use strict';
// The Mini App in a browser, as drivers see it: themes, the address Telegram opens, and waiting for what is on the screen.
const { Browser, press, telegramCalls } = require('./browser.js');
const { gatewayId } = require('./product.js');

const THEMES = {
  light: {
    bg_color: '#ffffff', secondary_bg_color: '#f0f0f0', text_color: '#000000', hint_color: '#a8a8a8', link_color: '#2678b6',
    button_color: '#50a8eb', button_text_color: '#ffffff', section_bg_color: '#ffffff', destructive_text_color: '#cc2929',
  },
  dark: {
    bg_color: '#18222d', secondary_bg_color: '#131415', text_color: '#ffffff', hint_color: '#708499', link_color: '#6ab3f3',
    button_color: '#2ea6ff', button_text_color: '#ffffff', section_bg_color: '#18222d', destructive_text_color: '#ef5b5b',
  },
  garish: {
    bg_color: '#ffe600', secondary_bg_color: '#ffd000', text_color: '#5b0060', hint_color: '#ff7a00', link_color: '#ff00c8',
    button_color: '#00ff6a', button_text_color: '#ffffff', section_bg_color: '#fff04d', destructive_text_color: '#ff6a6a',
  },
};

/** The address as Telegram opens it: what the page learns before Telegram's library is there stands after the #. */
function address(url, initData, theme = 'light', platform = 'android') {
  const hash = new URLSearchParams({
    tgWebAppData: initData, tgWebAppVersion: '8.0', tgWebAppPlatform: platform, tgWebAppThemeParams: JSON.stringify(THEMES[theme]),
  });
  return `${url}#${hash}`;
}

class MiniApp {
  static async start(product) {
    return Object.assign(new MiniApp(), { product, browser: await Browser.start() });
  }

  /** Open it as this driver. options: {driver, path, theme, width, height, telegram: more of telegram_web_app.js, device} */
  async open({ driver = { id: 501 }, path = '/', theme = 'light', width = 360, height = 740, telegram = {}, device = {} } = {}) {
    const initData = this.product.initData(driver);
    const options = { initData, colorScheme: theme === 'dark' ? 'dark' : 'light', ...telegram };
    const url = address(this.product.client.url + path, options.initData, theme);
    return this.browser.open(url, options, { viewport: { width, height }, ...device });
  }

  /** Outside of Telegram: its script is there, but knows nobody. */
  async openOutside({ path = '/', width = 390, height = 844, device = {} } = {}) {
    return this.browser.open(this.product.client.url + path, { platform: 'unknown' }, { viewport: { width, height }, ...device });
  }

  close() {
    return this.browser.close();
  }
}

/** The first page of cards is there. */
async function untilListed(page) {
  await page.waitForSelector('#results:not([aria-busy]) .card:not(.skeleton)');
}

const cards = (page) => page.locator('#cargo-cards > .card');
const cargoId = async (card) => (await card.getAttribute('id')).replace('cargo-card-', '');

/** Open the first card (or that of the locator) and wait for its detail. */
async function openCargo(page, card = cards(page).first()) {
  await card.locator('a.cover').click();
  await page.waitForSelector('#sheet .route');
}

/** Ask for the list with these filters, as its form does. */
const ask = (page, filters) => page.evaluate((values) => {
  window.htmx.ajax('GET', `/api/v1/cargos?${new URLSearchParams(values)}`, { target: '#results', swap: 'outerHTML' });
}, filters);

/** Begin to pay for the tariff that is chosen; gives what the gateway calls the payment. */
async function toPayment(page) {
  await untilListed(page);
  await page.click('.bar a');
  await page.waitForSelector('.tariff');
  await press(page, 'MainButton');
  await page.waitForSelector('#pay-state');
  return gatewayId({ confirmation_url: await page.locator('#pay-screen a.main').getAttribute('href') });
}

module.exports = { MiniApp, THEMES, address, ask, cards, cargoId, openCargo, press, telegramCalls, toPayment, untilListed };
