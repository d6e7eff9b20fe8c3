--- Feature flags as a driver has them: the rule's defaults, overridden by rows of feature_flags.
local host = host
local rules = require "kit.rules"
local settings = require "services.settings"

local flags = {}

-- A driver's place between 0 and 99 for one flag: the same on every node and after every restart, and independent
-- between flags, so that raising a percentage only adds drivers.
local function bucket(name, driver_id)
  local first, second, third = host.crypto.sha256(name .. ":" .. driver_id):byte(1, 3)
  return (first * 65536 + second * 256 + third) % 100
end

--- What the database's flag of this name says to a driver; nil when there is none.
--- @return boolean?
function flags.decides(name, driver_id, is_subscribed)
  local flag = settings.flags()[name]
  if not flag then return nil end
  return rules.flags.is_on(flag, {
    bucket = bucket(name, driver_id), allowed = flag.allowed[driver_id] == true, subscribed = is_subscribed,
  })
end

--- All flags of a driver.
--- @return table<string, boolean>
function flags.of(driver_id, is_subscribed)
  local result = {}
  for name, enabled in pairs(rules.flags.defaults) do result[name] = enabled end
  for name in pairs(settings.flags()) do result[name] = flags.decides(name, driver_id, is_subscribed or false) end
  return result
end

--- One flag of a driver.
function flags.is_on(name, driver_id, is_subscribed)
  local said = flags.decides(name, driver_id, is_subscribed or false)
  if said ~= nil then return said end
  return rules.flags.defaults[name] == true
end

return flags
