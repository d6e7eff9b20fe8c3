--- Which chat is meant: the configured ones by name, and where a group went that became a supergroup.
local host = host

local chats = {}

local NAMED = { responses = "responses_chat_id", alerts = "alerts_chat_id" }
local MOST_MOVES = 5

--- Is it a chat of many (limits are stricter there)?
function chats.is_group(chat_key)
  return NAMED[chat_key] ~= nil or chat_key:sub(1, 1) == "-"
end

local function configured(chat_key)
  local setting = NAMED[chat_key]
  if setting then return host.config.telegram[setting] end
  return tonumber(chat_key)
end

local NEXT = "SELECT new_id FROM telegram_chats WHERE old_id = $1"

local function follow(id, tx)
  for _ = 1, MOST_MOVES do
    local row, problem
    if tx then row, problem = tx:one(NEXT, id) else row, problem = host.pg.one(NEXT, id) end
    if problem then return nil, problem end
    if not row then break end
    id = row.new_id
  end
  return id
end

--- The id to send to. nil alone when the chat is not configured; nil and a failure when the database is away.
--- @param tx? PgTransaction  the caller's, when it is inside one
--- @return number? id
--- @return table? failure
function chats.resolve(chat_key, tx)
  local id = configured(chat_key)
  if not id or id > 0 then return id end
  return follow(id, tx)
end

--- Is it one of the configured chats, wherever it is now? Of others no move is remembered.
function chats.is_ours(id, tx)
  for name in pairs(NAMED) do
    if chats.resolve(name, tx) == id then return true end
  end
  return false
end

--- Remember where a chat of ours went.
function chats.moved(tx, old_id, new_id)
  if old_id == new_id then return true end
  return tx:query([[
    INSERT INTO telegram_chats (old_id, new_id) VALUES ($1, $2)
    ON CONFLICT (old_id) DO UPDATE SET new_id = excluded.new_id, moved_at = now()]], old_id, new_id)
end

return chats
