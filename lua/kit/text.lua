--- Text as people write it: UTF-8 aware trimming, lower case, counting. Pure; part of the rule vocabulary.
local byte, char, find, gsub, sub = string.byte, string.char, string.find, string.gsub, string.sub

local text = {}

-- Upper → lower for the alphabets that city names and driver names come in.
local LOWER = {}
local function encode(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + math.floor(code / 64), 0x80 + code % 64) end
  return char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end
local function map_range(first, last, offset)
  for code = first, last do LOWER[encode(code)] = encode(code + offset) end
end
map_range(0xC0, 0xD6, 32)     -- Latin-1
map_range(0xD8, 0xDE, 32)
map_range(0x391, 0x3A1, 32)   -- Greek
map_range(0x3A3, 0x3AB, 32)
map_range(0x410, 0x42F, 32)   -- Cyrillic А-Я
map_range(0x400, 0x40F, 80)   -- Ё, Є, І, Ї and their neighbours
map_range(0x531, 0x556, 48)   -- Armenian
for first, last in pairs { [0x100] = 0x12E, [0x132] = 0x136, [0x14A] = 0x176, [0x460] = 0x480, [0x48A] = 0x4BE,
                           [0x4D0] = 0x52E } do
  for code = first, last, 2 do LOWER[encode(code)] = encode(code + 1) end
end
for first, last in pairs { [0x139] = 0x147, [0x179] = 0x17D, [0x4C1] = 0x4CD } do
  for code = first, last, 2 do LOWER[encode(code)] = encode(code + 1) end
end

--- Without white space at both ends (ASCII space and controls, no-break space).
function text.trim(s)
  s = gsub(gsub(s, "^[%s]+", ""), "[%s]+$", "")
  while sub(s, 1, 2) == "\194\160" do s = gsub(sub(s, 3), "^[%s]+", "") end
  while sub(s, -2) == "\194\160" do s = gsub(sub(s, 1, -3), "[%s]+$", "") end
  return s
end

--- Trimmed, and every run of white space inside is one space.
function text.squeeze(s)
  return (gsub(text.trim(gsub(s, "\194\160", " ")), "%s+", " "))
end

--- Unicode lower case for Latin, Greek, Cyrillic and Armenian letters.
function text.lower(s)
  s = s:lower()
  if not find(s, "[\195-\215]") then return s end
  return (gsub(s, "[\195-\215][\128-\191]", LOWER))
end

-- Length of the valid sequence at `i`, or nil: overlong forms, surrogates and code points over U+10FFFF are refused.
local function sequence(s, i)
  local a, b, c, d = byte(s, i, i + 3)
  local function tail(x) return x and x >= 0x80 and x <= 0xBF end
  if a < 0x80 then return 1 end
  if a >= 0xC2 and a <= 0xDF then return tail(b) and 2 or nil end
  if a >= 0xE0 and a <= 0xEF then
    local low, high = a == 0xE0 and 0xA0 or 0x80, a == 0xED and 0x9F or 0xBF
    return b and b >= low and b <= high and tail(c) and 3 or nil
  end
  if a >= 0xF0 and a <= 0xF4 then
    local low, high = a == 0xF0 and 0x90 or 0x80, a == 0xF4 and 0x8F or 0xBF
    return b and b >= low and b <= high and tail(c) and tail(d) and 4 or nil
  end
end

--- Number of characters, or nil when it is not UTF-8.
function text.length(s)
  if not find(s, "[\128-\255]") then return #s end
  local i, count, size = 1, 0, #s
  while i <= size do
    local step = sequence(s, i)
    if not step then return nil end
    i, count = i + step, count + 1
  end
  return count
end

function text.is_utf8(s)
  return text.length(s) ~= nil
end

--- Control characters (C0 and DEL) that have no place in a name or a parameter.
function text.has_control(s)
  return find(s, "[%z\1-\31\127]") ~= nil
end

--- The first `count` characters of valid UTF-8.
function text.first(s, count)
  local i = 1
  while count > 0 and i <= #s do
    i, count = i + (sequence(s, i) or 1), count - 1
  end
  return sub(s, 1, i - 1)
end

--- Non-empty parts with `separator` between them.
function text.join(parts, separator)
  local kept = {}
  for _, part in ipairs(parts) do
    if part ~= nil and part ~= "" then kept[#kept + 1] = part end
  end
  return table.concat(kept, separator)
end

return text
