--- Contract 4.3: the bot's webhook. Telegram repeats an update until it gets a 200, so whatever is valid JSON is
--- answered that way, unless the database is away and a press of a button would be lost.
local bot = require "services.bot"
local contract = require "kit.contract"
local host = host

-- Looked at before the body is. Without a configured secret nobody passes.
local function is_telegram(given)
  local secret = host.config.telegram.webhook_secret
  return secret ~= nil and given ~= nil and host.crypto.equal(given, secret)
end

return contract {
  name = "bot.receive_update", number = "4.3", access = "public",
  about = "Updates of the bot: /start, buttons of the dispatchers, who blocked the bot.",
  input = { body = { type = "string" }, secret = { type = "string" } }, raw_input = true,
  output = {},
  errors = { unauthorized = 401, invalid_json = 400, database_unavailable = 503 },

  run = function(input)
    if not is_telegram(input.secret) then return nil, "unauthorized" end
    local update, problem = host.json.decode(input.body)
    if problem then return nil, "invalid_json" end
    local taken
    taken, problem = bot.take(update)
    if not taken then return nil, problem end
    return {}
  end,
}
