// The panel without it works too: this adds dialogs, copying, keys, and the warning before a session ends.
(() => {
  'use strict';
  const root = document.documentElement;
  const find = (id) => document.getElementById(id);
  const stored = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const store = (key, value) => { try { localStorage.setItem(key, value); } catch { /* private mode */ } };

  const SCHEMES = { auto: 'Тема: системная', light: 'Тема: светлая', dark: 'Тема: тёмная' };
  const applyScheme = (name) => {
    if (name === 'auto') delete root.dataset.scheme;
    else root.dataset.scheme = name;
    const button = document.querySelector('[data-scheme-switch]');
    if (button) button.textContent = SCHEMES[name];
  };
  let scheme = SCHEMES[stored('admin-scheme')] ? stored('admin-scheme') : 'auto';
  applyScheme(scheme);

  let keysOn = stored('admin-keys') !== 'off';
  const showKeys = () => {
    const button = document.querySelector('[data-keys]');
    if (button) button.textContent = keysOn ? 'Клавиши: вкл' : 'Клавиши: выкл';
  };
  showKeys();

  const copy = async (button) => {
    await navigator.clipboard?.writeText(button.dataset.copy);
    find('toast').textContent = 'Скопировано';
    button.classList.add('done');
    setTimeout(() => button.classList.remove('done'), 1500);
  };

  document.addEventListener('click', (event) => {
    const target = event.target.closest('button');
    if (!target) return;
    if (target.dataset.copy) copy(target);
    if (target.dataset.open) find(target.dataset.open).showModal();
    if ('close' in target.dataset) target.closest('dialog').close();
    if ('stay' in target.dataset) stay();
    if ('schemeSwitch' in target.dataset) {
      const names = Object.keys(SCHEMES);
      scheme = names[(names.indexOf(scheme) + 1) % names.length];
      store('admin-scheme', scheme);
      applyScheme(scheme);
    }
    if ('keys' in target.dataset) {
      keysOn = !keysOn;
      store('admin-keys', keysOn ? 'on' : 'off');
      showKeys();
    }
  });

  // A form is sent once.
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (form.method !== 'post' || event.defaultPrevented) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = '1';
  });
  window.addEventListener('pageshow', () => document.querySelectorAll('form[data-sent]').forEach((form) => delete form.dataset.sent));

  // What days would give, and what an amount would return.
  document.addEventListener('input', (event) => {
    const { daysFrom, daysTo, repeat } = event.target.dataset;
    if (daysFrom) {
      const end = new Date((Number(daysFrom) + Number(event.target.value) * 86400) * 1000);
      find(daysTo).textContent = Number.isNaN(end.getTime()) ? '' : `Подписка станет до ${end.toLocaleDateString('ru-RU', { day: 'numeric', month: 'long', year: 'numeric' })}.`;
    }
    if (repeat) find(repeat).textContent = `${event.target.value.replace('.', ',')} ₽`;
  });

  // A dialog whose form was refused opens again with what was typed, and says why.
  const refused = document.querySelector('dialog[data-refused]');
  if (refused) {
    refused.querySelector('h2').after(document.querySelector('main > .strip.fail') ?? '');
    refused.showModal();
    refused.querySelector('[data-repeat]')?.dispatchEvent(new Event('input', { bubbles: true }));
  }

  // A list that could not be had keeps its rows, and why is told above them.
  const complain = ({ detail }) => {
    if (detail.target.id !== 'list') return;
    const answer = new DOMParser().parseFromString(detail.xhr.response, 'text/html');
    const said = answer.querySelector('main > .strip.fail, main > .panel');
    const text = detail.xhr.status ? `Не получилось: сервер ответил ошибкой ${detail.xhr.status}.` : 'Ответа нет. Список прежний, попробуйте ещё раз.';
    const line = Object.assign(document.createElement('p'), { className: 'strip fail', role: 'alert', textContent: text });
    find('list-problem').replaceChildren(said ?? line);
  };
  for (const name of ['responseError', 'sendError', 'timeout']) document.addEventListener(`htmx:${name}`, complain);
  document.addEventListener('htmx:beforeRequest', () => find('list-problem')?.replaceChildren());

  // Two minutes before the session ends; staying asks for any page, so what is typed here is kept.
  const warnIn = (seconds) => setTimeout(() => { find('expiry').hidden = false; }, Math.max(0, seconds - 120) * 1000);
  const idle = Number(document.body.dataset.idle);
  if (idle) warnIn(idle);
  const stay = async () => {
    const page = new DOMParser().parseFromString(await (await fetch('/admin/search')).text(), 'text/html');
    const left = Number(page.body.dataset.idle);
    if (!left) return location.assign('/admin/login');
    find('expiry').hidden = true;
    return warnIn(left);
  };

  const isTyping = (element) => element.closest('input, textarea, select, [contenteditable]');
  const move = (step) => {
    const rows = [...document.querySelectorAll('.rows tbody tr')];
    if (rows.length === 0) return;
    const at = rows.findIndex((row) => row.classList.contains('at'));
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
    rows[at]?.classList.remove('at');
    next.classList.add('at');
    next.scrollIntoView({ block: 'nearest' });
  };
  let went = false;
  const GO = { p: '/admin/payments', d: '/admin/drivers', s: '/admin/', a: '/admin/audit' };
  document.addEventListener('keydown', (event) => {
    if (!keysOn || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector('dialog[open]')) return;
    const { key } = event;
    if (went && GO[key]) location.assign(GO[key]);
    went = key === 'g';
    if (key === '/') { event.preventDefault(); find('find')?.focus(); }
    if (key === 'j') move(1);
    if (key === 'k') move(-1);
    if (key === '?') find('keys')?.showModal();
    if (key === 'Enter' && event.target === document.body) document.querySelector('.rows tr.at a')?.click();
  });
})();
