-- Functions of Lua's library that could compute for long inside C, where the watchdog cannot reach: what is surely quick goes to
-- the native ones, the rest to those of pattern_lib.c, which it can stop (docs/adr/0013).
-- And those that call back into Lua, or resume a coroutine: on the C stack these may nest only so deep.
-- Arguments: find, match, next_match, gsub of pattern_lib.c; how many steps are quick; check_depth(), which raises.
local find, match, next_match, gsub, QUICK, check_depth = ...
local byte, floor, huge, string, tostring, type = string.byte, math.floor, math.huge, string, tostring, type
local find_natively, match_natively, gmatch_natively, gsub_natively = string.find, string.match, string.gmatch, string.gsub
local sort_natively = table.sort

local PATTERNS_MAX = 1000

local function count(text, pattern)
  local _, times = gsub_natively(text, pattern, "")
  return times
end

-- The longest subject for which matching takes at most QUICK steps, were every attempt to fail as late as possible: each + * - and
-- each %b and %1 goes over the subject, as does the place where the match begins; each ? tries twice.
local function longest_for(pattern)
  local plain = gsub_natively(pattern, "%%[^bf%d]", "x")
  if not find_natively(plain, "%b", 1, true) then
    plain = gsub_natively(plain, "%[%^?%]?[^%]]*%]", "x") -- what stands in a set repeats nothing
  end
  local passes = count(plain, "[*+-]") + count(plain, "%%[b%d]") + (find_natively(plain, "^%^") and 0 or 1)
  local steps = QUICK / (2 ^ count(plain, "%?") * (#pattern + 1))
  if passes == 0 then return steps >= 1 and huge or -1 end
  return floor(steps ^ (1 / passes))
end

local longest, known = {}, 0 -- pattern → the longest subject that is quick

local function learn(pattern)
  if type(pattern) ~= "string" then return -1 end
  if known == PATTERNS_MAX then longest, known = {}, 0 end
  longest[pattern], known = longest_for(pattern), known + 1
  return longest[pattern]
end

-- Wrong arguments go to ours, which raise as the native ones do.
local function is_quick(s, pattern)
  return type(s) == "string" and #s <= (longest[pattern] or learn(pattern))
end

function string.find(s, pattern, init, plain)
  if not plain and is_quick(s, pattern) then return find_natively(s, pattern, init) end
  if plain and type(s) == "string" and type(pattern) == "string" and #s * #pattern <= QUICK then
    return find_natively(s, pattern, init, true)
  end
  return find(s, pattern, init, plain)
end

function string.match(s, pattern, init)
  if is_quick(s, pattern) then return match_natively(s, pattern, init) end
  return match(s, pattern, init)
end

local CARET = byte "^"

-- A ^ is no anchor here.
function string.gmatch(s, pattern)
  if type(s) == "number" then s = tostring(s) end
  local is_right = type(s) == "string" and type(pattern) == "string"
  if not is_right or is_quick(s, pattern) and byte(pattern) ~= CARET then return gmatch_natively(s, pattern) end
  local at = 0
  local function go_on(next_at, ...)
    at = next_at or at
    return ...
  end
  return function() return go_on(next_match(s, pattern, at)) end
end

function string.gsub(s, pattern, replacement, most)
  if type(replacement) == "function" or type(replacement) == "table" then check_depth() end
  if is_quick(s, pattern) then return gsub_natively(s, pattern, replacement, most) end
  return gsub(s, pattern, replacement, most)
end

-- Comparing all with all is quick up to so many.
local SORT_MAX = 2000

local function is_less(a, b) return a < b end

-- A hostile order makes sorting take squared time; a comparison in Lua is where the watchdog gets in.
function table.sort(list, compare)
  if compare == nil and type(list) == "table" and #list > SORT_MAX then compare = is_less end
  if compare ~= nil then check_depth() end
  return sort_natively(list, compare)
end

local resume_natively = coroutine.resume

function coroutine.resume(co, ...)
  check_depth()
  return resume_natively(co, ...)
end
