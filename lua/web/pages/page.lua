--- What all pages share: rendering in the driver's language, and the helpers of templates.
local rules = require "kit.rules"
local view = require "kit.view"
local host = host

local page = {}

--- An icon of the sprite in views/parts/icons.html.
view.add_helper("icon", function(name)
  return view.html(('<svg class="icon" aria-hidden="true"><use href="#i-%s"></use></svg>'):format(view.escape(name)))
end)

--- Is there something to show? False for nil, null and empty text.
function page.has(value)
  return value ~= nil and value ~= host.json.null and value ~= ""
end
view.add_helper("has", page.has)

--- @param shown string
function page.is_uuid(shown)
  return shown:find "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$" ~= nil
end

--- A value as text; a whole number without a fraction or an exponent.
function page.plain_value(value)
  if type(value) == "number" and value == math.floor(value) then return ("%.0f"):format(value) end
  return value
end

--- @param context {language: string}
function page.render(name, values, context)
  local language = context.language
  values.language = language
  values.t = function(key, words) return rules.texts.say(key, language, words) end
  return view.render(name, values)
end

--- «14:32» in the configured zone.
function page.clock(seconds)
  local parts = host.time.parts(seconds, host.config.timezone)
  return ("%02d:%02d"):format(parts.hour, parts.min)
end

local HALF_A_YEAR_S = 183 * 86400

-- Dates further away than half a year are shown with it.
local function year_of(seconds, parts)
  return math.abs(seconds - host.time.now()) > HALF_A_YEAR_S and " " .. ("%d"):format(parts.year) or ""
end

--- «26 февраля»
function page.long_date(seconds, language)
  local parts = host.time.parts(seconds, host.config.timezone)
  return ("%d %s%s"):format(parts.day, rules.texts.month(parts.month, language), year_of(seconds, parts))
end

--- «26 фев»
function page.short_date(seconds, language)
  local parts = host.time.parts(seconds, host.config.timezone)
  return rules.card.day_month(parts, language) .. year_of(seconds, parts)
end

--- YYYY-MM-DD of today plus some days, in the configured zone.
function page.date(days)
  local parts = host.time.parts(host.time.now() + days * 86400, host.config.timezone)
  return ("%04d-%02d-%02d"):format(parts.year, parts.month, parts.day)
end

return page
