--- What plugins may ask of the application, by what they name in `needs`, and the events they may listen to. It requires no
--- rule, so that wrong plugins are found beside wrong rules (lua/survey.lua).
local alerts = require "services.alerts"
local events = require "services.events"
local host = host
local outbox = require "services.outbox"
local telegram_api = require "services.telegram_api"

local function kind_of(name)
  return "plugin:" .. name
end

-- Add to the outbox: delivered by the plugin's deliver(), tried again after 2 s, 20 s, 5 min and 1 h. Entries of one
-- queue leave one after the other, in order; without a name each has a queue of its own.
local function add_to_outbox(name, entry)
  local queue = entry.queue or ("%s:%s"):format(kind_of(name), host.crypto.uuid())
  return host.pg.transaction(function(tx)
    local done, problem = outbox.add(tx, { kind = kind_of(name), chat_key = queue, payload = { data = entry.data } })
    return done and {} or nil, problem
  end)
end

local services = {
  alerts = function(name)
    return { raise = function(alert, text, fields) return alerts.raise(name .. ":" .. alert, text, fields) end }
  end,
  outbox = function(name)
    return { add = function(entry) return add_to_outbox(name, entry) end }
  end,
  telegram = function()
    return { call = telegram_api.call }
  end,
}

return { events = events.names(), services = services, kind_of = kind_of }
