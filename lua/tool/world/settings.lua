--- host.config in a spec: that of the conf file, with what a spec changes; never with the secrets of who runs it.

local settings = {}

-- A spec must not depend on the environment it runs in, let alone use a real token.
local ALWAYS = {
  ["telegram.bot_token"] = "1:spec-token", ["telegram.api_url"] = "https://api.telegram.org",
  ["telegram.responses_chat_id"] = -100, ["telegram.alerts_chat_id"] = -200,
}

local changed = {}

--- @param path string  like "telegram.bot_token"
function settings.set(path, value)
  changed[path] = value
end

function settings.reset()
  for path in pairs(changed) do changed[path] = nil end
  for path, value in pairs(ALWAYS) do changed[path] = value end
end

local function view(real, prefix)
  return setmetatable({}, {
    __index = function(_, key)
      local path = prefix .. tostring(key)
      if changed[path] ~= nil then return changed[path] end
      local value = real[key]
      if type(value) ~= "table" or getmetatable(value) == nil then return value end -- a list, or a plain value
      return view(value, path .. ".")
    end,
    __newindex = function() error("settings cannot be changed here: use world.setting(path, value)", 2) end,
    __call = function(_, path) return real(path) end,
  })
end

--- The real settings under those of the spec.
function settings.over(real)
  return view(real, "")
end

settings.reset()

return settings
