-- A driver's own phone as they type it → E.164. Numbers without a country are Russian.

-- nil when it is no phone: letters, two numbers, too few or too many digits.
local function normalise(shown)
  if shown:find "[^%d%s%+%(%)%-%.\194\160\226\128\144-\148]" then return nil end
  local digits = shown:gsub("%D", "")
  local plus = shown:find "^[%s%(]*%+" ~= nil
  local _, pluses = shown:gsub("%+", "")
  if pluses > (plus and 1 or 0) then return nil end
  if not plus then
    if digits:find "^00" then
      digits = digits:sub(3)
    elseif digits:find "^810" and #digits > 11 then -- the way out of Russia
      digits = digits:sub(4)
    elseif #digits == 10 and digits:find "^[3489]" then
      digits = "7" .. digits
    elseif #digits == 11 and digits:find "^8" then
      digits = "7" .. digits:sub(2)
    elseif #digits < 11 then
      return nil
    end
  end
  if digits:find "^7" and #digits ~= 11 then return nil end
  if #digits < 7 or #digits > 15 or digits:find "^0" then return nil end
  return "+" .. digits
end

--- +79998887766 → «+7 999 888-77-66»; others stay as they are.
local function shown(phone)
  local code, a, b, c = phone:match "^%+7(%d%d%d)(%d%d%d)(%d%d)(%d%d)$"
  if not code then return phone end
  return ("+7 %s %s-%s-%s"):format(code, a, b, c)
end

return {
  normalise = normalise, shown = shown,
  examples = {
    { "normalise", { "8 (999) 888-77-66" }, "+79998887766" },
    { "normalise", { "999 888 77 66" }, "+79998887766" },
    { "normalise", { "+375 29 123-45-67" }, "+375291234567" },
    { "normalise", { "79998887766" }, "+79998887766" },
    { "normalise", { "позвоните мне" }, nil },
    { "normalise", { "+7 999 888-77" }, nil },
    { "normalise", { "8 800 555-35-35, 8 495 000-00-00" }, nil },
    { "shown", { "+79998887766" }, "+7 999 888-77-66" },
  },
}
