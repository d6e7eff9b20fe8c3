// Joins the page to Telegram and to the person: login, the session's token, layers with Back, filters, the city field,
// loading ahead, prices, offline. Every state comes from the server as HTML.
(function () {
  'use strict';
  var fura = window.fura, doc = document, root = doc.documentElement, body = doc.body;
  var $ = function (selector, from) { return (from || doc).querySelector(selector); };
  var $$ = function (selector, from) { return Array.prototype.slice.call((from || doc).querySelectorAll(selector)); };
  var tg = function () { return window.Telegram && window.Telegram.WebApp; };
  var can = function (version) { var app = tg(); return app && app.isVersionAtLeast && app.isVersionAtLeast(version); };
  var token = fura.keep('token'), retried = false, autoPages = 0, opener = null, seenStart = false;

  // ---- login ----
  function initData() { var app = tg(); return fura.initData || (app && app.initData) || ''; }
  function userId() {
    try { return String(JSON.parse(new URLSearchParams(initData()).get('user')).id); } catch (e) { return ''; }
  }
  function edge(name) {
    var app = $('#app'), made = $('#tpl-' + name).content.firstElementChild.cloneNode(true);
    var dev = $('#dev-login');
    app.replaceWith(made);
    if (dev) { made.after(dev); htmx.process(dev); }
    $$('.bar').forEach(function (bar) { bar.hidden = true; });
  }
  function login() {
    if (!initData()) return edge(tg() && tg().platform && tg().platform !== 'unknown' ? 'menu' : 'outside');
    return htmx.ajax('POST', '/api/v1/auth/telegram', { values: { init_data: initData() }, target: '#app', swap: 'outerHTML' });
  }
  function begin() {
    var app = $('#app'), user = userId();
    if (app.dataset.auth !== 'none' && !(user && app.dataset.driver !== user)) return ready();
    if (initData()) return login();
    // Outside of Telegram, or its library, which is late on purpose, knows what the address did not tell.
    var script = $('script[src*="telegram-web-app"]'), waited = false;
    function go() { if (!waited) { waited = true; login(); } }
    if (tg() || !script) return go();
    script.addEventListener('load', go);
    script.addEventListener('error', go);
    setTimeout(go, 3000);
  }
  function ready() {
    var app = $('#app');
    if (!app || app.dataset.auth !== 'ok') return;
    retried = false;
    $$('.bar,#dev-login').forEach(function (left) { if (!app.contains(left)) left.remove(); });
    if ($('#results[data-load]')) apply();
    openWanted(app);
    watchEnd();
  }
  function openWanted(app) {
    if (seenStart) return;
    seenStart = true;
    var start = app.dataset.start || new URLSearchParams(initData()).get('start_param') || '';
    var id = new URLSearchParams(location.search).get('cargo') || (/^cargo_(\d{1,18})$/.exec(start) || [])[1];
    if (/^\d{1,18}$/.test(id || '')) openCargo(id, null);
  }

  // ---- requests ----
  doc.addEventListener('htmx:configRequest', function (event) {
    var detail = event.detail, element = detail.elt;
    if (token) detail.headers.Authorization = 'Bearer ' + token;
    detail.headers['Accept-Language'] = root.lang;
    if (element.getAttribute('role') === 'combobox') {
      var query = element.value.trim();
      Object.keys(detail.parameters).forEach(function (name) { delete detail.parameters[name]; });
      detail.parameters.q = query;
    }
    if (detail.path === '/api/v1/auth/telegram') delete detail.headers.Authorization;
  });
  doc.addEventListener('htmx:afterRequest', function (event) {
    var xhr = event.detail.xhr, fresh = xhr && xhr.getResponseHeader('X-Session-Token');
    if (fresh) { token = fresh; fura.keep('token', fresh); }
    if (xhr && xhr.status === 401) return onUnauthorised(xhr, event.detail);
    if (event.detail.successful) $('#offline').hidden = navigator.onLine !== false;
  });
  function onUnauthorised(xhr, detail) {
    if (xhr.getResponseHeader('X-Problem-Code') === 'session_replaced') return edge('replaced');
    if (detail.pathInfo.requestPath === '/api/v1/auth/telegram' || retried) return edge('menu');
    retried = true;
    token = '';
    fura.keep('token', '');
    login();
  }
  doc.addEventListener('htmx:beforeSwap', function (event) {
    var type = event.detail.xhr.getResponseHeader('Content-Type') || '';
    if (type.indexOf('text/html') !== 0 && event.detail.xhr.status !== 204) event.detail.shouldSwap = false;
  });
  doc.addEventListener('htmx:sendError', function () { if (navigator.onLine === false) $('#offline').hidden = false; stopBusy(); });
  doc.addEventListener('htmx:timeout', stopBusy);
  function stopBusy() { var results = $('#results'); if (results) results.removeAttribute('aria-busy'); }

  doc.addEventListener('htmx:afterSwap', function (event) {
    var target = event.detail.target;
    if (target.id === 'sheet') onSheet();
    if (target.classList.contains('cities')) onCities(target);
    if (target.classList.contains('types')) onTypes(target);
    if (target.id === 'toast') onToast(target);
  });
  doc.addEventListener('htmx:afterSettle', function (event) {
    var target = event.detail.target;
    if (event.detail.elt && event.detail.elt.id === 'app') return ready();
    if ($('#app') && $('#app').dataset.auth === 'ok' && !seenStart) ready();
    if (target.id === 'cargo-cards') dropRepeats();
    if (event.detail.elt && event.detail.elt.id === 'results') autoPages = 0;
    watchEnd();
    retryLater();
  });
  // Offset paging over a moving list repeats cards: the first one stays.
  function dropRepeats() {
    var seen = {};
    $$('#cargo-cards > .card').forEach(function (card) { if (seen[card.id]) card.remove(); else seen[card.id] = true; });
  }
  function onToast(toast) {
    clearTimeout(onToast.timer);
    onToast.timer = setTimeout(function () { toast.textContent = ''; }, 6000);
  }
  function retryLater() {
    var button = $('#results [data-retry]');
    clearTimeout(retryLater.timer);
    if (button) retryLater.timer = setTimeout(function () { if (doc.contains(button) && !doc.hidden) apply(); }, button.dataset.retry * 1000);
  }

  // ---- loading ahead: three pages by itself, then the button must be pressed ----
  var observer = window.IntersectionObserver && new IntersectionObserver(function (entries) {
    if (!entries.some(function (entry) { return entry.isIntersecting; }) || layers().length || autoPages >= 3) return;
    var button = $('#load-more .more');
    if (button && !button.disabled) { autoPages++; button.click(); }
  }, { rootMargin: '700px' });
  function watchEnd() {
    if (!observer) return;
    observer.disconnect();
    var more = $('#load-more .more');
    if (more && autoPages < 3) observer.observe(more);
  }

  // ---- layers and Back ----
  function layers() { return $$('dialog[open]'); }
  function openLayer(dialog, from) {
    opener = from || doc.activeElement;
    if (!dialog.open) { if (matchMedia('(min-width:720px)').matches && dialog.id === 'sheet-box') dialog.show(); else dialog.showModal(); }
    body.classList.add('layered');
    mirrorBack();
    var title = $('h2', dialog);
    if (title) title.focus({ preventScroll: true });
  }
  function closeLayer() {
    var top = layers().pop();
    if (top) top.close();
  }
  doc.addEventListener('close', function () {
    if (!layers().length) body.classList.remove('layered');
    $$('.card.selected').forEach(function (card) { card.classList.remove('selected'); });
    mirrorBack();
    if (opener && doc.contains(opener)) opener.focus({ preventScroll: true });
    opener = null;
  }, true);
  function mirrorBack() {
    var app = tg();
    if (!app || !can('6.1')) return;
    if (layers().length) app.BackButton.show(); else app.BackButton.hide();
  }

  // ---- a cargo ----
  function openCargo(id, card) {
    var sheet = $('#sheet'), skeleton = $('#tpl-sheet').content.cloneNode(true);
    if (card) {
      $('[data-slot=title]', skeleton).textContent = $('h2', card).textContent.replace(/\s+/g, ' ').trim();
      $('[data-slot=price]', skeleton).textContent = $('.price', card).textContent;
      card.classList.add('selected');
    }
    sheet.replaceChildren(skeleton);
    openLayer($('#sheet-box'), card && $('.cover', card));
    haptic('light');
    if (!card) htmx.ajax('GET', '/api/v1/cargos/' + id, { target: '#sheet', swap: 'innerHTML' });
  }
  function onSheet() {
    var comment = $('#sheet .comment'), title = $('#sheet h2');
    if (title && $('#sheet-box').open) title.focus({ preventScroll: true });
    if (comment) {
      comment.classList.add('folded');
      if (comment.scrollHeight > comment.clientHeight + 2) $('#sheet [data-act=unfold]').hidden = false;
    }
    if ($('#sheet [data-gone]')) $$('.card.selected').forEach(function (card) { card.classList.add('gone'); });
  }
  function haptic(kind) { var app = tg(); if (app && can('6.1')) { if (kind === 'select') app.HapticFeedback.selectionChanged(); else app.HapticFeedback.impactOccurred(kind); } }

  // ---- filters ----
  function form() { return $('#filters'); }
  function apply() { var results = $('#results'); if (results) results.setAttribute('aria-busy', 'true'); htmx.trigger(form(), 'fura:apply'); }
  function field(name) { return $$('[name="' + name + '"]', form()); }
  function clear(name) {
    if (/_point$/.test(name)) return clearCity($('[data-city=' + name.replace('_point', '') + ']'));
    field(name).forEach(function (input) {
      if (input.type === 'radio' || input.type === 'checkbox') input.checked = input.value === '';
      else input.value = '';
    });
    $$('[data-range=' + name + ']', form()).forEach(function (input) { input.value = ''; });
    if (name === 'weight_volume') $$('[data-own]').forEach(function (input) { input.value = ''; });
  }
  function reset() {
    ['start_point', 'finish_point', 'start_date', 'weight_volume', 'truck_types', 'load_types', 'price', 'price_per_km', 'distance', 'owner_company'].forEach(clear);
  }
  function compose() { // one's own weight and volume, and the fields of «Ещё»
    var own = $('#own-wv'), parts = $$('[data-own]').map(function (input) { return input.value.trim().replace(',', '.'); });
    if (own.checked) own.value = parts[0] || parts[1] ? (parts[0] || '1000') + '-' + (parts[1] || '200') : '';
    $$('[data-range]', form()).forEach(function (input) {
      var number = parseInt(input.value.replace(/\D/g, ''), 10), unit = Number(input.dataset.unit || 1);
      field(input.dataset.range)[0].value = number ? ('upto' in input.dataset ? '0,' + number : number * unit + ',99999999900') : '';
    });
  }
  function onTypes(box) {
    var name = $('input', box) && $('input', box).name, chosen = (box.dataset.chosen || '').split(',');
    $$('[data-before-types][name=' + name + ']', form()).forEach(function (input) { input.remove(); });
    $$('input', box).forEach(function (input) { input.checked = chosen.indexOf(input.value) >= 0; });
  }

  // ---- the city field (combobox: focus stays in the input) ----
  function cityOf(element) { return element.closest('[data-city]'); }
  function options(box) { return $$('[role=option]', box); }
  function say(box, text) { $('[role=status]', box).textContent = text; }
  function onCities(list) {
    var box = cityOf(list), status = $('[role=status]', box), found = options(box), input = $('[role=combobox]', box);
    input.setAttribute('aria-expanded', String(found.length > 0));
    if (input.value.trim().length < 2) return say(box, status.dataset.short);
    if ($('[data-degraded]', list) && !found.length) return say(box, status.dataset.down);
    say(box, found.length ? status.dataset.found.replace('#', found.length) : status.dataset.none);
    var typed = input.value.trim().toLowerCase();
    box.exact = found.filter(function (option) { return option.dataset.name.toLowerCase() === typed; })[0];
  }
  function setCity(box, id, type, name) {
    $('[name$=_point_id]', box).value = id;
    $('[name$=_point_type]', box).value = type;
    var input = $('[role=combobox]', box), radius = $('.radius', box);
    input.value = name;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
    $('ul', box).replaceChildren();
    radius.hidden = !id;
    $('select', radius).disabled = !id;
    box.exact = null;
    say(box, '');
  }
  function clearCity(box) { setCity(box, '', '', ''); }
  function take(option) { setCity(cityOf(option), option.dataset.id, option.dataset.type, option.dataset.name); haptic('select'); }
  function move(box, step) {
    var list = options(box), at = list.findIndex(function (option) { return option.getAttribute('aria-selected') === 'true'; });
    if (!list.length) return;
    var next = list[(at + step + list.length) % list.length];
    list.forEach(function (option) { option.setAttribute('aria-selected', String(option === next)); });
    $('[role=combobox]', box).setAttribute('aria-activedescendant', next.id);
    next.scrollIntoView({ block: 'nearest' });
  }
  doc.addEventListener('keydown', function (event) {
    var input = event.target;
    if (input.getAttribute && input.getAttribute('role') === 'combobox') {
      var box = cityOf(input), chosen = $('[aria-selected=true]', box);
      if (event.key === 'ArrowDown' || event.key === 'ArrowUp') { event.preventDefault(); move(box, event.key === 'ArrowDown' ? 1 : -1); }
      if (event.key === 'Enter') { event.preventDefault(); if (chosen || box.exact) take(chosen || box.exact); }
      if (event.key === 'Escape' && (options(box).length || input.value)) {
        event.preventDefault();
        if (options(box).length) { $('ul', box).replaceChildren(); input.setAttribute('aria-expanded', 'false'); } else clearCity(box);
      }
    } else if (event.key === 'Escape' && layers().length) { event.preventDefault(); closeLayer(); }
  });
  doc.addEventListener('focusout', function (event) {
    body.classList.remove('typing');
    var input = event.target, box = input.getAttribute && input.getAttribute('role') === 'combobox' && cityOf(input);
    if (!box || (event.relatedTarget && box.contains(event.relatedTarget))) return;
    setTimeout(function () {
      if (!input.value.trim()) return clearCity(box);
      if ($('[name$=_point_id]', box).value) return;
      if (box.exact) take(box.exact); else say(box, $('[role=status]', box).dataset.pick);
    }, 200);
  });
  doc.addEventListener('focusin', function (event) {
    if (/^(INPUT|TEXTAREA)$/.test(event.target.tagName) && !/radio|checkbox/.test(event.target.type)) body.classList.add('typing');
  });

  // ---- one listener for taps, one for changes ----
  var ACTS = {
    close: closeLayer,
    apply: apply,
    reset: reset,
    'reset-apply': function () { reset(); apply(); },
    all: function () { var all = field('mode').concat($$('[name=mode][value=all]')).filter(function (i) { return i.value === 'all'; })[0]; if (all) all.checked = true; apply(); },
    'continue': function () { retried = false; if (initData()) login(); else location.reload(); },
    'clear-city': function (button) { clearCity(cityOf(button)); },
    unfold: function (button) { $('#sheet .comment').classList.remove('folded'); button.hidden = true; },
  };
  doc.addEventListener('click', function (event) {
    var at = event.target.closest('[data-act],[data-clear],[data-open],[data-date],[data-copy],[data-call],[data-external],.cover,[role=option]');
    if (!at) return;
    if (at.dataset.act) return ACTS[at.dataset.act](at);
    if (at.dataset.clear) { clear(at.dataset.clear); return apply(); }
    if (at.dataset.open === 'filters') return openFilters(at);
    if ('date' in at.dataset) return pickDate(at);
    if (at.getAttribute('role') === 'option') return take(at);
    if (at.classList.contains('cover')) { event.preventDefault(); return openCargo(null, at.closest('.card')); }
    if (at.dataset.copy) return copy(at);
    if ('external' in at.dataset && tg() && tg().openLink) { event.preventDefault(); tg().openLink(at.href); }
  });
  function openFilters(from) {
    var dialog = $('#filters-box');
    if (!dialog) return;
    openLayer(dialog, from);
    $$('.types', dialog).forEach(function (box) { if (!box.children.length) htmx.trigger(box, 'fura:open'); });
  }
  function pickDate(button) {
    field('start_date')[0].value = button.dataset.date;
    haptic('select');
  }
  function copy(button) {
    if (navigator.clipboard) navigator.clipboard.writeText(button.dataset.copy).then(function () { $('#toast').replaceChildren(Object.assign(doc.createElement('p'), { textContent: button.dataset.done })); onToast($('#toast')); });
  }
  doc.addEventListener('change', function (event) {
    if (event.target.name === 'mode') { haptic('select'); return apply(); }
    if ('own' in event.target.dataset) $('#own-wv').checked = true;
    if (event.target.closest('.chips')) haptic('select');
    if (form() && form().contains(event.target)) compose();
  });
  doc.addEventListener('input', function (event) {
    if (event.target.getAttribute('role') === 'combobox') {
      var box = cityOf(event.target);
      $('[name$=_point_id]', box).value = '';
      $('[name$=_point_type]', box).value = '';
    }
  });
  doc.addEventListener('submit', function (event) {
    if (event.target.id === 'filters') { compose(); closeLayer(); }
  }, true);

  // ---- prices, offline, Telegram ----
  function priceTick() {
    var ids = $$('#cargo-cards > .card:not(.gone)').map(function (card) { return card.id.replace('cargo-card-', ''); }).filter(function (id) { return /^\d+$/.test(id); }).slice(0, 200);
    if (doc.hidden || navigator.onLine === false || layers().length || !ids.length || !form()) return;
    var values = Object.fromEntries(Array.from(new FormData(form())).filter(function (pair) { return pair[1]; }));
    values.seen_ids = ids.join(',');
    htmx.ajax('GET', '/api/v1/cargos/prices', { source: '#price-sink', target: '#price-sink', swap: 'none', values: values });
  }
  doc.addEventListener('htmx:oobAfterSwap', function (event) {
    var id = event.detail.target && event.detail.target.dataset && event.detail.target.dataset.gone, card = id && $('#cargo-card-' + id);
    if (card) card.classList.add('gone');
  });
  setTimeout(priceTick, 5000);
  setInterval(priceTick, 30000);
  addEventListener('offline', function () { $('#offline').hidden = false; $$('.more,.refresh').forEach(function (button) { button.disabled = true; }); });
  addEventListener('online', function () { $('#offline').hidden = true; $$('.more,.refresh').forEach(function (button) { button.disabled = false; }); priceTick(); });

  function joinTelegram() {
    var app = tg();
    if (!app || joinTelegram.done || !app.initData && !fura.initData) return;
    joinTelegram.done = true;
    app.ready();
    app.expand();
    if (can('7.7')) app.disableVerticalSwipes();
    if (can('6.1')) app.BackButton.onClick(function () { closeLayer(); mirrorBack(); });
    app.onEvent('themeChanged', function () { fura.theme(app.themeParams); });
    app.onEvent('activated', priceTick);
    if (can('6.9')) { var page = getComputedStyle(root).getPropertyValue('--page').trim(); if (/^#/.test(page)) { app.setHeaderColor(page); app.setBackgroundColor(page); } }
  }
  var waiting = setInterval(function () { joinTelegram(); if (joinTelegram.done) clearInterval(waiting); }, 200);
  setTimeout(function () { clearInterval(waiting); }, 15000);
  setTimeout(function () { var slow = $('#slow'); if (slow && $('#results[aria-busy=true]')) slow.hidden = false; }, 4000);
  setTimeout(function () { var lost = $('#lost'); if (lost && $('#app[data-auth=none]')) lost.hidden = false; }, 15000);

  begin();
})();
