'use strict';
// What the simulated Telegram shows to a human: every chat with its messages and pressable buttons.

const escape = (text) => String(text).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

function button(message, { text, callback_data: data, web_app: app, url }) {
  const address = app?.url ?? url;
  if (address) return `<a href="${escape(address)}">${escape(text)}</a>`;
  return `<form method="post" action="/press"><input type="hidden" name="chat_id" value="${message.chat.id}">
<input type="hidden" name="message_id" value="${message.message_id}"><button name="data" value="${escape(data)}">${escape(text)}</button></form>`;
}

function bubble(message) {
  const buttons = (message.reply_markup?.inline_keyboard ?? []).flat().map((one) => button(message, one));
  return `<article><b>${escape(message.from.first_name)}</b><p>${escape(message.text)}</p>${buttons.join(' ')}</article>`;
}

/** `chats`: Map of chat id to its messages. */
function chatsPage(chats) {
  const sections = [...chats].map(([id, messages]) =>
    `<section><h2>${id < 0 ? 'Группа' : 'Личный чат'} ${escape(id)}</h2>${messages.map(bubble).join('')}</section>`);
  return `<!doctype html><html lang="ru"><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width"><title>Telegram (симулятор)</title>
<style>body{font:16px/1.4 system-ui;margin:1rem auto;max-width:40rem;padding:0 1rem}p{white-space:pre-line;margin:.3rem 0}
article{border:1px solid #8886;border-radius:.8rem;padding:.6rem .8rem;margin:.5rem 0}form{display:inline}button{padding:.5rem 1rem}</style>
<h1>Telegram (симулятор)</h1>${sections.join('') || '<p>Сообщений ещё нет.</p>'}</html>`;
}

module.exports = { chatsPage, escape };
