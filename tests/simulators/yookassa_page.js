'use strict';
// The page where a human pays at the simulated YooKassa.
const { escape } = require('./telegram_page.js');

const TITLES = {
  pending: 'Оплата', waiting_for_capture: 'Деньги удержаны', succeeded: 'Оплачено', canceled: 'Платёж отменён',
};
const FORM = `<form method="post"><button name="decision" value="pay">Оплатить</button>
<button name="decision" value="refuse">Отказаться</button></form>`;

function paymentPage(payment) {
  return `<!doctype html><html lang="ru"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>ЮKassa (симулятор)</title>
<style>body{font:18px/1.5 system-ui;margin:2rem auto;max-width:24rem;padding:0 1rem}button{padding:.8rem 1.4rem;font:inherit}</style>
<h1>${TITLES[payment.status]}</h1><p>${escape(payment.description ?? '')}</p>
<p><strong>${escape(payment.amount.value.replace('.', ','))} ₽</strong></p>
${payment.status === 'pending' ? FORM : ''}<p><small>Симулятор: деньги не списываются.</small></p></html>`;
}

module.exports = { paymentPage };
