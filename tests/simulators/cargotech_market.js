'use strict';
// The cargos of the simulated CargoTech: made from a seed, so that the same seed is the same market, and moving with
// the market's own time: prices drift every minute, cargos are taken and new ones appear.

const MINUTE_S = 60;
const DAY_S = 86400;

const CITIES = [
  // id, name, region id, latitude, longitude
  [62, 'Москва', 77, 55.75, 37.62], [70, 'Санкт-Петербург', 78, 59.94, 30.31], [71, 'Казань', 16, 55.79, 49.11],
  [72, 'Екатеринбург', 66, 56.84, 60.61], [73, 'Новосибирск', 54, 55.03, 82.92], [74, 'Нижний Новгород', 52, 56.33, 44.01],
  [75, 'Самара', 63, 53.2, 50.15], [76, 'Ростов-на-Дону', 61, 47.23, 39.72], [77, 'Краснодар', 23, 45.04, 38.98],
  [78, 'Воронеж', 36, 51.67, 39.18], [79, 'Тула', 71, 54.19, 37.62], [80, 'Подольск', 50, 55.43, 37.55],
  [81, 'Химки', 50, 55.89, 37.43], [82, 'Тверь', 69, 56.86, 35.92], [83, 'Ярославль', 76, 57.63, 39.87],
  [84, 'Челябинск', 74, 55.16, 61.4], [85, 'Уфа', 2, 54.74, 55.97], [86, 'Пермь', 59, 58.01, 56.23],
  [87, 'Волгоград', 34, 48.71, 44.51], [88, 'Смоленск', 67, 54.78, 32.05], [89, 'Набережные Челны', 16, 55.74, 52.4],
  [90, 'Красноярск', 24, 56.01, 92.87],
].map(([id, name, region, lat, lon]) => ({ id, name, region, lat, lon }));

const REGIONS = [
  [1077, 'Московская область', 50], [1016, 'Республика Татарстан', 16], [1023, 'Краснодарский край', 23],
].map(([id, name, region]) => ({ id, name, region }));

const LOAD_TYPES = [
  { id: 1, name: 'Задняя', short_name: 'зад' }, { id: 2, name: 'Верхняя', short_name: 'верх' },
  { id: 3, name: 'Боковая', short_name: 'бок' }, { id: 5, name: 'Полная растентовка', short_name: null },
];
const TRUCK_TYPES = [
  { id: 4, name: 'Тентованный', short_name: 'тент' }, { id: 7, name: 'Рефрижератор', short_name: 'реф' },
  { id: 8, name: 'Изотермический', short_name: 'изотерм' }, { id: 9, name: '', short_name: 'борт' },
];
const COMPANIES = [
  ['7700000000', 'ООО «Ромашка»', 'broker'], ['7812345678', 'ПАО «Шиппер & Ко»', 'shipper'],
  ['6671234567', 'ООО «Урал-Логистика»', 'broker'], ['503801234567', 'ИП Кузнецов А. В.', 'company'],
  ['1655098765', 'АО «Волжский перевозчик»', 'shipper'],
].map(([inn, name, type], index) => ({ id: 9001 + index, inn, name, type, security_status: index % 3 }));
const PEOPLE = ['Анна', 'Пётр', 'Сергей Викторович', 'Ольга', 'Логист Мария'];
const GOODS = ['Бытовая техника', 'Стройматериалы', 'Продукты питания', 'Мебель', 'Автозапчасти', 'Бумага', null];
const NOTES = [
  'Ремни 10 шт.\nПропуск заранее <b>обязателен</b>', 'Погрузка по очереди, звонить за 2 часа: 8 (999) 888-77-66.',
  'Оплата 5–7 дней по сканам.', '', null, 'Нужна медкнижка и санобработка. Температура +2…+6 °C.',
];
const SIZES = [[1500, 9], [3000, 16], [5000, 36], [7500, 45], [10000, 54], [15000, 65], [20000, 82], [20000, 86], [12345.6, 82.45]];

/** Numbers in [0, 1) that depend on nothing but the seed (mulberry32). */
function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function kilometres(a, b) {
  const rad = Math.PI / 180;
  const half = (x) => Math.sin(x / 2) ** 2;
  const h = half((b.lat - a.lat) * rad) + Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * half((b.lon - a.lon) * rad);
  return Math.round(12742 * Math.asin(Math.sqrt(h)));
}

const stamp = (ms) => new Date(ms).toISOString().replace('Z', '000Z');

/** Cargo number `index` of the market: what never changes about it, and when it lives. */
function grow(seed, index, epochMs, count) {
  const roll = dice(seed * 100003 + index);
  const pick = (list) => list[Math.floor(roll() * list.length)];
  const from = pick(CITIES);
  const to = pick(CITIES.filter((city) => city !== from));
  const road = Math.round(kilometres(from, to) * 1.25);
  const [weight, volume] = pick(SIZES);
  const late = index - count; // cargos past the first `count` appear one by one, a minute apart
  const loadMs = epochMs + Math.floor(roll() * 8) * DAY_S * 1000 + Math.floor(8 + roll() * 10) * 3600000;
  const phone = `+7 (9${Math.floor(10 + roll() * 89)}) ${Math.floor(100 + roll() * 899)}-${Math.floor(10 + roll() * 89)}-${Math.floor(10 + roll() * 89)}`;
  return {
    id: 481600 + index,
    bornS: late >= 0 ? late * MINUTE_S : 0,
    goneS: (late >= 0 ? late * MINUTE_S : 0) + 600 + Math.floor(roll() ** 3 * 3 * DAY_S),
    mine: roll() < 0.4,
    from, to, road, weight, volume,
    base: Math.max(800000, Math.round(road * (35 + roll() * 30)) * 100),
    negotiable: roll() < 0.06,
    direct: roll() < 0.15, // no separate carrier's price
    loadMs,
    unloadMs: loadMs + Math.ceil(road / 600) * DAY_S * 1000,
    company: pick(COMPANIES),
    shipper: pick(COMPANIES),
    loads: LOAD_TYPES.filter(() => roll() < 0.45),
    trucks: TRUCK_TYPES.filter((type) => type.id === 4 || roll() < 0.25),
    person: pick(PEOPLE),
    phone,
    goods: pick(GOODS),
    note: pick(NOTES),
    partial: roll() < 0.2,
    circular: roll() < 0.1,
    seed: Math.floor(roll() * 2 ** 31),
  };
}

/** Kopecks at a moment: within ±8 % of the base, a new step each minute. */
function priceAt(cargo, timeS) {
  const step = Math.floor(timeS / MINUTE_S);
  const swing = step === 0 ? 0 : dice(cargo.seed + step)() * 0.16 - 0.08;
  return Math.round((cargo.base * (1 + swing)) / 10000) * 10000;
}

function point(position, city, firstMs, lastMs) {
  return {
    type: 1, // not the point type of the filters: another enumeration
    position,
    first_date: stamp(firstMs),
    last_date: lastMs ? stamp(lastMs) : null,
    city: { id: city.id, name: city.name },
  };
}

/** The cargo as the list shows it at that moment. */
function listed(cargo, timeS) {
  const price = cargo.negotiable ? null : priceAt(cargo, timeS);
  const carrier = price === null ? null : cargo.direct ? 0 : Math.round((price * 0.8) / 10000) * 10000;
  return {
    id: cargo.id,
    weight: cargo.weight,
    volume: cargo.volume,
    distance: cargo.road,
    price,
    price_carrier: carrier,
    price_per_km: price === null ? null : Math.round((carrier || price) / cargo.road),
    currency: { id: 1, name: 'руб' },
    points: {
      start: point(1, cargo.from, cargo.loadMs, cargo.loadMs + 4 * 3600000),
      finish: point(2, cargo.to, cargo.unloadMs, null),
    },
    company: cargo.company,
    load_types: cargo.loads,
    truck_types: cargo.trucks,
    contacts: [
      { type: 'manager', name: 'Диспетчер', phone: '+7 (495) 000-00-00', phones: [] },
      { type: 'broker', name: cargo.person, phone: '', phones: [cargo.phone] },
    ],
  };
}

/** What the detail adds to a listed cargo; `made` is absent for the odd ones, which have no further story. */
function detailed(raw, made) {
  const points = structuredClone(raw.points ?? {});
  if (points.start) points.start.address = made ? `ул. Складская, ${made.id % 90}, стр. 2 <въезд с "юга">` : null;
  if (points.finish) points.finish.address = '';
  return {
    ...raw,
    points,
    created_at: '2026-01-25T14:03:11.000000Z',
    cargo_type: { id: 12, name: 'ТНП' },
    shipper: made ? made.shipper : null,
    extra: {
      note: made ? made.note : null, external_inn: null, custom_cargo_type: made ? made.goods : null, integrate: null,
      is_delete_from_archive: false, krugoreis: Boolean(made?.circular), partial_load: Boolean(made?.partial),
      note_valid: true, integrate_contacts: null, url: null,
    },
  };
}

class Market {
  constructor({ seed, count, epochMs }) {
    Object.assign(this, { seed, count, epochMs });
    this.grown = [];
  }

  /** Cargo number `index`, grown when first asked for. */
  at(index) {
    return (this.grown[index] ??= grow(this.seed, index, this.epochMs, this.count));
  }

  /** Those on sale at that moment, newest first. */
  alive(timeS) {
    const born = this.count + Math.floor(timeS / MINUTE_S);
    const list = [];
    for (let index = born - 1; index >= 0; index--) {
      const cargo = this.at(index);
      if (cargo.bornS <= timeS && timeS < cargo.goneS) list.push(cargo);
    }
    return list;
  }
}

module.exports = { Market, CITIES, REGIONS, LOAD_TYPES, TRUCK_TYPES, COMPANIES, kilometres, listed, detailed };
