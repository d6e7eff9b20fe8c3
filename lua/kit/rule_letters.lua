--- Words of a rule's code, outside of texts and comments, that are not of English letters. Lua takes any byte beyond ASCII as
--- a letter, so it would make a name of a Russian «а» in days, of curly quotes and of spaces that only look like one.

local SPACES = { "\194\160", "\226\128[\128-\143\168-\175]", "\226\129\160", "\227\128\128", "\239\187\191" }
local QUOTES = { "\194[\171\187]", "\226\128[\152-\159\185\186]" }

local function has_any(word, patterns)
  for _, pattern in ipairs(patterns) do
    if word:find(pattern) then return true end
  end
  return false
end

local function sentence(word)
  if has_any(word, QUOTES) then
    return ("'%s' has typographic quotes (expected straight ones around a text: \"…\")"):format(word)
  end
  if has_any(word, SPACES) then
    local visible = word
    for _, space in ipairs(SPACES) do visible = visible:gsub(space, "") end
    local where = visible ~= "" and (" at '%s'"):format(visible) or " here"
    return ("an invisible sign stands%s: delete the spaces and type them again"):format(where)
  end
  if word:find "%a" then
    return ("'%s' has letters that only look English: type the word anew on the English keyboard"):format(word)
  end
  return ("'%s' makes no sense here (expected names of English letters, and texts in quotes)"):format(word)
end

-- Where the text in quotes that begins at `first` ends.
local function end_of_text(source, first)
  local quote, at = source:sub(first, first), first + 1
  while true do
    local found = source:find("[\\\n" .. quote .. "]", at)
    if not found then return #source end
    local sign = source:sub(found, found)
    if sign ~= "\\" then return found end
    at = found + 2
  end
end

-- Where the comment, the text or the word that begins at `first` ends; the word, when it is one.
local function piece_at(source, first)
  local level = source:match("^%-%-%[(=*)%[", first) or source:match("^%[(=*)%[", first)
  if level then return (select(2, source:find("]" .. level .. "]", first, true)) or #source) end
  if source:find("^%-%-", first) then return (source:find("\n", first, true) or #source) end
  if source:find("^[\"']", first) then return end_of_text(source, first) end
  local word = source:match("^[%a_\128-\255][%w_\128-\255]*", first)
  return first + #(word or " ") - 1, word
end

--- @param source string
--- @param add fun(at: integer, sentence: string)  `at`: of its first byte
return function(source, add)
  local first = source:find "^\239\187\191" and 4 or 1
  while true do
    first = source:find("[%a_\128-\255\"'%-%[]", first)
    if not first then return end
    local last, word = piece_at(source, first)
    if word and word:find "[\128-\255]" then add(first, sentence(word)) end
    first = last + 1
  end
end
