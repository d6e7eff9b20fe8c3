--- How many of the driver's responses were decided since they last opened the list of them.
local contract = require "kit.contract"
local host = host
local responses = require "services.responses"

local PATIENCE_MS = 500

return contract {
  name = "bot.count_news", access = "driver",
  about = "Responses decided, or given up, since the driver last opened the list.",
  input = {},
  output = { count = { type = "integer" } },
  errors = { database_unavailable = 503 },

  -- A number beside a word: no page waits long for it.
  run = function(_, context)
    local count, problem = host.task.with_deadline(PATIENCE_MS, function() return responses.count_news(context.driver_id) end)
    if not count then return nil, problem end
    return { count = count }
  end,
}
