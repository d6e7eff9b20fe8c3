// Joins the page to Telegram and to the person: login, layers with Back and the native buttons, filters, the city field,
// loading ahead, prices, offline. Every state comes from the server as HTML.
(function () {
  'use strict';
  var fura = window.fura, doc = document, root = doc.documentElement, body = doc.body;
  function $(selector, from) { return (from || doc).querySelector(selector); }
  function $$(selector, from) { return [...(from || doc).querySelectorAll(selector)]; }
  function on(events, does, capture) { events.split(' ').forEach(function (name) { doc.addEventListener(name, does, capture); }); }
  function tg() { return window.Telegram && window.Telegram.WebApp; }
  function can(version) { var app = tg(); return app && app.isVersionAtLeast && app.isVersionAtLeast(version) && app; }
  function hidden() { return doc.hidden || away; }
  function seen(element) { return element && element.getClientRects().length > 0; }
  var token = fura.keep('token'), autoPages = 0, opener = null, started = false, signedInAt = 0, signingIn = null;
  var DRAFTS = '#resp [name=name],#resp [name=phone],#promo input'; // typed once, kept for this window
  var away = false; // Telegram shows something else over us
  var AUTH = '/api/v1/auth/telegram', wide = matchMedia('(min-width:720px)');

  // ---- login ----
  function app() { return $('#app'); }
  function initData() { var web = tg(); return fura.initData || (web && web.initData) || ''; }
  function userId() {
    try { return String(JSON.parse(new URLSearchParams(initData()).get('user')).id); } catch (e) { return ''; }
  }
  // Instead of the app: one of the sentences that the page brought along.
  function edge(name) {
    layers().forEach(closeOne);
    app().replaceWith($('#tpl-' + name).content.cloneNode(true));
    retryLater();
    mirror();
  }
  function login() {
    if (!initData()) return edge(tg() && tg().platform && tg().platform !== 'unknown' ? 'menu' : 'outside');
    if (app().dataset.page) return signIn().then(ready, notSignedIn);
    return htmx.ajax('POST', AUTH, { values: { init_data: initData() }, target: '#app', swap: 'outerHTML' });
  }
  // A new session without touching the page; one at a time.
  function signIn() {
    signingIn = signingIn || fetch(AUTH, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ init_data: initData() }),
    }).then(function (answer) {
      signingIn = null;
      if (!answer.ok) throw answer;
      return answer.json();
    }).then(function (session) { token = fura.keep('token', session.session_token); signedInAt = Date.now(); });
    return signingIn;
  }
  function notSignedIn(answer) { edge(answer.status < 500 ? 'refused' : 'busy'); }
  function begin() {
    var auth = app().dataset.auth, user = userId();
    if (auth === 'ok' && !(user && app().dataset.driver !== user)) return ready();
    if (auth === 'edge') return retryLater();
    if (initData()) return login();
    // Outside of Telegram, or its library, which is late on purpose, knows what the address did not tell.
    var script = $('script[src*="telegram-web-app"]'), asked = false;
    function go() { if (!asked) { asked = true; login(); } }
    if (tg() || !script) return go();
    script.onload = script.onerror = go;
    setTimeout(go, 3000);
  }
  function ready() {
    started = true;
    if (app().dataset.lang) root.lang = app().dataset.lang;
    $$('#dev-login').forEach(function (left) { left.remove(); });
    $$('[data-load]').forEach(function (part) { part.removeAttribute('data-load'); htmx.trigger(part, 'fura:load'); });
    openWanted();
    watchEnd();
    mirror();
  }
  // What the bot's message or a link asked to open.
  function openWanted() {
    if (openWanted.done || app().dataset.page) return;
    openWanted.done = true;
    var query = new URLSearchParams(location.search), start = query.get('tgWebAppStartParam') || app().dataset.start || new URLSearchParams(initData()).get('start_param') || '';
    var cargo = query.get('cargo') || start.replace(/^cargo_/, ''), payment = query.get('payment') || start.replace(/^pay_/, '');
    if (/^\d{1,18}$/.test(cargo)) openCargo(null, '/api/v1/cargos/' + cargo);
    else if (/^[0-9a-f-]{36}$/.test(payment)) openPay(null, '/api/v1/payments/' + payment);
    else if (start === 'sub') openPay(null, '/api/v1/paywall');
  }

  // ---- requests ----
  on('htmx:configRequest', function (event) {
    var detail = event.detail, element = detail.elt;
    if (token && detail.path !== AUTH) detail.headers.Authorization = 'Bearer ' + token;
    detail.headers['Accept-Language'] = root.lang;
    if (element.getAttribute('role') === 'combobox') detail.parameters = { q: element.value.trim() };
  });
  // Nothing is asked while nobody looks: `resume` asks at once.
  on('htmx:beforeRequest', function (event) {
    if (isPoll(event.detail.elt) && hidden()) event.preventDefault();
    mirror();
  });
  function isPoll(part) { return 'poll' in part.dataset; }
  // What asks by itself keeps what it shows when it is refused, and tries again later.
  function isQuiet(detail) {
    return isPoll(detail.elt) && (!detail.xhr.status || detail.xhr.status >= 400 && detail.xhr.getResponseHeader('HX-Retarget'));
  }
  function askPolls() { if (!hidden()) $$('[data-poll]').forEach(function (part) { htmx.trigger(part, 'fura:check'); }); }
  function resume() { if (!hidden()) { priceTick(); askPolls(); retryLater(); } }
  // Before the answer is put into the page: what loads itself there speaks with the new token.
  on('htmx:beforeOnLoad', function (event) {
    var fresh = event.detail.xhr.getResponseHeader('X-Session-Token');
    if (fresh) token = fura.keep('token', fresh);
  });
  on('htmx:afterRequest', function (event) {
    var detail = event.detail, xhr = detail.xhr;
    if (xhr.status === 401) return onUnauthorised(xhr, detail);
    if (isQuiet(detail)) {
      if (askPolls.pressed) toast(silence());
      setTimeout(function () { htmx.trigger(detail.elt, 'fura:check'); }, 20000);
    }
    if (isPoll(detail.elt)) { askPolls.pressed = false; return mirror(); }
    if (detail.elt.id === 'resp' && (xhr.status === 402 || xhr.status === 404)) { // locked, or gone, meanwhile
      step('');
      htmx.trigger('#sheet [data-reload]', 'fura:reload');
    }
    if (xhr.status === 429) countDown(detail.elt, xhr.getResponseHeader('Retry-After') || 1);
    if (detail.elt.id === 'filters' && xhr.status) {
      stopBusy();
      if (xhr.status === 400) openFilters(); else $$('#filters-box[open]').forEach(closeOne);
    }
    if (xhr.status >= 400) haptic('notificationOccurred', 'error');
    mirror();
  });
  // Once, silently: a new session and the same request again.
  function onUnauthorised(xhr, detail) {
    var request = detail.requestConfig, sent = request.headers.Authorization;
    if (xhr.getResponseHeader('X-Problem-Code') === 'session_replaced') {
      if (sent && sent !== 'Bearer ' + token) return; // a late answer to the session before this one
      return edge('replaced');
    }
    if (request.path === AUTH) return edge('refused');
    if (!initData()) return location.reload();
    if (Date.now() - signedInAt < 10000 && !signingIn) return edge('refused');
    signIn().then(function () { repeat(detail); }, notSignedIn);
  }
  function repeat(detail) {
    var request = detail.requestConfig;
    return htmx.ajax(request.verb, request.path, { source: detail.elt, target: detail.target, swap: detail.etc.swapOverride, values: request.parameters });
  }
  function countDown(button, seconds) {
    if (button.tagName !== 'BUTTON' || button.children.length) return;
    var label = button.textContent, timer = setInterval(tick, 1000);
    function tick() {
      button.disabled = seconds > 0;
      button.textContent = seconds > 0 ? label + ' · ' + seconds : label;
      if (seconds-- <= 0) clearInterval(timer);
    }
    tick();
  }
  on('htmx:beforeSwap', function (event) {
    var type = event.detail.xhr.getResponseHeader('Content-Type') || '';
    if (type.indexOf('text/html') !== 0 || isQuiet(event.detail)) event.detail.shouldSwap = false;
  });
  on('htmx:sendError htmx:timeout', function (event) {
    var detail = event.detail;
    setOffline();
    stopBusy();
    if (detail.elt === form()) lost.filters = true;
    if (!isPoll(detail.elt) && !lost(detail) && navigator.onLine !== false) toast(silence());
    mirror();
  });
  // A skeleton whose answer never came gives way to a sentence and a button that asks again.
  function lost(detail) {
    var bone = $$('.bone', detail.target).pop(), hole = bone && bone.closest('.cards,.bones');
    if (!hole) return false;
    var was = [...hole.childNodes];
    hole.replaceChildren($('#tpl-lost').content.cloneNode(true));
    $('button', hole).onclick = function () { hole.replaceChildren(...was); repeat(detail); };
    retryLater();
    return true;
  }
  function silence() { return $('#price-sink').dataset.silent; }
  function stopBusy() { $$('#results,.bones').forEach(function (part) { part.removeAttribute('aria-busy'); }); }

  on('htmx:afterSwap', function (event) {
    var target = event.detail.target;
    if (target.id === 'sheet') onSheet();
    if (target.classList.contains('cities')) onCities(target);
    if (target.classList.contains('types')) onTypes(target);
    if (target.id === 'toast') fade(target);
  });
  on('htmx:afterSettle', function (event) {
    var target = event.detail.target, ours = app(), end = $('[data-haptic]'), dialog = $('#sheet-box');
    if (end) { haptic('notificationOccurred', end.dataset.haptic); end.removeAttribute('data-haptic'); }
    if (dialog.dataset.step === 'respond' && !$('#resp .step')) { haptic('notificationOccurred', 'success'); step(''); }
    if (dialog.dataset.step === 'pay' && target.id !== 'pay-state' && $('#step').contains(event.detail.elt)) present();
    if (ours && ours.dataset.auth === 'ok' && !started) ready();
    if ($('#promo[data-changed]')) fura.keep('draft-code', '');
    if ($('#promo[data-changed],.answered')) confirmClosing(false);
    $$(DRAFTS).forEach(function (input) { if (input.value === input.defaultValue) input.value = fura.keep('draft-' + input.name) || input.value; });
    if (ours && ours.dataset.auth === 'edge') { layers().forEach(closeOne); cover(); body.classList.remove('typing'); }
    if (target.id === 'cargo-cards') dropRepeats();
    if (event.detail.elt.id === 'results') autoPages = 0;
    onPay();
    setOffline();
    watchEnd();
    retryLater();
    mirror();
  });
  // Offset paging over a moving list repeats cards: the first one stays.
  function dropRepeats() {
    $$('#cargo-cards>.card').forEach(function (card) { if ($('#' + card.id) !== card) card.remove(); });
  }
  // A toast goes after five seconds, or when the waiting it tells of is over.
  function fade(toast) {
    var said = toast.firstElementChild, wait = said && Number(said.dataset.seconds) || 0, left = Math.max(5, wait);
    clearInterval(fade.timer);
    fade.timer = setInterval(function () {
      if (wait > 1) said.textContent = said.textContent.replace(/\d+/, --wait);
      if (--left <= 0) { toast.textContent = ''; clearInterval(fade.timer); }
    }, 1000);
  }
  function retryLater() {
    var button = $('[data-retry]');
    clearTimeout(retryLater.timer);
    if (button) retryLater.timer = setTimeout(retry, button.dataset.retry * 1000);
  }
  function retry() { if (!hidden() && navigator.onLine !== false) $$('[data-retry]').filter(seen).forEach(function (button) { button.click(); }); }

  // ---- loading ahead: three pages by itself, then the button must be pressed ----
  var observer = window.IntersectionObserver && new IntersectionObserver(function (entries) {
    var button = $('#load-more .more');
    if (!entries.some(function (entry) { return entry.isIntersecting; }) || body.classList.contains('layered') || autoPages >= 3) return;
    if (button && !button.disabled) { autoPages++; button.click(); }
  }, { rootMargin: '700px' });
  function watchEnd() {
    if (!observer) return;
    observer.disconnect();
    var more = $('#load-more .more');
    if (more && autoPages < 3) observer.observe(more);
  }

  // ---- layers, Back and the native buttons ----
  function closeOne(dialog) { dialog.close(); }
  function layers() { return $$('#sheet-box[open]').concat($$('#filters-box[open]')); } // from below to the top
  function unselect() { $$('.card.selected').forEach(function (card) { card.classList.remove('selected'); }); }
  // Is anything over the list? A pane beside it is not.
  function cover() { body.classList.toggle('layered', layers().some(function (one) { return one.id !== 'sheet-box' || !wide.matches; })); }
  function openLayer(dialog, from) {
    opener = from || opener || doc.activeElement;
    var pane = dialog.id === 'sheet-box' && wide.matches;
    if (!dialog.open) { if (pane) dialog.show(); else dialog.showModal(); }
    cover();
    mirror();
  }
  // Focus goes to the heading of what is on top, and names the layer.
  function present() {
    var dialog = layers().pop(), title = dialog && $$('h2', dialog).filter(seen)[0];
    if (!title) return;
    dialog.setAttribute('aria-labelledby', title.id);
    title.focus({ preventScroll: true });
    dialog.scrollTop = 0;
  }
  function step(name) {
    $('#sheet-box').dataset.step = name;
    if (!name) $('#step').replaceChildren();
    present();
    mirror();
  }
  function goBack() {
    var top = layers().pop(), field = doc.activeElement;
    if (field && field.closest && field.closest('.city-box')) field.blur();
    else if (seen($('[data-back]'))) $('[data-back]').click();
    else if (top && top.dataset.step && $('#sheet').children.length) {
      // Access may have changed meanwhile.
      if (top.dataset.step === 'pay' && $('#step [data-changed]')) htmx.trigger('#sheet [data-reload]', 'fura:reload');
      step('');
    } else if (top) top.close();
    else if (app().dataset.page) location.href = '/';
    mirror();
  }
  on('close', function (event) {
    if (event.target.id === 'sheet-box') {
      event.target.dataset.step = '';
      $$('#sheet,#step').forEach(function (part) { part.replaceChildren(); });
      unselect();
    }
    cover();
    if (opener && doc.contains(opener)) opener.focus({ preventScroll: true });
    opener = null;
    mirror();
  }, true);
  // The native buttons outlive pages and know nothing of layers, so they are told everything each time.
  function mirror() {
    var web = can('6.1'), top = layers().pop() || $('[data-page]');
    if (!web || !initData()) return;
    if (top) web.BackButton.show(); else web.BackButton.hide();
    show(web.MainButton, top && !$('.city-box:focus-within') && $$('[data-main]', top).filter(seen)[0], true);
    if (can('7.10')) show(web.SecondaryButton, top && $$('[data-second]', top).filter(seen)[0]);
  }
  function show(native, button, main) {
    body.classList.toggle(main ? 'native-main' : 'native-second', Boolean(button));
    native.fura = button;
    if (!button) return native.hide();
    var style = getComputedStyle(button), busy = button.closest('.htmx-request'), params = { text: button.textContent.trim().slice(0, 64), is_visible: true, is_active: !button.disabled && !busy };
    if (main) { params.color = colour(style.backgroundColor); params.text_color = colour(style.color); }
    native.setParams(params);
    if (main) { if (busy) native.showProgress(false); else native.hideProgress(); }
  }
  function colour(text) {
    return fura.hex(text.match(/\d+/g).slice(0, 3).map(Number));
  }
  function confirmClosing(is) { var web = can('6.2'); if (web) web[(is ? 'en' : 'dis') + 'ableClosingConfirmation'](); }
  function haptic(kind, value) { var web = can('6.1'); if (web) web.HapticFeedback[kind](value); }

  // ---- a cargo, a response, the subscription ----
  function openCargo(card, path) {
    var skeleton = $('#tpl-sheet').content.cloneNode(true);
    unselect();
    if (card) {
      $('[data-slot=title]', skeleton).textContent = $('h2,h3', card).textContent.replace(/\s+/g, ' ').trim();
      $('[data-slot=price]', skeleton).textContent = $('.price', card).firstChild.textContent;
      card.classList.add('selected');
    }
    $('#sheet').replaceChildren(skeleton);
    $('#step').replaceChildren();
    $('#sheet-box').dataset.step = '';
    openLayer($('#sheet-box'), card && $('a', card));
    present();
    haptic('impactOccurred', 'light');
    if (path) htmx.ajax('GET', path, { target: '#sheet', swap: 'innerHTML' });
  }
  function onSheet() {
    var comment = $('#sheet .comment');
    if ($('#sheet-box').open && !$('#sheet-box').dataset.step) present();
    if (comment) {
      comment.classList.add('folded');
      if (comment.scrollHeight > comment.clientHeight + 2) $('#sheet [data-act=unfold]').hidden = false;
    }
  }
  // Once, before the first response: may the bot write, and which number is theirs. Either may be refused.
  function askTelegram() {
    var web = can('6.9'), field = $('#resp [name=phone]');
    if (!web || !initData() || field.value || fura.keep('asked')) return;
    fura.keep('asked', '1');
    web.requestWriteAccess(function () {
      web.requestContact(function (shared, answer) {
        var contact = shared && answer && answer.responseUnsafe && answer.responseUnsafe.contact;
        if (contact && !field.value) field.value = '+' + contact.phone_number.replace(/\D/g, '');
      });
    });
  }
  function openPay(from, path) {
    $('#step').replaceChildren($('#tpl-pay').content.cloneNode(true));
    $('#sheet-box').dataset.step = 'pay';
    openLayer($('#sheet-box'), from);
    present();
    if (path) htmx.ajax('GET', path, { target: '#step', swap: 'innerHTML' });
  }
  // A payment just made opens the shop in the same tap while the tap still counts.
  function onPay() {
    var link = $('[data-pay-now]');
    if (!link) return;
    link.removeAttribute('data-pay-now');
    if (Date.now() - onPay.tappedAt < 5000) openLink(link.href);
    setTimeout(function () { if (!doc.hidden && doc.contains(link)) { link.textContent = link.dataset.go; mirror(); } }, 1500);
  }
  // Another choice is another attempt: a key stands for exactly what was sent with it.
  function renewKey(form) {
    var key = crypto.getRandomValues(new Uint32Array(3)).join('-');
    form.setAttribute('hx-headers', JSON.stringify({ 'Idempotency-Key': key }));
  }
  function openLink(href) {
    var web = initData() && can('6.1');
    if (web && /^https:\/\/t\.me\//.test(href)) web.openTelegramLink(href);
    else if (web) web.openLink(href);
    else window.open(href, '_blank', 'noopener');
  }

  // ---- filters ----
  function form() { return $('#filters'); }
  function apply() {
    asking();
    htmx.trigger(form(), 'fura:apply');
  }
  function asking() {
    $$('.field-error', form()).forEach(function (line) { line.textContent = ''; });
    $('#results').setAttribute('aria-busy', 'true');
  }
  function field(name) { return $$('[name="' + name + '"]', form()); }
  function clear(name) {
    if (/_point$/.test(name)) return setCity($('[data-city=' + name.replace('_point', '') + ']'), '', '', '');
    field(name).forEach(function (input) {
      if (/radio|checkbox/.test(input.type)) input.checked = input.value === '';
      else input.value = '';
    });
    $$('[data-range=' + name + ']', form()).forEach(function (input) { input.value = ''; });
    markDates();
    if (name === 'weight_volume') $$('[data-own]').forEach(function (input) { input.value = ''; });
  }
  function markDates() { $$('[data-date]').forEach(function (chip) { chip.setAttribute('aria-pressed', chip.dataset.date === field('start_date')[0].value); }); }
  function reset() { $$('[data-filter]', form()).forEach(function (part) { clear(part.dataset.filter); }); }
  function compose() { // one's own weight and volume, and the fields of «Ещё»
    markDates();
    var own = $('#own-wv'), parts = $$('[data-own]').map(function (input) { return input.value.trim().replace(',', '.'); });
    if (own.checked) own.value = parts[0] || parts[1] ? (parts[0] || '1000') + '-' + (parts[1] || '200') : '';
    $$('[data-range]', form()).forEach(function (input) {
      var number = parseInt(input.value.replace(/\D/g, ''), 10);
      field(input.dataset.range)[0].value = number ? ('upto' in input.dataset ? '0,' + number : number * 100 + ',99999999900') : '';
    });
  }
  function onTypes(box) {
    var name = $('input', box) && $('input', box).name, chosen = (box.dataset.chosen || '').split(',');
    $$('[data-before-types][name=' + name + ']', form()).forEach(function (input) { input.remove(); });
    $$('input', box).forEach(function (input) { input.checked = chosen.indexOf(input.value) >= 0; });
  }
  function openFilters(from) {
    var dialog = $('#filters-box');
    if (!dialog || dialog.open) return;
    openLayer(dialog, from);
    present();
    markDates();
    $$('.types', dialog).forEach(function (box) { if (!box.children.length) htmx.trigger(box, 'fura:open'); });
  }

  // ---- the city field (combobox: focus stays in the input) ----
  function cityOf(element) { return element.closest('[data-city]'); }
  function options(box) { return $$('[role=option]', box); }
  function say(box, key, count) { var line = $('[role=status]', box); line.textContent = key ? line.dataset[key].replace('#', count) : ''; }
  function combobox(element) { return element.getAttribute && element.getAttribute('role') === 'combobox' && element; }
  function onCities(list) {
    var box = cityOf(list), found = options(box), input = $('[role=combobox]', box), typed = input.value.trim().toLowerCase();
    if (typed.length < 2) return suggest(box);
    input.setAttribute('aria-expanded', found.length > 0);
    say(box, found.length ? 'found' : $('[data-degraded]', list) ? 'down' : 'none', found.length);
    box.exact = found.filter(function (option) { return option.dataset.name.toLowerCase() === typed; })[0];
  }
  function recent() { try { return JSON.parse(localStorage.getItem('fura:cities')) || []; } catch (e) { return []; } }
  // Nothing typed yet: the cities chosen lately.
  function suggest(box) {
    var input = $('[role=combobox]', box), list = $('ul', box), empty = !input.value.trim();
    list.replaceChildren(...empty ? recent().map(function (city, index) {
      var item = doc.createElement('li');
      Object.assign(item, { id: list.id + index, textContent: city[2], dir: 'auto' });
      Object.assign(item.dataset, { id: city[0], type: city[1], name: city[2] });
      item.setAttribute('role', 'option');
      return item;
    }) : []);
    input.setAttribute('aria-expanded', list.children.length > 0);
    say(box, empty && list.children.length ? 'recent' : 'short');
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
    say(box);
  }
  function take(option) {
    var city = [option.dataset.id, option.dataset.type, option.dataset.name], box = cityOf(option);
    var others = recent().filter(function (one) { return one[0] !== city[0]; });
    try { localStorage.setItem('fura:cities', JSON.stringify([city].concat(others).slice(0, 5))); } catch (e) { /* full or refused */ }
    setCity(box, city[0], city[1], city[2]);
    haptic('selectionChanged');
    $('[role=combobox]', box).blur();
  }
  function move(box, by) {
    var list = options(box), at = list.findIndex(function (option) { return option.getAttribute('aria-selected') === 'true'; });
    if (!list.length) return;
    var next = list[at < 0 && by < 0 ? list.length - 1 : (at + by + list.length) % list.length];
    list.forEach(function (option) { option.setAttribute('aria-selected', option === next); });
    $('[role=combobox]', box).setAttribute('aria-activedescendant', next.id);
    next.scrollIntoView({ block: 'nearest' });
  }
  on('keydown', function (event) {
    var input = combobox(event.target), key = event.key;
    if (input) {
      var box = cityOf(input), chosen = $('[aria-selected=true]', box) || box.exact;
      if (key === 'ArrowDown' || key === 'ArrowUp') { event.preventDefault(); move(box, key === 'ArrowDown' ? 1 : -1); }
      if (key === 'Enter') { event.preventDefault(); if (chosen) take(chosen); }
      if (key === 'Escape') {
        event.preventDefault();
        if (options(box).length) { $('ul', box).replaceChildren(); input.setAttribute('aria-expanded', 'false'); } else if (input.value) setCity(box, '', '', ''); else input.blur();
      }
    } else if (key === 'Escape' && layers().length) { event.preventDefault(); goBack(); }
  });
  on('focusout', function (event) {
    var box = event.target.closest('.city-box');
    body.classList.remove('typing');
    setTimeout(mirror, 50);
    if (!box || box.contains(event.relatedTarget)) return;
    box = cityOf(box);
    if (!$('[role=combobox]', box).value.trim()) return setCity(box, '', '', '');
    if ($('[name$=_point_id]', box).value) return;
    if (box.exact) take(box.exact); else say(box, 'pick');
  });
  on('focusin', function (event) {
    var input = event.target;
    if (input.tagName !== 'INPUT' || /radio|checkbox/.test(input.type)) return;
    body.classList.add('typing');
    mirror();
    if (combobox(input)) return !input.value.trim() && suggest(cityOf(input));
    setTimeout(function () { if (doc.activeElement === input) input.scrollIntoView({ block: 'center' }); }, 300);
  });
  // A tap on a city or its cross must not move the focus, and with it the field, before it counts.
  on('mousedown', function (event) { if (event.target.closest('[role=listbox],.clear')) event.preventDefault(); });

  // ---- one listener for taps, one for changes ----
  var ACTS = {
    close: function () { layers().slice(-1).forEach(closeOne); },
    back: goBack,
    apply: apply,
    reset: reset,
    respond: function () { step('respond'); askTelegram(); },
    login: function () { location.reload(); },
    check: function () { askPolls.pressed = true; askPolls(); },
    'reset-apply': function () { reset(); apply(); },
    all: function () { $('[name=mode][value=all]').checked = true; apply(); },
    'clear-city': function (button) {
      var box = cityOf(button), at = doc.activeElement;
      setCity(box, '', '', '');
      if (at === button) at.blur();
      else if (box.contains(at)) suggest(box);
    },
    unfold: function (button) { $('#sheet .comment').classList.remove('folded'); button.hidden = true; },
    root: function (button) {
      app().dataset.root = button.dataset.root;
      $$('[data-root][data-act]').forEach(function (one) { one[one === button ? 'setAttribute' : 'removeAttribute']('aria-current', 'page'); });
      scrollTo(0, 0);
    },
  };
  on('click', function (event) {
    var at = event.target.closest('[data-act],[data-clear],[data-open],[data-date],[data-copy],[data-external],.cover,[data-cargo],[role=option],[href="/paywall"]');
    if (!at) return;
    var data = at.dataset;
    if (data.act) return ACTS[data.act](at);
    if (data.clear) { clear(data.clear); return apply(); }
    if (data.open) return openFilters(at);
    if ('date' in data) { field('start_date')[0].value = data.date; markDates(); return haptic('selectionChanged'); }
    if (at.getAttribute('role') === 'option') return take(at);
    if ('cargo' in data || at.classList.contains('cover')) return openCargo(at.closest('.card'));
    if (data.copy) return copy(at);
    if (at.getAttribute('href') === '/paywall' && at.hasAttribute('hx-get')) return openPay(at);
    if ('external' in data && initData() && tg()) { event.preventDefault(); openLink(at.href); }
  });
  function toast(text) { $('#toast').replaceChildren(Object.assign(doc.createElement('p'), { textContent: text })); fade($('#toast')); }
  function copy(button) { if (navigator.clipboard) navigator.clipboard.writeText(button.dataset.copy).then(function () { toast(button.dataset.done); }); }
  on('change', function (event) {
    var input = event.target;
    if (input.name === 'mode') { haptic('selectionChanged'); return apply(); }
    if (input.name === 'tariff') { var pay = $('[data-pay]', input.form); pay.textContent = pay.dataset.pay.replace('#', input.dataset.price); mirror(); }
    if (input.form && input.form.id === 'pay-form') renewKey(input.form);
    if ('own' in input.dataset) $('#own-wv').checked = true;
    if (input.closest('.chips')) haptic('selectionChanged');
    if (form() && form().contains(input)) compose();
  });
  on('input', function (event) {
    if (event.target.matches(DRAFTS)) { fura.keep('draft-' + event.target.name, event.target.value); confirmClosing(true); }
    var input = combobox(event.target);
    if (!input) return;
    $$('[type=hidden]', cityOf(input)).forEach(function (hidden) { hidden.value = ''; });
    if (input.value.trim().length < 2) suggest(cityOf(input));
  });
  on('submit', function (event) {
    if (!event.target.getAttribute('action')) event.preventDefault(); // ours are sent by htmx, or not at all
    if (event.target.id === 'filters') { ACTS.root($('[data-act][data-root=cargos]')); compose(); asking(); }
    if (event.target.id === 'pay-form') { onPay.tappedAt = Date.now(); if (doc.activeElement) doc.activeElement.blur(); }
  }, true);

  // ---- prices, offline, Telegram ----
  function priceTick() {
    var ids = $$('#cargo-cards>.card:not(.gone)').map(function (card) { return card.id.slice(11); }).filter(Boolean).slice(0, 200);
    if (hidden() || navigator.onLine === false || body.classList.contains('layered') || !form()) return;
    // By the filters of the list that is shown: those of the form may be a draft.
    return htmx.ajax('GET', '/api/v1/cargos/prices?' + ($('#results').dataset.query || 'limit=1'), {
      source: '#price-sink', target: '#price-sink', swap: 'none', values: { seen_ids: ids.join(',') },
    });
  }
  on('htmx:oobBeforeSwap', function (event) {
    var old = event.detail.target, fresh = event.detail.fragment.firstElementChild;
    if (!fresh || !/^cargo-price-/.test(fresh.id)) return;
    var before = old.firstChild.textContent.trim(), rate = $('[data-rate]', old.parentNode), note = rate || doc.createElement('small');
    if (before === fresh.firstChild.textContent.trim()) { event.detail.shouldSwap = false; return; }
    // The old rate per km is wrong now, and its place is free.
    note.textContent = $('#price-sink').dataset.was.replace('#', before) + (rate && rate.nextSibling ? ' · ' : '');
    if (!rate) fresh.append(' ', note);
    setTimeout(function () { note.textContent = ''; }, 60000);
  });
  on('htmx:oobAfterSwap', function (event) {
    var id = event.target.dataset && event.target.dataset.gone, card = id && $('#cargo-card-' + id);
    if (card) card.classList.add('gone');
  });
  function setOffline() {
    var off = navigator.onLine === false, strip = $('#offline');
    if (!strip || strip.hidden !== off) return;
    strip.hidden = !off;
    $$('.more,.refresh,[data-net]').forEach(function (button) {
      button.disabled = off;
      button[off ? 'setAttribute' : 'removeAttribute']('aria-describedby', 'offline');
    });
  }
  addEventListener('offline', setOffline);
  // The strip stays until the prices are of now, or cannot be had.
  addEventListener('online', function () {
    retry();
    if (lost.filters) { lost.filters = false; apply(); } else Promise.resolve(priceTick()).then(setOffline, setOffline);
  });
  on('visibilitychange', resume);
  // Some iOS views shrink to nothing under the keyboard: without it they come back.
  addEventListener('resize', function () {
    setTimeout(function () { if (innerHeight < 100) { doc.activeElement.blur(); if (tg()) tg().expand(); } }, 300);
  });
  setTimeout(priceTick, 5000);
  setInterval(priceTick, 30000);

  function joinTelegram() {
    var web = tg();
    if (!web || !initData()) return false;
    web.ready();
    web.expand();
    if (can('7.7')) web.disableVerticalSwipes();
    if (can('6.1')) {
      web.BackButton.onClick(goBack);
      [web.MainButton, web.SecondaryButton].forEach(function (native) { if (native) native.onClick(function () { if (native.fura) native.fura.click(); }); });
      web.onEvent('themeChanged', function () { fura.theme(web.themeParams); paint(web); mirror(); });
      web.onEvent('activated', function () { away = false; resume(); });
      web.onEvent('deactivated', function () { away = true; });
      paint(web);
      mirror();
    }
    return true;
  }
  function paint(web) {
    var page = colour(getComputedStyle(body).backgroundColor);
    if (can('6.9')) { web.setHeaderColor(page); web.setBackgroundColor(page); }
  }
  var waiting = setInterval(function () { if (joinTelegram()) clearInterval(waiting); }, 100);
  setTimeout(function () { clearInterval(waiting); }, 20000);
  setTimeout(function () { $$('[aria-busy=true]>#slow').forEach(function (line) { line.hidden = false; }); }, 4000);

  begin();
})();
