--- The bot's @name, for links to it. Asked of Telegram once a day and node, and never while somebody waits for a page:
--- until it is known, links lead to Telegram itself.
local host = host
local telegram_api = require "services.telegram_api"

local bot_name = {}

local KEY, ASKING = "bot_name", "bot_name:asking"
local KEPT_FOR_MS, ASK_AGAIN_MS = 86400000, 30000

local function learn()
  local bot, problem = telegram_api.call("getMe", {})
  if bot and type(bot.username) == "string" and bot.username:find "^[%w_]+$" then
    host.shared.set(KEY, bot.username, KEPT_FOR_MS)
  else
    host.log.warn("the bot's name is not known", { failure = tostring(problem) })
  end
end

--- https://t.me/name, with what to start with: link "sub".
--- @param start? string
function bot_name.link(start)
  local name = host.shared.get(KEY)
  if not name then
    if host.shared.add(ASKING, "1", ASK_AGAIN_MS) then host.task.spawn(learn) end
    return "https://t.me/"
  end
  return "https://t.me/" .. name .. (start and "?startapp=" .. start or "")
end

return bot_name
