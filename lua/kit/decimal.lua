--- Decimal arithmetic on the decimal text of a number, so that 82.45 rounds to 82,5 and not to what its binary
--- neighbour would give. Pure; part of the rule vocabulary.
local floor, abs = math.floor, math.abs

local decimal = {}

--- The shortest decimal text that reads back as the same number; nil for NaN, infinities and what is no number.
function decimal.text(value)
  if type(value) ~= "number" or value ~= value or value == math.huge or value == -math.huge then return nil end
  if value == floor(value) and abs(value) < 2 ^ 53 then return ("%.0f"):format(value) end
  for digits = 14, 17 do
    local shown = ("%%.%dg"):format(digits):format(value)
    if tonumber(shown) == value then return shown end
  end
end

-- "12.345e3" → sign, digits "12345", number of digits before the point.
local function take_apart(shown)
  local sign, whole, fraction, exponent = shown:match "^(-?)(%d+)%.?(%d*)[eE]?([+-]?%d*)$"
  return sign, whole .. fraction, #whole + (tonumber(exponent) or 0)
end

-- One more in the last place.
local function increment(digits)
  local nines = #digits:match "9*$"
  local head = digits:sub(1, #digits - nines)
  if head == "" then return "1" .. ("0"):rep(nines) end
  return head:sub(1, -2) .. string.char(head:byte(-1) + 1) .. ("0"):rep(nines)
end

--- `value` × 10^`shift` with exactly `places` decimals, rounded half up (away from zero), with a dot.
--- decimal.fixed(12350, 1, -3) → "12.4"
function decimal.fixed(value, places, shift)
  local shown = decimal.text(value)
  if not shown then return nil end
  local sign, digits, point = take_apart(shown)
  local keep = point + (shift or 0) + places -- how many digits stay
  if keep < 0 then digits, keep = "0", 1 elseif keep == 0 then digits, keep = "0" .. digits, 1 end
  local rest = digits:sub(keep + 1, keep + 1)
  digits = digits:sub(1, keep) .. ("0"):rep(keep - #digits)
  if rest ~= "" and rest >= "5" then digits = increment(digits) end
  digits = digits:gsub("^0+", "")
  digits = ("0"):rep(places + 1 - #digits) .. digits
  local result = digits:sub(1, #digits - places)
  if places > 0 then result = result .. "." .. digits:sub(-places) end
  return (digits:find "[1-9]" and sign or "") .. result
end

--- "1234567.8" → "1 234 567,8": thousands by ordinary spaces, decimal comma, unless told otherwise.
function decimal.grouped(shown, thousands, point)
  local sign, whole, fraction = shown:match "^(-?)(%d+)%.?(%d*)$"
  local first = (#whole - 1) % 3 + 1
  local result = whole:sub(1, first) .. whole:sub(first + 1):gsub("%d%d%d", (thousands or " ") .. "%0")
  return sign .. result .. (fraction ~= "" and (point or ",") .. fraction or "")
end

--- Is it a number without a fraction that a double holds exactly?
function decimal.is_integer(value)
  return type(value) == "number" and value == floor(value) and abs(value) <= 2 ^ 53
end

return decimal
