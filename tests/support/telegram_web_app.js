// A stand-in for https://telegram.org/js/telegram-web-app.js in browser tests. It keeps what the page asked of
// Telegram in `calls`, lets a test press the native buttons, and answers requests as `answers` says.
(() => {
  const options = window.telegramOptions ?? {};
  const calls = [];
  const record = (name) => (...args) => { calls.push({ name, args: args.filter((arg) => typeof arg !== 'function') }); };

  class NativeButton {
    constructor(name) {
      Object.assign(this, { name, text: '', isVisible: false, isActive: true, isProgressVisible: false, handlers: new Set() });
    }
    setText(text) { this.text = text; return this; }
    setParams(params) {
      const { is_visible: visible, is_active: active, ...rest } = params;
      if (visible !== undefined) this.isVisible = visible;
      if (active !== undefined) this.isActive = active;
      return Object.assign(this, rest);
    }
    onClick(handler) { this.handlers.add(handler); return this; }
    offClick(handler) { this.handlers.delete(handler); return this; }
    show() { this.isVisible = true; return this; }
    hide() { this.isVisible = false; return this; }
    enable() { this.isActive = true; return this; }
    disable() { this.isActive = false; return this; }
    showProgress() { this.isProgressVisible = true; return this; }
    hideProgress() { this.isProgressVisible = false; return this; }
    /** For tests: the driver taps it. */
    press() {
      if (!this.isVisible || !this.isActive) throw new Error(`${this.name} cannot be pressed`);
      for (const handler of [...this.handlers]) handler();
    }
  }

  const listeners = {};
  const emit = (event, data) => (listeners[event] ?? []).forEach((handler) => handler(data));
  const haptic = { impactOccurred: record('impact'), notificationOccurred: record('notification'), selectionChanged: record('selection') };

  window.Telegram = {
    WebApp: {
      initData: options.initData ?? '',
      initDataUnsafe: Object.fromEntries(new URLSearchParams(options.initData ?? '')),
      version: '8.0',
      platform: options.platform ?? 'android',
      colorScheme: options.colorScheme ?? 'light',
      themeParams: {},
      viewportHeight: window.innerHeight,
      viewportStableHeight: window.innerHeight,
      isExpanded: true,
      MainButton: new NativeButton('MainButton'),
      SecondaryButton: new NativeButton('SecondaryButton'),
      BackButton: new NativeButton('BackButton'),
      HapticFeedback: haptic,
      isVersionAtLeast: () => true,
      onEvent(event, handler) { (listeners[event] ??= []).push(handler); },
      offEvent(event, handler) { listeners[event] = (listeners[event] ?? []).filter((one) => one !== handler); },
      requestWriteAccess(done) { record('requestWriteAccess')(); done?.(options.writeAccess ?? true); },
      requestContact(done) {
        record('requestContact')();
        const { contact } = options;
        done?.(Boolean(contact), contact && { status: 'sent', responseUnsafe: { contact } });
      },
      showPopup(params, done) { record('showPopup')(params); done?.(options.popupButton ?? ''); },
      showAlert(text, done) { record('showAlert')(text); done?.(); },
      showConfirm(text, done) { record('showConfirm')(text); done?.(true); },
      ...Object.fromEntries([
        'ready', 'expand', 'close', 'openLink', 'openTelegramLink', 'enableClosingConfirmation', 'disableClosingConfirmation',
        'disableVerticalSwipes', 'setHeaderColor', 'setBackgroundColor', 'setBottomBarColor',
      ].map((name) => [name, record(name)])),
    },
  };
  window.telegramCalls = calls;
  window.telegramEmit = emit;
})();
