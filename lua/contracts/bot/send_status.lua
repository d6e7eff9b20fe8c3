--- Contract 4.2: a word to the driver about their response, through the outbox.
local contract = require "kit.contract"
local failure = require "kit.failure"
local responses = require "services.responses"

return contract {
  name = "bot.send_status", number = "4.2", access = "internal",
  about = "Queues the driver's notice; delivered in order, within Telegram's limits.",
  input = {
    driver_id = { type = "string", required = true, pattern = "^%d+$" },
    cargo_id = { type = "string", required = true, pattern = "^%d+$", max_length = 18 },
    status = { type = "string", required = true,
      one_of = { "queued", "sent", "accepted", "rejected", "completed", "failed" } },
  },
  output = { queued = { type = "boolean" } },
  errors = { database_unavailable = 503 },

  run = function(input)
    local told, problem = responses.notify(input)
    if not told then return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 }) end
    return { queued = true }
  end,
}
