--- What the bot does about an update: greets, takes the dispatchers' decisions, keeps who can be reached.
--- Everything happens in one transaction with the update's id, so a repeated update does nothing.
local host = host
local chats = require "services.telegram_chats"
local failure = require "kit.failure"
local outbox = require "services.outbox"
local responses = require "services.responses"
local rules = require "kit.rules"
local telegram_api = require "services.telegram_api"
local text = require "kit.text"

local bot = {}

local ANSWER_TIMEOUT_MS = 5000

local function table_of(value)
  return type(value) == "table" and value or {}
end

local function is_id(value)
  return type(value) == "number" and value == math.floor(value) and value ~= 0 and math.abs(value) < 2 ^ 53
end

local function id_text(id)
  return ("%.0f"):format(id)
end

-- ---- messages ----

-- The documentation's own samples leave the type out.
local function is_private(message)
  local chat, from = table_of(message.chat), table_of(message.from)
  return is_id(chat.id) and chat.id > 0 and chat.id == from.id and (chat.type == nil or chat.type == "private")
end

local function is_start(message)
  if message.forward_date or message.forward_origin or type(message.text) ~= "string" then return false end
  local command = message.text:match "^(/start[^%s]*)"
  return command == "/start" or command ~= nil and command:find "^/start@[%w_]+$" ~= nil
end

-- What stands behind /start goes on to the app, in the parameter that Telegram's own links use.
local function app_url(message)
  local payload, url = message.text:match "^/start%S*%s+([%w_-]+)%s*$", host.config.webapp_url
  if not payload or #payload > 64 then return url end
  return url .. (url:find("?", 1, true) and "&" or "?") .. "tgWebAppStartParam=" .. payload
end

local function greet(tx, message)
  local language = rules.texts.language_of(message.from.language_code)
  return outbox.add(tx, { kind = "greeting", chat_key = id_text(message.chat.id), payload = {
    text = rules.texts.bot("greeting", language),
    reply_markup = { inline_keyboard = { { {
      text = rules.texts.bot("open_app", language), web_app = { url = app_url(message) },
    } } } },
  } })
end

-- Their own contact only: anyone can forward the card of another.
local function keep_phone(tx, message)
  local contact = table_of(message.contact)
  local shown = contact.phone_number
  if type(shown) ~= "string" or contact.user_id ~= message.from.id then return true end
  if not shown:find "^%+" then shown = "+" .. shown end
  local phone = rules.call("phone", "normalise", shown)
  if not phone then return true end
  return tx:query("UPDATE drivers SET phone = $2, updated_at = now() WHERE id = $1", message.from.id, phone)
end

-- Both groups are told of a migration, the old one where to and the new one where from: {old_id, new_id}.
local function migration_of(message)
  local chat_id, from_id, to_id = table_of(message.chat).id, message.migrate_from_chat_id, message.migrate_to_chat_id
  if not is_id(chat_id) then return nil end
  if is_id(to_id) then return { chat_id, to_id } end
  if is_id(from_id) then return { from_id, chat_id } end
end

-- Who writes to us, or allows us to write, can be reached.
local function on_message(tx, message)
  local migration = migration_of(message)
  if migration then
    if not chats.is_ours(migration[1], tx) then return true end
    return chats.moved(tx, migration[1], migration[2])
  end
  if not is_private(message) then return true end
  local heard, problem = tx:query(
    "UPDATE drivers SET unreachable_at = NULL WHERE id = $1 AND unreachable_at IS NOT NULL", message.from.id)
  if not heard then return nil, problem end
  if is_start(message) then return greet(tx, message) end
  if message.contact then return keep_phone(tx, message) end
  return true
end

-- ---- who blocked us ----

local GONE = { kicked = true, left = true }

local function on_membership(tx, change)
  local chat, status = table_of(change.chat), table_of(change.new_chat_member).status
  if not is_id(chat.id) or chat.id < 0 or type(status) ~= "string" then return true end
  return tx:query([[
    UPDATE drivers SET unreachable_at = CASE WHEN $2 THEN coalesce(unreachable_at, now()) END WHERE id = $1]],
    chat.id, GONE[status] or false)
end

-- ---- buttons ----

local function say(key, words)
  return rules.texts.bot(key, "ru", words)
end

local function refusal(key, row)
  return { text = say(key, { status = row and say("status_" .. row.status) }), alert = true }
end

-- Control characters have no place in a message, nor a name without end.
local function name_of(person)
  if type(person.first_name) ~= "string" or not text.is_utf8(person.first_name) then return nil end
  local name = text.first(text.squeeze((person.first_name:gsub("%c", " "))), 64)
  return name ~= "" and name or nil
end

local function is_marked(message)
  return type(message.text) == "string" and message.text:find(say "repeated", 1, true) ~= nil
end

-- Of a response that was repeated there are two: the newest is in its row, others were edited before.
local function other_messages(tx, row, pressed_id)
  local edited, problem = tx:query([[
    SELECT DISTINCT ON (payload->>'message_id') payload FROM outbox
    WHERE response_id = $1::uuid AND kind = 'response_edit' ORDER BY payload->>'message_id', id DESC]], row.id)
  if not edited then return nil, problem end
  local others, seen = {}, { [pressed_id] = true }
  edited[#edited + 1] = row.message_id and { payload = { message_id = row.message_id, is_repeat = true } }
  for _, entry in ipairs(edited) do
    if not seen[entry.payload.message_id] then others[#others + 1] = entry.payload end
    seen[entry.payload.message_id] = true
  end
  return others
end

-- Queue the messages about a response to be brought up to date; one too old to be edited is told anew.
local function refresh_messages(tx, row, message)
  local entry = { kind = "response_note", chat_key = "responses", response_id = row.id }
  if message.date == 0 then return outbox.add(tx, entry) end
  local payloads, problem = other_messages(tx, row, message.message_id)
  if not payloads then return nil, problem end
  table.insert(payloads, 1, { message_id = message.message_id, is_repeat = is_marked(message) })
  entry.kind = "response_edit"
  for _, payload in ipairs(payloads) do
    entry.payload = payload
    local added
    added, problem = outbox.add(tx, entry)
    if not added then return nil, problem end
  end
  return true
end

-- A press proves that the message arrived, whatever we know of it.
local function catch_up(tx, row, message)
  if row.status ~= "queued" and row.status ~= "failed" then return row end
  return responses.move(tx, row, { status = "sent", quiet = true, chat_id = message.chat.id,
    message_id = message.message_id })
end

local function decide(tx, press)
  local row, problem = responses.lock(tx, { code = press.code })
  if problem then return nil, problem end
  if not row then return refusal "pressed_unknown" end
  row, problem = catch_up(tx, row, press.message)
  if not row then return nil, problem end
  local answer
  if row.status == press.status then
    answer = { text = say("pressed_already", { status = say("status_" .. row.status) }) }
  elseif not rules.responses.can(row.status, press.status) then
    answer = refusal("pressed_illegal", row)
  else
    row, problem = responses.move(tx, row, { status = press.status, by = press.by, by_id = press.by_id })
    if not row then return nil, problem end
    answer = { text = say("pressed", { status = say("status_" .. row.status) }), moved = row }
  end
  local refreshed
  refreshed, problem = refresh_messages(tx, row, press.message)
  if not refreshed then return nil, problem end
  return answer
end

-- Callback data can be forged: chat, action and row are checked here.
local function on_callback(tx, query)
  if type(query.id) ~= "string" then return true end
  local message, from = table_of(query.message), table_of(query.from)
  local letter, code = tostring(query.data):match "^r:(%l):(%x+)$"
  local status = letter and rules.responses.status_of(letter)
  local answer, problem
  local ours
  ours, problem = chats.resolve("responses", tx)
  if problem then return nil, problem end
  if not ours or table_of(message.chat).id ~= ours then
    answer = refusal "pressed_elsewhere"
  elseif not status or #code ~= 20 or not is_id(message.message_id) then
    answer = refusal "pressed_unknown"
  else
    answer, problem = decide(tx, { code = code, status = status, message = message, by = name_of(from),
      by_id = is_id(from.id) and id_text(from.id) or nil })
    if not answer then return nil, problem end
  end
  answer.id = query.id
  return answer
end

-- ---- all of it ----

local HANDLERS = { message = on_message, callback_query = on_callback, my_chat_member = on_membership }

local function take(tx, update)
  local fresh, problem = tx:one(
    "INSERT INTO telegram_updates (update_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING update_id", update.update_id)
  if problem then return nil, problem end
  if not fresh then return { seen = true } end
  for kind, handler in pairs(HANDLERS) do
    if type(update[kind]) == "table" then
      local done
      done, problem = handler(tx, update[kind])
      if not done then return nil, problem or failure("internal_error", { text = kind }) end
      return { kind = kind, answer = type(done) == "table" and done.id and done or nil }
    end
  end
  return { kind = "other" }
end

-- Telegram waits about ten seconds for it; too late is no loss.
local function answer_later(answer)
  host.task.spawn_with({ label = "answerCallbackQuery" }, function()
    local _, problem = telegram_api.call("answerCallbackQuery",
      { callback_query_id = answer.id, text = answer.text, show_alert = answer.alert or false }, ANSWER_TIMEOUT_MS)
    if problem then host.log.info("button not answered", { failure = tostring(problem) }) end
  end)
end

--- Take an update: once, whatever the number of its deliveries. What it is not made for is taken and ignored.
--- @param update any  decoded
--- @return boolean? taken
--- @return table? failure  the database is away; Telegram should come again
function bot.take(update)
  if type(update) ~= "table" or not is_id(update.update_id) then return true end
  local taken, problem = host.pg.transaction(function(tx) return take(tx, update) end)
  if not taken then return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 }) end
  host.metrics.count("bot_updates_total", { kind = taken.seen and "repeated" or taken.kind })
  if taken.answer then
    answer_later(taken.answer)
    if taken.answer.moved then responses.announce(taken.answer.moved) end
  end
  return true
end

return bot
