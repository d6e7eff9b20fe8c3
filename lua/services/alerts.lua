--- What people on duty must see: one log line, one count and one message to the chat of alerts, at most once in a window
--- for the same cause.
local host = host
local outbox = require "services.outbox"
local kit_text = require "kit.text"
local sorted_names = require "kit.sorted_names"

local alerts = {}

local WINDOW_S = 600
local LONGEST_TEXT = 3500

local function lines_of(name, text, fields)
  local lines = { ("⚠️ %s"):format(name), text }
  for _, field in ipairs(sorted_names(fields)) do lines[#lines + 1] = ("%s: %s"):format(field, tostring(fields[field])) end
  return kit_text.first(table.concat(lines, "\n"), LONGEST_TEXT)
end

-- Of all nodes one tells.
local function is_told_elsewhere(name)
  local reply, problem = host.redis.command("SET", "alert:" .. name, 1, "NX", "EX", WINDOW_S)
  return reply == nil and problem == nil
end

local function tell(name, text, fields)
  if not host.config.telegram.alerts_chat_id or is_told_elsewhere(name) then return end
  local told, problem = host.pg.transaction(function(tx)
    return outbox.add(tx, { kind = "alert", chat_key = "alerts", payload = { text = lines_of(name, text, fields) } })
  end)
  if not told then host.log.warn("alert not sent", { alert = name, failure = tostring(problem) }) end
end

--- @param name string    stable snake_case
--- @param text string    who, what, which id, what to do
--- @param fields? table
function alerts.raise(name, text, fields)
  if not host.shared.add("alert:" .. name, true, WINDOW_S * 1000) then return end
  local shown = { alert = name, text = text }
  for key, value in pairs(fields or {}) do shown[key] = value end
  host.metrics.count("alerts_total", { alert = name })
  host.log.error("alert", shown)
  host.task.spawn(tell, name, text, fields or {})
end

return alerts
