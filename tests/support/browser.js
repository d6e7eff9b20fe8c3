'use strict';
// Debian's Chromium driven by Playwright, with a stand-in for Telegram's script: pages see a Mini App's surroundings.
const fs = require('node:fs');
const path = require('node:path');
const { chromium } = require('playwright-core');

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const TELEGRAM_SCRIPT = 'https://telegram.org/js/telegram-web-app.js*';
const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, locale: 'ru-RU' };

class Browser {
  static async start() {
    const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];
    return new Browser(await chromium.launch({ executablePath: CHROMIUM, args }));
  }

  constructor(browser) {
    this.browser = browser;
  }

  /**
   * A page inside Telegram: options are those of telegram_web_app.js, such as initData and colorScheme; `device` are
   * Playwright's context options. `page.problems` collects script errors, refused resources and failed requests.
   */
  async open(url, options = {}, device = {}) {
    const context = await this.browser.newContext({ ...PHONE, ...device });
    await context.addInitScript(`window.telegramOptions = ${JSON.stringify(options)};`);
    const script = fs.readFileSync(path.join(__dirname, 'telegram_web_app.js'), 'utf8');
    await context.route(TELEGRAM_SCRIPT, (route) => route.fulfill({ contentType: 'text/javascript', body: script }));
    const page = await context.newPage();
    page.problems = [];
    page.on('pageerror', (error) => page.problems.push(error.message));
    page.on('console', (message) => message.type() === 'error' && page.problems.push(message.text()));
    await page.goto(url);
    return page;
  }

  close() {
    return this.browser.close();
  }
}

/** What the page asked of Telegram under that name. */
function telegramCalls(page, name) {
  return page.evaluate((wanted) => window.telegramCalls.filter((call) => call.name === wanted), name);
}

/** The driver taps a native button once it can be tapped: "MainButton", "BackButton". */
async function press(page, button) {
  await page.waitForFunction((name) => {
    const { isVisible, isActive } = window.Telegram.WebApp[name];
    return isVisible && isActive;
  }, button);
  await page.evaluate((name) => window.Telegram.WebApp[name].press(), button);
}

module.exports = { Browser, press, telegramCalls };
