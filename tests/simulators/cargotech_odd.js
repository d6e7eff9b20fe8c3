'use strict';
// Cargos as real APIs sometimes send them: missing prices and cities, HTML in names, floats, strings where numbers
// belong, and things that are no cargo at all. They stand among the good ones at fixed places of the list.

const common = { currency: { id: 1, name: 'руб' } };

const odd = [
  // No price, no volume, no dates; markup in a long city name.
  {
    id: 481517, weight: 1500, volume: null, distance: null, price: null, price_carrier: null, price_per_km: null, ...common,
    points: {
      start: { type: 1, position: 1, first_date: null, last_date: null, city: { id: 5101, name: 'Комсомольск-на-Амуре <script>alert("1")</script> & Ко, Солнечный район, посёлок Горный' } },
      finish: { type: 1, position: 2, first_date: '2026-02-01', last_date: '2026-02-03', city: { id: 5102, name: 'Петропавловск-Камчатский' } },
    },
    company: { id: 9002, inn: '2500000000', name: 'АО "Дальний & <Восток>"', type: 'shipper', security_status: 0 },
    load_types: [], truck_types: [{ id: 9, name: '', short_name: 'борт' }], contacts: [],
  },
  // No city, no finish, a zero carrier's price, a float weight, null lists.
  {
    id: 481518, weight: 12345.6, volume: 82.45, distance: 0, price: 35250, price_carrier: 0, price_per_km: null, ...common,
    points: { start: { type: 1, position: 1, first_date: '2026-03-08T00:00:00.000000Z', last_date: null, city: null }, finish: null },
    company: null, load_types: [{ id: 5, name: 'Полная растентовка', short_name: null }], truck_types: null, contacts: null,
  },
  // Strings and booleans where numbers belong, a float distance, a city without a name.
  {
    id: 481519, weight: '20000', volume: '86', distance: 712.5, price: '1690000', price_carrier: true, price_per_km: {}, ...common,
    points: { start: { type: '1', position: 1, first_date: '26.01.2026', last_date: 5, city: { id: 62, name: null } }, finish: { city: 'Тула' } },
    company: 'ООО', load_types: 'зад', truck_types: [null, 4, { id: 4 }], contacts: [{ type: 'broker', name: 5, phone: null, phones: 'нет' }],
  },
  // A point list instead of the pair, a negative weight, an impossible date.
  {
    id: 481520, weight: -5, volume: 0, distance: -1, price: -5000, price_carrier: null, price_per_km: -3, ...common,
    points: [{ type: 1 }], company: [], load_types: {}, truck_types: 0, contacts: {}, extra: 'нет',
  },
  // Nothing but an id.
  { id: 481521 },
  // Not cargos.
  { id: null, weight: 1000 },
  { id: 'x<img src=x onerror=alert(1)>', weight: 1000 },
  { id: 0 },
  'нет данных',
  null,
];

/** Put the odd ones among the good: the first after five, then one every nine. */
function mixIn(list) {
  const mixed = [...list];
  odd.forEach((cargo, index) => {
    const place = 5 + index * 9;
    if (place <= mixed.length) mixed.splice(place, 0, cargo);
  });
  return mixed;
}

module.exports = { odd, mixIn };
