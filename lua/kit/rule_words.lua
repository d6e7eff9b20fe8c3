--- What Lua says about a wrong edit, in words for people who edit rules. The file and line stay; Lua's own words follow
--- in brackets, for programmers.

local WORDS = {
  { "'}' expected %(to close '{' at line (%d+)%) near '?(.-)'?$",
    "something before %2 is not finished: a comma, or the } that closes the { of line %1, is missing" },
  { "'}' expected near '?(.-)'?$", "something before %1 is not finished: a comma or } is missing" },
  { "'%)' expected.* near '?(.-)'?$", "a ) is missing before %1" },
  { "'end' expected.* near '?(.-)'?$", "a function or an if is not closed: the word end is missing before %1" },
  { "'=' expected near '?(.-)'?$", "a name stands alone before %1: = and a value are missing" },
  { "unfinished string near", "a text is not closed: its second quote is missing" },
  { "unfinished long", "a long text or comment is not closed: ]] is missing" },
  { "malformed number near '?(.-)'?$", "%1 is no number: write it like 499 or 499.5, without units and spaces" },
  { "unexpected symbol near '?(.-)'?$", "%1 makes no sense here: a value, a quote or a comma before it is missing or too much" },
  { "'<eof>' expected near '?(.-)'?$", "%1 comes after the end: a { or an end before it is missing or too much" },
  { "'then' expected", "an if needs the word then after its condition" },
  { "'do' expected", "a for or while needs the word do" },
  { "'<name>' expected near '?(.-)'?$", "a name is expected in place of %1" },
  { "attempt to call .-'([%w_]+)'", "there is no function '%1'" },
  { "attempt to index .-'([%w_]+)'", "'%1' is empty or not a table here" },
  { "attempt to perform arithmetic on .-'([%w_]+)' %(a (%w+) value%)", "'%1' is to be a number, and is a %2" },
  { "attempt to perform arithmetic", "something to calculate with is not a number" },
  { "attempt to concatenate", "something to be joined to a text is empty" },
  { "attempt to compare", "things of different kinds are compared" },
  { "stack overflow", "a function calls itself without end" },
}

--- @param message string  "file:line: what Lua says"
--- @return string
return function(message)
  local place, said = tostring(message):match "^([^\n]-%.lua:%d+: )(.*)$"
  if not place then return message end
  for _, words in ipairs(WORDS) do
    local found = { said:match(words[1]) }
    if said:find(words[1]) then
      local sentence = words[2]:gsub("%%(%d)", function(index)
        local piece = found[tonumber(index)] or ""
        return piece == "<eof>" and "the end of the file" or piece
      end)
      return ("%s%s (Lua: %s)"):format(place, sentence, said)
    end
  end
  return message
end
