--- Dates as the cargo exchange writes them. Their zone is nominal (the clock at the loading point), so it is
--- dropped and the wall clock kept. Pure; part of the rule vocabulary.
local schema = require "kit.schema"

local clock_text = {}

local function read_time(shown)
  if shown == "" then return 0, 0, 0 end
  local rest = shown:gsub("^[Tt ]", ""):gsub("[Zz]$", ""):gsub("[+-]%d%d:?%d?%d?$", "")
  if rest == shown then return nil end -- no separator between date and time
  local hour, minute, second = rest:match "^(%d%d):(%d%d):(%d%d)$"
  if not hour then hour, minute, second = rest:match "^(%d%d):(%d%d):(%d%d)[.,]%d+$" end
  if not hour then hour, minute = rest:match "^(%d%d):(%d%d)$" end
  if not hour then hour = rest:match "^%d%d$" end
  if not hour then return nil end
  hour, minute, second = tonumber(hour), tonumber(minute or 0), tonumber(second or 0)
  if hour > 23 or minute > 59 or second > 59 then return nil end
  return hour, minute, second
end

--- "2026-01-26" or "2026-01-26T08:00:00.000000Z" → {year, month, day, hour, min, sec, has_time}; nil when it is none.
function clock_text.parse(shown)
  if type(shown) ~= "string" then return nil end
  local year, month, day, rest = shown:match "^%s*(%d%d%d%d)-(%d%d)-(%d%d)(.-)%s*$"
  if not year then return nil end
  if rest == "Z" or rest == "z" then rest = "" end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  if not schema.is_date(year, month, day) then return nil end
  local hour, minute, second = read_time(rest)
  if not hour then return nil end
  return { year = year, month = month, day = day, hour = hour, min = minute, sec = second, has_time = rest ~= "" }
end

--- "2026-01-26T08:00:00": without a zone on purpose.
function clock_text.iso(moment)
  return ("%04d-%02d-%02dT%02d:%02d:%02d"):format(moment.year, moment.month, moment.day, moment.hour, moment.min,
    moment.sec)
end

return clock_text
