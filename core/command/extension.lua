-- What the commands of the application say about themselves, without running anything of theirs: each file is executed
-- with stand-ins for everything it may reach. Arguments: its source, its path. Returns about, usage.
local source, path = ...

local stand_in = newproxy(true)
local meta = getmetatable(stand_in)
meta.__index = function() return stand_in end
meta.__call = function() return stand_in end

local chunk = loadstring(source, "@" .. path)
if not chunk then return "(cannot be read: see fura check)", nil end
setfenv(chunk, setmetatable({ require = function() return stand_in end }, {
  __index = function(_, key) return ({ string = string, table = table, math = math })[key] or stand_in end,
}))
local ok, command = pcall(chunk)
if not ok or type(command) ~= "table" then return "(cannot be read: see fura check)", nil end
return tostring(command.about or ""), command.usage and tostring(command.usage)
