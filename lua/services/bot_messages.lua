--- The kinds of entries in the outbox that go to Telegram: how each becomes a call of the Bot API, and what is true once it
--- was carried out or given up.
---
---   build(entry)             {method, params}; nil when there is nothing to say any more; nil and a failure
---   sent(tx, entry, result)  in the transaction that settles the entry; may return a function to run after the commit
---   dead(tx, entry, reason)  the same, for the entry that is given up
local host = host
local chats = require "services.telegram_chats"
local failure = require "kit.failure"
local responses = require "services.responses"
local rules = require "kit.rules"

local kinds = {}

local LANGUAGE = "ru" -- of dispatchers

local function say(key, words)
  return rules.texts.bot(key, LANGUAGE, words)
end

local function chat_of(entry)
  local id, problem = chats.resolve(entry.chat_key)
  if id or problem then return id, problem end
  return nil, failure("telegram_misconfigured",
    { service = "telegram", text = "no id is configured for the chat " .. entry.chat_key })
end

-- ---- the text of a response ----

local function or_dash(value)
  return value and value ~= "" and value or "—"
end

local function text_of(row, is_repeat)
  local text = say("response", {
    mark = is_repeat and say "repeated" or "", cargo_id = row.cargo_id, name = or_dash(row.name),
    phone = or_dash(row.phone), driver_id = row.driver_id,
  })
  if row.status == "queued" or row.status == "sent" then return text end
  return text .. say("response_state", {
    status = say("status_" .. row.status), by = row.decided_by and " · " .. row.decided_by or "",
  })
end

local function keyboard_of(row)
  local line = host.json.array {}
  for index, button in ipairs(rules.responses.buttons(row.status)) do
    line[index] = { text = say(button.text), callback_data = ("r:%s:%s"):format(button.letter, row.code) }
  end
  return { inline_keyboard = host.json.array { #line > 0 and line or nil } }
end

-- The row, and the call with chat, text and keyboard filled in.
local function call_about(entry, method, is_repeat)
  local row, problem = responses.get(entry.response_id)
  if not row then return nil, problem end
  local chat_id
  chat_id, problem = chat_of(entry)
  if not chat_id then return nil, problem end
  return { method = method, row = row, params = {
    chat_id = chat_id, text = text_of(row, is_repeat), reply_markup = keyboard_of(row),
  } }
end

local function announcing(row)
  return function() responses.announce(row) end
end

-- ---- a new response ----

kinds.response = {}

--- A row that is no longer queued was delivered: somebody pressed its button.
function kinds.response.build(entry)
  local call, problem = call_about(entry, "sendMessage", entry.uncertain)
  if not call or call.row.status ~= "queued" then return nil, problem end
  return call
end

function kinds.response.sent(tx, entry, message)
  local row = responses.lock(tx, { id = entry.response_id })
  if not row then return end
  local where = { chat_id = message.chat and message.chat.id, message_id = message.message_id }
  if row.status ~= "queued" and row.status ~= "failed" then
    responses.note_message(tx, row.id, where.chat_id, where.message_id)
    return
  end
  local moved = responses.move(tx, row, { status = "sent", chat_id = where.chat_id, message_id = where.message_id })
  return moved and announcing(moved)
end

function kinds.response.dead(tx, entry, reason)
  local row = responses.lock(tx, { id = entry.response_id })
  if not row or row.status ~= "queued" then return end
  local moved = responses.move(tx, row, { status = "failed", failure = reason })
  return moved and announcing(moved)
end

-- ---- a message about it that is brought up to date ----

kinds.response_edit = {
  build = function(entry)
    local call, problem = call_about(entry, "editMessageText")
    if not call then return nil, problem end
    call.params.message_id = entry.payload.message_id
    if entry.payload.is_repeat then call.params.text = text_of(call.row, true) end
    return call
  end,
}

-- In place of one that cannot be edited any more.
kinds.response_note = {
  build = function(entry) return call_about(entry, "sendMessage") end,
  sent = function(tx, entry, message)
    responses.note_message(tx, entry.response_id, message.chat and message.chat.id, message.message_id)
  end,
}

-- ---- plain texts: a word to a driver, a greeting, an alert ----

local plain = {
  build = function(entry)
    local chat_id, problem = chat_of(entry)
    if not chat_id then return nil, problem end
    return { method = "sendMessage", params = {
      chat_id = chat_id, text = entry.payload.text, reply_markup = entry.payload.reply_markup,
    } }
  end,
}
kinds.driver_status, kinds.payment_notice, kinds.greeting, kinds.alert = plain, plain, plain, plain

return kinds
