'use strict';
// CargoTech as our server sees it: login with phone and password, the list with all its filters, details,
// dictionaries and the limit of 600 requests a minute for the whole account.
const crypto = require('node:crypto');
const { Simulator, answer } = require('./simulator.js');
const market = require('./cargotech_market.js');
const { odd, mixIn } = require('./cargotech_odd.js');

const CITY = 2; // point type of the filters
const REGION = 1;

const digits = (text) => String(text ?? '').replace(/\D/g, '');

/** Laravel's answer to input it does not like. */
function invalid(errors) {
  return answer(422, { message: 'The given data was invalid.', errors });
}

const page = (list, limit, offset) => ({ data: list.slice(offset, offset + limit), meta: { limit, offset, size: list.length } });

const isWhole = (text) => /^\d+$/.test(text ?? '');
const isPair = (text) => /^\d+,\d+$/.test(text);
const isIds = (text) => /^\d+(,\d+)*$/.test(text);

// What each optional filter must look like.
const FORMS = {
  start_point_id: isWhole, start_point_type: isWhole, start_point_radius: isWhole,
  finish_point_id: isWhole, finish_point_type: isWhole, finish_point_radius: isWhole,
  start_date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)),
  wv: (text) => /^\d+(\.\d+)?-\d+(\.\d+)?$/.test(text),
  load_types: isIds, truck_types: isIds,
  distance: isPair, price: isPair, price_per_km: isPair,
  owner_company: (text) => /^(\d{10}|\d{12})$/.test(text),
};

const within = (pair, value) => {
  const [min, max] = pair.split(',').map(Number);
  return value !== null && value >= min && value <= max;
};
const shares = (ids, types) => types.some((type) => ids.split(',').includes(String(type.id)));

/** Is the city the chosen point, or within `radius` km of it? Regions hold their cities. */
function near(city, id, type, radius) {
  if (Number(type) === REGION) return market.REGIONS.some((one) => one.id === Number(id) && one.region === city.region);
  const centre = market.CITIES.find((one) => one.id === Number(id));
  return Boolean(centre) && (centre === city || market.kilometres(centre, city) <= Number(radius ?? 0));
}

// Does a cargo pass? `made` is how it was made, `raw` how it looks now, `f` all filters given.
const PASSES = {
  start_point_id: ({ made, f, value }) => near(made.from, value, f.start_point_type, f.start_point_radius),
  finish_point_id: ({ made, f, value }) => near(made.to, value, f.finish_point_type, f.finish_point_radius),
  start_date: ({ raw, value }) => raw.points.start.first_date.slice(0, 10) === value,
  wv: ({ raw, value }) => {
    const [tonnes, cubic] = value.split('-').map(Number);
    return raw.weight <= tonnes * 1000 && raw.volume <= cubic;
  },
  load_types: ({ raw, value }) => shares(value, raw.load_types),
  truck_types: ({ raw, value }) => shares(value, raw.truck_types),
  distance: ({ raw, value }) => within(value, raw.distance),
  price: ({ raw, value }) => within(value, raw.price_carrier || raw.price),
  price_per_km: ({ raw, value }) => within(value, raw.price_per_km),
  owner_company: ({ raw, value }) => raw.company.inn === value,
};

class CargoTech extends Simulator {
  /** `clock`: "running" lets the market move by itself, "frozen" only when told through /__control/time. */
  constructor({ seed = 7, cargos = 400, phone = '+7 911 111 11 11', password = 'demo-password', clock = 'running', odd: withOdd = true, perMinute = 600 } = {}) {
    super('cargotech');
    Object.assign(this, { seed, cargos, phone, password, clock, withOdd, defaultPerMinute: perMinute });
    this.resetState();
    this.route('POST', '/v1/auth/login', (request) => this.login(request));
    this.route('GET', '/v1/me', () => this.me());
    this.route('GET', '/v2/cargos/views', (request) => this.list(request));
    this.route('GET', '/v1/carrier/cargos/{id}', (request) => this.detail(request));
    this.route('GET', '/v1/dictionaries/points', (request) => this.points(request));
    this.route('GET', '/v1/dictionaries/load_types', () => answer(200, { data: market.LOAD_TYPES }));
    this.route('GET', '/v1/dictionaries/truck_types', () => answer(200, { data: market.TRUCK_TYPES }));
    this.addCargoControls();
  }

  resetState() {
    const midnight = new Date().setUTCHours(0, 0, 0, 0);
    this.startedMs = Date.now();
    this.market = new market.Market({ seed: this.seed, count: this.cargos, epochMs: midnight });
    this.tokens = new Map();
    this.lastTokenId = 12344;
    this.logins = 0;
    this.suspended = false;
    this.ownTransport = true;
    this.vanished = new Set();
    this.patches = new Map();
    this.perMinute = this.defaultPerMinute;
    this.window = [];
  }

  addCargoControls() {
    this.control('POST', 'revoke_tokens', () => this.tokens.clear());
    this.control('POST', 'account', ({ json }) => {
      if (json.suspended !== undefined) this.suspended = Boolean(json.suspended);
      if (json.own_transport !== undefined) this.ownTransport = Boolean(json.own_transport);
      if (json.per_minute !== undefined) this.perMinute = Number(json.per_minute);
      if (json.password !== undefined) this.password = String(json.password);
    });
    this.control('POST', 'vanish', ({ json }) => json.ids.forEach((id) => this.vanished.add(Number(id))));
    this.control('POST', 'patch', ({ json }) => { this.patches.set(Number(json.id), json.fields); });
  }

  state() {
    const { logins, suspended, ownTransport, perMinute } = this;
    return { logins, live_tokens: this.tokens.size, suspended, own_transport: ownTransport, per_minute: perMinute,
      time_s: this.timeS(), cargos: this.market.alive(this.timeS()).length };
  }

  /** Seconds of market time since the start. */
  timeS() {
    const running = this.clock === 'running' ? Date.now() - this.startedMs : 0;
    return Math.max(0, Math.floor((running + this.clockOffsetMs) / 1000));
  }

  before(request) {
    if (this.overLimit()) {
      return answer(429, { message: 'Too Many Attempts.' }, { 'retry-after': String(this.resetAfterS()) });
    }
    if (request.path === '/v1/auth/login') return undefined;
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (!token || !this.tokens.has(token)) return answer(401, { message: 'Unauthenticated.' });
    return this.suspended ? answer(403, { message: 'This action is unauthorized.' }) : undefined;
  }

  /** Counts the request too. */
  overLimit() {
    const since = this.now() - 60000;
    this.window = this.window.filter((at) => at > since);
    if (this.window.length >= this.perMinute) return true;
    this.window.push(this.now());
    return false;
  }

  resetAfterS() {
    return this.window.length ? Math.max(1, Math.ceil((this.window[0] + 60000 - this.now()) / 1000)) : 60;
  }

  headers() {
    return {
      'x-ratelimit-limit': String(this.perMinute),
      'x-ratelimit-remaining': String(Math.max(0, this.perMinute - this.window.length)),
      'x-ratelimit-reset-after': String(this.resetAfterS()),
    };
  }

  login({ json }) {
    this.logins++;
    if (!json || !json.phone || !json.password) {
      return invalid({ phone: ['The phone field is required.'], password: ['The password field is required.'] });
    }
    if (digits(json.phone) !== digits(this.phone) || json.password !== this.password) {
      return invalid({ phone: ['Неверный телефон или пароль.'] });
    }
    const token = `${++this.lastTokenId}|${crypto.randomBytes(36).toString('base64url')}`;
    this.tokens.set(token, { since: this.now() });
    return answer(200, { data: { token } });
  }

  me() {
    return answer(200, { data: { id: 4711, name: 'Общий кабинет', phone: this.phone, company: market.COMPANIES[0] } });
  }

  /** The cargo as it looks now, with what the control API changed about it. */
  show(made) {
    return { ...market.listed(made, this.timeS()), ...this.patches.get(made.id) };
  }

  list({ query }) {
    const errors = listErrors(query);
    if (errors) return invalid(errors);
    const f = filtersOf(query);
    const chosen = Object.keys(PASSES).filter((name) => f[name] !== undefined);
    const shown = this.market.alive(this.timeS())
      .filter((made) => !this.vanished.has(made.id) && (f.mode === 'all' || (this.ownTransport && made.mine)))
      .map((made) => ({ made, raw: this.show(made) }))
      .filter(({ made, raw }) => chosen.every((name) => PASSES[name]({ made, raw, f, value: f[name] })))
      .map(({ raw }) => raw);
    const mixed = this.withOdd && chosen.length === 0 && f.mode === 'all' ? mixIn(shown) : shown;
    return answer(200, page(mixed, Number(query.get('limit')), Number(query.get('offset'))));
  }

  detail({ params, query }) {
    if (query.get('source') !== '1') return invalid({ source: ['The source field is required.'] });
    const id = isWhole(params.id) ? Number(params.id) : NaN;
    const made = this.market.alive(this.timeS()).find((one) => one.id === id && !this.vanished.has(id));
    if (made) return answer(200, { data: market.detailed(this.show(made), made) });
    const strange = this.withOdd && odd.find((one) => one && one.id === id);
    if (strange) return answer(200, { data: market.detailed(strange) });
    return answer(404, { message: `No query results for model [App\\Models\\Cargo] ${params.id}` });
  }

  points({ query }) {
    const limit = query.get('limit') ?? '10';
    const offset = query.get('offset') ?? '0';
    if (!isWhole(limit) || !isWhole(offset) || Number(limit) < 1 || Number(limit) > 50) {
      return invalid({ limit: ['The limit must be between 1 and 50.'] });
    }
    const name = (query.get('filter[name]') ?? '').trim().toLowerCase();
    const cities = market.CITIES.map(({ id, name: title, region }) => ({ id, name: title, type: CITY, region: { id: region, name: title } }));
    const regions = market.REGIONS.map(({ id, name: title }) => ({ id, name: title, type: REGION }));
    const stations = [{ id: 6201, name: 'Москва-Товарная <ст.>', type: CITY }];
    const found = [...cities, ...regions, ...stations].filter((one) => one.name.toLowerCase().includes(name));
    return answer(200, page(found, Number(limit), Number(offset)));
  }
}

/** The filters given, without their brackets. */
function filtersOf(query) {
  const found = {};
  for (const [name, value] of query) {
    const inner = /^filter\[(\w+)\]$/.exec(name);
    if (inner) found[inner[1]] = value;
  }
  return found;
}

/** Undefined when the list request has all it must have, each in its form. */
function listErrors(query) {
  const f = filtersOf(query);
  const errors = {};
  const complain = (name) => { errors[name] = [`The ${name} is invalid.`]; };
  const limit = Number(query.get('limit'));
  if (!isWhole(query.get('limit')) || limit < 1 || limit > 100) complain('limit');
  if (!isWhole(query.get('offset'))) complain('offset');
  if (query.get('include') !== 'contacts') complain('include');
  if (f.mode !== 'my' && f.mode !== 'all') complain('filter.mode');
  if (f.user_id !== '0') complain('filter.user_id');
  for (const [name, fits] of Object.entries(FORMS)) {
    if (f[name] !== undefined && !fits(f[name])) complain(`filter.${name}`);
  }
  for (const end of ['start', 'finish']) {
    if (f[`${end}_point_id`] !== undefined && f[`${end}_point_type`] === undefined) complain(`filter.${end}_point_type`);
  }
  return Object.keys(errors).length ? errors : undefined;
}

module.exports = { CargoTech };
