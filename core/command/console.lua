-- The console: read, evaluate as an expression or a statement, print readably. Runs inside one task, so host calls that
-- wait just work. Arguments: read_line(prompt) -> line | nil at the end (waits while the loop turns); run(function), in a task of
-- its own that Ctrl-C ends alone; is a person there?
local read_line, run, interactive = ...

local DEPTH, WIDTH, ITEMS = 4, 76, 40

local show

local function key_text(key)
  if type(key) == "string" and key:match("^[%a_][%w_]*$") then return key end
  return "[" .. show(key, DEPTH) .. "]"
end

-- Numbers first and in order, then names; other keys last.
local function sorted_keys(value)
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then return a < b end
    return type(a) == "number" or (type(b) ~= "number" and tostring(a) < tostring(b))
  end)
  return keys
end

local function items_of(value, depth, seen)
  local items, keys, length = {}, sorted_keys(value), #value
  for index, key in ipairs(keys) do
    if index > ITEMS then
      items[#items + 1] = ("… %d more"):format(#keys - ITEMS)
      break
    end
    local text = show(value[key], depth + 1, seen)
    local is_list_item = type(key) == "number" and key >= 1 and key <= length
    items[#items + 1] = is_list_item and text or key_text(key) .. " = " .. text
  end
  return items
end

local function show_table(value, depth, seen)
  if seen[value] then return "<the same table>" end
  if depth >= DEPTH then return next(value) == nil and "{}" or "{…}" end
  seen[value] = true
  local items = items_of(value, depth, seen)
  seen[value] = nil
  local line = "{ " .. table.concat(items, ", ") .. " }"
  if #items == 0 then return "{}" end
  if #line <= WIDTH and not line:find("\n") then return line end
  local indent = ("  "):rep(depth + 1)
  return "{\n" .. indent .. table.concat(items, ",\n" .. indent) .. "\n" .. ("  "):rep(depth) .. "}"
end

function show(value, depth, seen)
  if type(value) == "string" then return ("%q"):format(value):gsub("\\\n", "\\n") .. "" end
  local meta = type(value) == "table" and getmetatable(value)
  if type(value) ~= "table" or (type(meta) == "table" and meta.__tostring) then return tostring(value) end
  return show_table(value, depth or 0, seen or {})
end

local function print_results(ok, ...)
  if not ok then
    io.stderr:write(tostring((...)), "\n")
    return
  end
  for index = 1, select("#", ...) do
    print((show((select(index, ...)))))
  end
end

-- Wants more lines when the text ends too early; `return` in front first, so that expressions print.
local function compile(text)
  local chunk = loadstring("return " .. text, "=console")
  if chunk then return chunk end
  local problem
  chunk, problem = loadstring(text, "=console")
  if chunk then return chunk end
  return nil, problem, problem:find("'<eof>'", 1, true) ~= nil
end

local function read_chunk()
  local text = read_line(interactive and "fura> " or "")
  while text do
    local chunk, problem, unfinished = compile(text)
    if chunk then return chunk end
    local more = unfinished and read_line(interactive and "  ... " or "")
    if not more then return function() error(problem, 0) end end
    text = text .. "\n" .. more
  end
  return nil
end

if interactive then
  local info = host.script.info()
  print(("fura %s, generation %s. Ctrl-C stops a line, Ctrl-D ends."):format(info.version or "", tostring(info.hash):sub(1, 12)))
end
for chunk in read_chunk do
  run(function()
    print_results(xpcall(chunk, function(problem) return debug.traceback(tostring(problem), 2) end))
  end)
end
if interactive then print() end
return 0
