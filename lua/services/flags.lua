--- Feature flags as a driver has them.
local rules = require "kit.rules"

local flags = {}

--- @return table<string, boolean>
function flags.of(_)
  local result = {}
  for name, enabled in pairs(rules.flags.defaults) do result[name] = enabled end
  return result
end

return flags
