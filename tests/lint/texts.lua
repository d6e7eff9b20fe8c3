-- Every sentence of the rule `texts` is said somewhere: one that nothing says any more is dead.
package.path = "tests/lint/?.lua;" .. package.path
local files = require "files"
local problems = files.problems()

local TEXTS = "lua/rules/texts.lua"
local SAYING = { "t", "say", "bot" }

local words, beginnings = {}, {} -- what is named in quotes, and how names that are put together begin

local function read_template(text)
  for key in text:gmatch('%f[%w_]t%s*%(?%s*"([%w_]+)"') do words[key] = true end
end

local function read_script(text)
  for key in text:gmatch('"([%w_]+)"') do words[key] = true end
end

files.each_line(files.list({ "lua", "plugins" }, { "lua", "html" }), function(path, _, text)
  if path == TEXTS then return end
  for _, name in ipairs(SAYING) do
    for beginning in text:gmatch("%f[%w_]" .. name .. '%("([%w_]+_)"%s*%.%.') do beginnings[beginning] = true end
  end
  if path:find "%.html$" then read_template(text) else read_script(text) end
end)

local function is_said(key)
  if words[key] then return true end
  for beginning in pairs(beginnings) do
    if key:sub(1, #beginning) == beginning then return true end
  end
  return false
end

local inside -- one of the lists of sentences, which are all that stands two blanks deep in it
files.each_line({ TEXTS }, function(path, number, text)
  inside = text:match "^local (%l+) = {$" or inside
  if text:find "^}" then inside = nil end
  local key = inside and text:match "^  ([%w_]+) = {"
  if key and not is_said(key) then problems.add(path, number, "nothing says %q", key) end
end)

problems.report()
