--- What people on duty must see: one log line and one count, at most once in a window for the same cause.
local host = host

local alerts = {}

local WINDOW_MS = 600000

--- @param name string    stable snake_case
--- @param text string    who, what, which id, what to do
--- @param fields? table
function alerts.raise(name, text, fields)
  if not host.shared.add("alert:" .. name, true, WINDOW_MS) then return end
  local shown = { alert = name, text = text }
  for key, value in pairs(fields or {}) do shown[key] = value end
  host.metrics.count("alerts_total", { alert = name })
  host.log.error("alert", shown)
end

return alerts
