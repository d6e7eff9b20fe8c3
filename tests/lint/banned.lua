-- Words that must not be in the sources: C functions that overflow or lose errors, marks of unfinished work, a
-- forgotten focus on one spec, and download addresses in the lock file.
package.path = "tests/lint/?.lua;" .. package.path
local files = require "files"
local problems = files.problems()

local banned_calls = {
  sprintf = "snprintf or buf_printf", vsprintf = "vsnprintf", strcpy = "a slice or buf", strcat = "buf_append",
  strncpy = "a slice or buf", strncat = "buf_append", atoi = "slice_to_int or strtol", atol = "strtol", gets = "fgets",
  strtok = "slices", alloca = "a buf", malloc = "mem_new", calloc = "mem_new", realloc = "mem_grow",
}
-- Where memory itself is made: our own, and that of the Lua states, which may be refused.
local may_allocate = { ["core/base/mem.c"] = true, ["core/base/conf_lua.c"] = true, ["core/script/vm.c"] = true }
local allocators = { malloc = true, calloc = true, realloc = true }

files.each_line(files.list({ "core" }, { "c", "h" }), function(path, number, text)
  local code = text:gsub('"[^"]*"', '""'):gsub("//.*$", ""):gsub("/%*.-%*/", "")
  if code:match("^%s*%*") or code:match("^%s*/%*") then return end
  for name in code:gmatch("%f[%w_]([%w_]+)%s*%(") do
    local instead = banned_calls[name]
    if instead and not (allocators[name] and may_allocate[path]) then problems.add(path, number, "%s is banned: use %s", name, instead) end
  end
end)

-- Built from parts, so that this file does not find itself.
local leftovers = { "TO" .. "DO", "FIX" .. "ME", "XX" .. "X", "HA" .. "CK" }
local everywhere = files.list({ "." }, { "c", "h", "lua", "js", "sql", "html", "css", "sh", "md", "txt", "cmake", "yaml", "json" })

files.each_line(everywhere, function(path, number, text)
  for _, word in ipairs(leftovers) do
    if text:match("%f[%w]" .. word .. "%f[%W]") then problems.add(path, number, "%s: finish it or file it, do not leave it", word) end
  end
  if text:match("%s+$") and not path:match("%.md$") then problems.add(path, number, "blanks at the end of the line") end
end)

files.each_line(files.list({ "tests", "plugins" }, { "lua" }), function(path, number, text)
  if text:match("#" .. "only") then problems.add(path, number, "a forgotten #" .. "only") end
end)
files.each_line(files.list({ "tests" }, { "js" }), function(path, number, text)
  if text:match("%f[%w]test%.only%f[%W]") or text:match("only:%s*true") then problems.add(path, number, "a forgotten only") end
end)
files.each_line({ "package-lock.json" }, function(path, number, text)
  if text:match('"resolved"') then problems.add(path, number, "no download addresses in the lock file (.npmrc)") end
end)

problems.report()
