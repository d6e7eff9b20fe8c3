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
view.add_helper("has", function(value)
  return value ~= nil and value ~= host.json.null and value ~= ""
end)

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

--- YYYY-MM-DD of today plus some days, in the configured zone.
function page.date(days)
  local parts = host.time.parts(host.time.now() + days * 86400, host.config.timezone)
  return ("%04d-%02d-%02d"):format(parts.year, parts.month, parts.day)
end

return page
