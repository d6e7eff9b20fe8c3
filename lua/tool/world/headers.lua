--- Header fields by name in any case, as requests and answers of tool.world have them.

local Headers = {}
Headers.__index = function(headers, name)
  return type(name) == "string" and rawget(headers, name:lower()) or nil
end

--- A copy with the names in lower case, found in any case.
--- @param given table<string, string>?
--- @return table<string, string>
return function(given)
  local headers = {}
  for name, value in pairs(given or {}) do headers[name:lower()] = value end
  return setmetatable(headers, Headers)
end
