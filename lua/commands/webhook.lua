--- `fura webhook set|info|delete`: where Telegram sends the bot's updates.
local telegram_api = require "services.telegram_api"

local UPDATES = { "message", "callback_query", "my_chat_member" }

local function our_url()
  return (host.config.webapp_url:gsub("[?#].*$", ""):gsub("/+$", "")) .. "/webhooks/telegram"
end

-- What waits at Telegram stays there and comes afterwards.
local function set()
  local secret = host.config.telegram.webhook_secret
  if not secret then return nil, "TELEGRAM_WEBHOOK_SECRET is not set: the webhook would refuse every update" end
  local ok, problem = telegram_api.call("setWebhook", {
    url = our_url(), secret_token = secret, allowed_updates = host.json.array(UPDATES),
  })
  if not ok then return nil, problem end
  return { url = our_url(), allowed_updates = host.json.array(UPDATES) }, "Telegram sends updates to " .. our_url()
end

local function describe(info)
  local lines = {
    "url              " .. (info.url ~= "" and info.url or "(none)"),
    "waiting          " .. tostring(info.pending_update_count or 0),
    "allowed_updates  " .. table.concat(type(info.allowed_updates) == "table" and info.allowed_updates or {}, ", "),
  }
  if info.last_error_message then
    lines[#lines + 1] = ("last error       %s (%s)"):format(info.last_error_message,
      info.last_error_date and host.time.iso8601(info.last_error_date) or "when is unknown")
  end
  if info.url ~= our_url() then lines[#lines + 1] = "this is not ours: expected " .. our_url() end
  return table.concat(lines, "\n")
end

local function info()
  local answer, problem = telegram_api.call("getWebhookInfo", {})
  if type(answer) ~= "table" then return nil, problem end
  if type(answer.allowed_updates) == "table" then host.json.array(answer.allowed_updates) end
  return answer, describe(answer)
end

local function delete()
  local ok, problem = telegram_api.call("deleteWebhook", {})
  if not ok then return nil, problem end
  return { url = "" }, "Telegram sends updates nowhere; they wait there for a day"
end

local ACTIONS = { set = set, info = info, delete = delete }

return {
  about = "The bot's webhook at Telegram: set it to our address, show it, or delete it.",
  usage = "webhook set|info|delete [--json]",

  --- @param args string[]
  --- @param context {json: boolean}
  --- @return integer? exit_status  0 ok, 1 refused or failed, 2 usage
  run = function(args, context)
    local action = ACTIONS[args[1]]
    if not action or args[2] then
      return 2
    end
    local answer, sentence = action()
    if not answer then return nil, tostring(sentence) end
    print(context.json and host.json.encode(answer) or sentence)
    return 0
  end,
}
