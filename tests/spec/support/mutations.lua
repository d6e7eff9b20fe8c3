--- Texts one to three edits away from a good one, the same at each run: for parsers of outside bytes.
local mutations = {}

local BYTES = { "\0", "\n", "%", "&", "=", ".", "-", "+", "{", "}", '"', "0", "9", "A", "a", "\127", "\195", "\255" }

-- Park and Miller's generator: the same sequence on every machine.
local function generator(seed)
  local state = seed
  return function(limit)
    state = state * 16807 % 2147483647
    return state % limit + 1
  end
end

local EDITS = {
  function(text, at, byte) return text:sub(1, at - 1) .. byte .. text:sub(at + 1) end,
  function(text, at, byte) return text:sub(1, at - 1) .. byte .. text:sub(at) end,
  function(text, at) return text:sub(1, at - 1) .. text:sub(at + 1) end,
  function(text, at) return text:sub(1, at) .. text:sub(at) end,
  function(text, at) return text:sub(1, at) end,
  function(text, at) return text:sub(at) .. text:sub(1, at - 1) end,
}

--- @param text string
--- @param count integer
--- @param seed integer  1 or more
--- @return fun(): string?
function mutations.of(text, count, seed)
  local random = generator(seed)
  return function()
    if count == 0 then return nil end
    count = count - 1
    local changed = text
    for _ = 1, random(3) do
      changed = EDITS[random(#EDITS)](changed, random(math.max(#changed, 1)), BYTES[random(#BYTES)])
    end
    return changed
  end
end

return mutations
