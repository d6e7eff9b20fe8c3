---@meta host.time

---@class HostTime
local time = {}
---@return number  Unix seconds with microseconds
function time.now() end
---@return number  milliseconds of the monotonic clock
function time.monotonic_ms() end
---`2026-01-26T08:00:00Z`, or with the zone's offset.
---@param seconds number
---@param zone? string   IANA name; default UTC
---@param decimals? integer  0, 3 or 6
function time.iso8601(seconds, zone, decimals) end
---Unix seconds of a full ISO 8601 date-time with zone; nil when it is none.
---@param text string
---@return number?
function time.parse_iso8601(text) end
---Calendar fields in a zone: year, month, day, hour, min, sec, wday (1 = Monday), yday, offset_s.
---@return table
function time.parts(seconds, zone) end
---Unix seconds of calendar fields in a zone; nil for a date that does not exist.
---@return number?
function time.from_parts(parts, zone) end

return time
