--- Where the bot is, and what it should open: for pages that lead back to Telegram.
local bot_name = require "services.bot_name"
local contract = require "kit.contract"

return contract {
  name = "bot.find_bot", access = "public",
  about = "The bot's address at t.me; with the id of a payment it opens that payment.",
  input = { payment = { type = "uuid" } },
  output = { url = { type = "url" } },
  errors = {},
  run = function(input) return { url = bot_name.link(input.payment and "pay_" .. input.payment) } end,
}
