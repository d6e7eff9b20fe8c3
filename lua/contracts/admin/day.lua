--- Calendar days of filters as moments, in the configured zone.
local host = host

local day = {}

--- Midnight at which a YYYY-MM-DD begins; nil for nil.
function day.start(date)
  if not date then return nil end
  local year, month, number = date:match "^(%d+)-(%d+)-(%d+)$"
  return host.time.from_parts({ year = tonumber(year), month = tonumber(month), day = tonumber(number), hour = 0,
    min = 0, sec = 0 }, host.config.timezone)
end

--- Midnight at which it ends.
function day.finish(date)
  local start = day.start(date)
  if not start then return nil end
  local next_day = host.time.parts(start + 36 * 3600, host.config.timezone) -- noon of the next, whatever clocks do
  return host.time.from_parts({ year = next_day.year, month = next_day.month, day = next_day.day, hour = 0, min = 0,
    sec = 0 }, host.config.timezone)
end

return day
