-- Compares the pattern functions of pattern.c with those of LuaJIT on generated patterns and subjects.
-- Arguments: LuaJIT's string library, ours, the seed, how many cases. Raises at the first difference.
local native, ours, seed, cases = ...

math.randomseed(seed)
local random = math.random

local function pick(list) return list[random(#list)] end

local CHARACTERS = { "a", "b", "c", "A", "1", "_", " ", "\n", "-", "]", "%", "(", ")", ".", "^", "$", "\0", "\128", "\255" }
local LETTERS = { "a", "a", "a", "b", "b", "c", "1", " ", "(", ")", "A", "\0", "\200", "x" }
local CLASSES = {}
for letter in ("acdglpsuwxzACDGLPSUWXZqQ"):gmatch "." do CLASSES[#CLASSES + 1] = "%" .. letter end
local QUANTIFIERS = { "", "", "", "*", "+", "-", "?" }

local function escaped(character)
  return character:find "%w" and character or "%" .. character
end

local function set()
  local parts = { "[", random(4) == 1 and "^" or "" }
  for _ = 1, random(3) do
    local kind = random(4)
    if kind == 1 then parts[#parts + 1] = pick(CLASSES)
    elseif kind == 2 then parts[#parts + 1] = pick(CHARACTERS) .. "-" .. pick(CHARACTERS)
    else parts[#parts + 1] = random(6) == 1 and pick(CHARACTERS) or escaped(pick(LETTERS)) end
  end
  parts[#parts + 1] = random(20) == 1 and "" or "]"
  return table.concat(parts)
end

local item

local function items(depth)
  local parts = {}
  for index = 1, random(4) do parts[index] = item(depth) end
  return table.concat(parts)
end

local function single()
  local kind = random(10)
  if kind <= 4 then return pick { "a", "b", "c", "1", "x", "A" } end
  if kind <= 5 then return "." end
  if kind <= 7 then return pick(CLASSES) end
  if kind <= 9 then return set() end
  return pick(CHARACTERS)
end

function item(depth)
  local kind = random(20)
  if kind <= 14 or depth > 3 then return single() .. pick(QUANTIFIERS) end
  if kind <= 16 then return "(" .. items(depth + 1) .. ")" end
  if kind == 17 then return "()" end
  if kind == 18 then return "%f" .. set() end
  if kind == 19 then return "%b" .. pick { "()", "ab", "aa", "a", "", "\0b" } end
  return "%" .. random(0, 4)
end

-- Each repetition multiplies what is tried, and LuaJIT cannot be stopped.
local function tame_items()
  local pattern
  repeat
    pattern = items(0)
  until select(2, native.gsub(pattern, "[*+?-]", "")) <= 6
  return pattern
end

local function make_pattern()
  local kind = random(40)
  if kind == 1 then return (""):rep(random(3)) end
  if kind == 2 then return ("(a"):rep(random(30, 40)) end
  if kind == 4 then return pick(CHARACTERS) .. pick(CHARACTERS) .. pick(CHARACTERS) end
  return (random(6) == 1 and "^" or "") .. tame_items() .. (random(6) == 1 and "$" or "")
end

local function make_subject()
  local parts = {}
  for index = 1, random(0, 14) do parts[index] = pick(LETTERS) end
  return table.concat(parts)
end

local STARTS = { -100, -3, -1, 0, 1, 2, 3, 7, 14, 15, 16, 100, 1.5, 2 ^ 31, 2 ^ 40, -2 ^ 40, "2", "x", true }
local REPLACEMENTS = {
  "", "x", "<%0>", "%1", "%2%1", "%%", "%", "%a", "%9", 7, { a = "A", b = 5, c = false, [1] = "one" },
  function(...) return select("#", ...) .. tostring((...)) end, function() end, function() return {} end,
  function() return false end, function(...) return (select(-1, ...)) end, true,
}

local function pack(...)
  return { n = select("#", ...), ... }
end

local function shown(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

-- Behind the wrapper of find an argument that is not there is nil.
local function listed(values)
  local parts = {}
  for index = 1, values.n do parts[index] = shown(values[index]) end
  return (native.gsub(table.concat(parts, ", "), "got no value", "got nil"))
end

local function walk(gmatch, ...)
  local all = { n = 0 }
  for a, b, c, d in gmatch(...) do
    for _, value in ipairs { tostring(a), tostring(b), tostring(c), tostring(d) } do
      all.n = all.n + 1
      all[all.n] = value
    end
    if all.n > 400 then break end
  end
  return unpack(all, 1, all.n)
end

local function arguments(name, subject, pattern)
  if name == "gmatch" then return { n = 2, subject, pattern } end
  if name == "gsub" then
    return { n = random(3, 4), subject, pattern, pick(REPLACEMENTS), pick { 0, 1, 2, -1, 100, 1.9, 2 ^ 40, "1" } }
  end
  if random(3) > 1 then return { n = 2, subject, pattern } end
  return { n = 4, subject, pattern, random(9) > 1 and pick(STARTS) or nil, random(5) == 1 or nil }
end

local function call(library, name, given)
  if name == "gmatch" then return pack(pcall(walk, library.gmatch, unpack(given, 1, given.n))) end
  return pack(pcall(library[name], unpack(given, 1, given.n)))
end

local function compare(name, given)
  local expected, got = listed(call(native, name, given)), listed(call(ours, name, given))
  if expected ~= got then
    error(("seed %d: %s(%s)\n  LuaJIT: %s\n  ours:   %s"):format(seed, name, listed(given), expected, got), 0)
  end
end

local NAMES = { "find", "match", "gmatch", "gsub" }

-- Every class and many sets with every character.
for byte = 0, 255 do
  for _, class in ipairs(CLASSES) do
    local character = string.char(byte)
    compare("find", { n = 2, character, class })
    compare("find", { n = 2, character, "[^" .. class .. "]" })
    compare("find", { n = 2, character, "[a-f\1-\20\200-\255]" })
  end
end

-- How deep a pattern may go.
for count = 190, 210 do
  for _, part in ipairs { "a?", "a*", "a-", "()", "(a)", "%f[a]a?" } do
    for _, name in ipairs(NAMES) do
      compare(name, { n = name == "gsub" and 3 or 2, ("a"):rep(count + 5), part:rep(count), name == "gsub" and "" or nil })
    end
  end
end

local WRONG = { { n = 0 }, { n = 1, "a" }, { n = 2, {}, "a" }, { n = 2, "a", {} }, { n = 2, 12, 2 }, { n = 3, "a", "a", {} } }
for _, name in ipairs(NAMES) do
  for _, given in ipairs(WRONG) do compare(name, given) end
end

for _ = 1, cases do
  local pattern, subject = make_pattern(), make_subject()
  for _, name in ipairs(NAMES) do compare(name, arguments(name, subject, pattern)) end
end
