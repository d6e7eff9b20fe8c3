--- What the commands of tool.world's Redis share: how numbers are written, what a key holds, and the words of refusals.

local values = {}

values.WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
values.NO_INTEGER = "ERR value is not an integer or out of range"
values.NO_FLOAT = "ERR value is not a valid float"
values.SYNTAX = "ERR syntax error"
values.ANY = 1 / 0

--- Add commands of these names to a table: {min, max, run} with the number of their arguments.
function values.definer(commands)
  return function(names, min, max, run)
    for name in names:gmatch "%S+" do commands[name] = { min = min, max = max, run = run } end
  end
end

function values.integer(text)
  return text:find "^%-?%d+$" and #text <= 19 and tonumber(text) or nil
end

--- The value of a key of this kind; a new one when `make` is set. nil and a text when it is of another kind.
function values.of(store, key, kind, make)
  local entry = store:get(key)
  if not entry and make then entry = store:put(key, kind, {}) end
  if not entry then return nil end
  if entry.kind ~= kind then return nil, values.WRONG_TYPE end
  return entry.value
end

--- Arguments two by two, for what takes pairs.
function values.each_pair(...)
  local list, index = { ... }, -1
  return function()
    index = index + 2
    if list[index] ~= nil then return list[index], list[index + 1] end
  end
end

return values
