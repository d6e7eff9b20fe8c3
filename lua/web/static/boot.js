// Runs before the first paint: colours, scheme and language from what Telegram put into the address, corrected so that
// text can be read. Everything else waits for app.js.
(function () {
  'use strict';
  var root = document.documentElement, store = window.sessionStorage, fura = window.fura = {};

  function fromHash() {
    var values = {};
    location.hash.slice(1).split('&').forEach(function (pair) {
      var at = pair.indexOf('=');
      if (at > 0) try { values[pair.slice(0, at)] = decodeURIComponent(pair.slice(at + 1).replace(/\+/g, ' ')); } catch (e) { /* not ours */ }
    });
    return values;
  }
  // Kept for the next page of this window; private modes may refuse.
  function keep(key, value) {
    try {
      if (value != null) store.setItem('fura:' + key, value);
      return value || store.getItem('fura:' + key) || '';
    } catch (e) { return value || ''; }
  }
  var hash = fromHash();
  fura.keep = keep;
  fura.initData = keep('init', hash.tgWebAppData);
  fura.platform = keep('platform', hash.tgWebAppPlatform);
  if (/LOW\)/.test(navigator.userAgent)) root.dataset.perf = 'low';

  function rgb(hex) {
    var m = /^#([0-9a-f]{6})$/i.exec(hex || '');
    return m && [0, 2, 4].map(function (i) { return parseInt(m[1].slice(i, i + 2), 16); });
  }
  fura.hex = function (c) { return '#' + c.map(function (v) { return ('0' + Math.round(v).toString(16)).slice(-2); }).join(''); };
  function light(c) {
    var v = c.map(function (x) { x /= 255; return x <= 0.03928 ? x / 12.92 : Math.pow((x + 0.055) / 1.055, 2.4); });
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2];
  }
  function contrast(a, b) {
    var x = light(a), y = light(b);
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  }
  function mix(a, b, part) { return a.map(function (v, i) { return Math.round(v + (b[i] - v) * part); }); }
  // Toward `ink` in tenths until it stands out from all grounds.
  function guard(colour, ink, grounds, least) {
    for (var step = 0; step <= 10; step++) {
      var tried = mix(colour, ink, step / 10);
      if (grounds.every(function (g) { return contrast(tried, g) >= least; })) return tried;
    }
    return ink;
  }
  function set(name, colour) {
    if (colour) root.style.setProperty('--g-' + name, fura.hex(colour)); else root.style.removeProperty('--g-' + name);
  }

  fura.theme = function (params) {
    var bg = rgb(params.bg_color), ink = rgb(params.text_color);
    if (!bg || !ink) return;
    var surface = rgb(params.section_bg_color) || bg, page = rgb(params.secondary_bg_color) || bg, grounds = [page, surface];
    root.dataset.scheme = light(bg) < 0.2 ? 'dark' : 'light';
    // A theme whose plain text cannot be read is not taken at all.
    var usable = grounds.every(function (g) { return contrast(ink, g) >= 4.5; });
    function take(name, key, least) {
      var colour = usable && rgb(params[key]);
      set(name, colour && guard(colour, ink, grounds, least));
      return colour && guard(colour, ink, grounds, least);
    }
    set('page', usable && page);
    set('surface', usable && surface);
    set('ink', usable && ink);
    take('hint', 'hint_color', 4.5);
    take('link', 'link_color', 4.5);
    take('bad', 'destructive_text_color', 4.5);
    set('line', usable && rgb(params.section_separator_color));
    set('edge', usable && guard(mix(page, ink, 0.4), ink, grounds, 3));
    var button = take('button', 'button_color', 4.5), white = [255, 255, 255], black = [8, 16, 24];
    set('button-text', button && (contrast(white, button) >= contrast(black, button) ? white : black));
  };
  try { fura.theme(JSON.parse(keep('theme', hash.tgWebAppThemeParams) || '{}')); } catch (e) { /* our own palette */ }
})();
