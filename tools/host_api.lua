-- Writes docs/host-api.md to standard output from the annotations in lua/meta, which editors read too: one source.
--   luajit tools/host_api.lua | cat -s > docs/host-api.md

-- In the order a reader needs them.
local modules = {
  "host", "request", "log", "json", "time", "timer", "task", "redis", "pg", "http", "crypto", "shared", "metrics", "script",
}

local function split(line)
  local kind, rest = line:match("^%-%-%-@(%w+)%s*(.*)$")
  return kind, rest
end

--- `name type text` with types that may hold blanks inside brackets: name, type, text.
local function typed(rest)
  local name, tail = rest:match("^(%S+)%s+(.*)$")
  if not name then return rest, "", "" end
  local depth, index = 0, 1
  while index <= #tail do
    local char = tail:sub(index, index)
    if char:match("[%(%[{<]") then depth = depth + 1 end
    if char:match("[%)%]}>]") then depth = depth - 1 end
    local next_char = tail:sub(index + 1, index + 1)
    if char == " " and depth == 0 and not tail:sub(1, index - 1):match("[:,|]$") and next_char ~= "|" then break end
    index = index + 1
  end
  return name, tail:sub(1, index - 1), (tail:sub(index):gsub("^%s+", ""))
end

local function item(name, kind, text)
  local shown = kind ~= "" and ("`%s` `%s`"):format(name, kind) or ("`%s`"):format(name)
  return ("- %s%s"):format(shown, text ~= "" and (": " .. text) or "")
end

local function returned(rest)
  local _, kind, text = typed("_ " .. rest)
  return ("- returns `%s`%s"):format(kind, text ~= "" and (" " .. text:gsub("%s%s+", ", ")) or "")
end

local function write_block(block)
  if #block.text > 0 then print(table.concat(block.text, " ") .. "\n") end
  for _, line in ipairs(block.list) do print(line) end
  if #block.list > 0 then print("") end
end

local function new_block() return { text = {}, list = {} } end

local function take(block, line)
  local kind, rest = split(line)
  if kind == "param" then
    block.list[#block.list + 1] = item(typed(rest))
  elseif kind == "field" then
    block.list[#block.list + 1] = item(typed(rest))
  elseif kind == "return" then
    block.list[#block.list + 1] = returned(rest)
  elseif kind == "class" then
    block.class = rest
  elseif not kind then
    block.text[#block.text + 1] = line:match("^%-%-%-%s?(.*)$")
  end
end

local function finish(block, line, module)
  local signature = line and line:match("^function%s+(.-)%s+end%s*$")
  if signature then
    local own = module ~= "host" and module ~= "request" and signature:match("^" .. module .. "[.:]")
    print(("### `%s%s`\n"):format(own and "host." or "", signature))
    write_block(block)
  elseif block.class and #block.list > 0 then
    print(("### %s\n"):format(block.class))
    write_block(block)
  end
  return new_block()
end

local function write_module(module)
  print(("## %s\n"):format((module == "host" or module == "request") and module or "host." .. module))
  local block, intro = new_block(), true
  for line in io.lines("lua/meta/" .. module .. ".lua") do
    local remark = line:match("^%-%-%s(.*)$")
    if line:match("^%-%-%-@meta") then
      intro = true
    elseif line:match("^%-%-%-") then
      take(block, line)
    elseif remark and intro and #block.list == 0 then
      print(remark)
    else
      if intro and line == "" then print("") end
      intro = false
      if not line:match("^local ") or #block.list > 0 then block = finish(block, line, module) end
    end
  end
  finish(block, nil, module)
end

print("# What Lua may ask of the core\n")
print("Written by `make docs` from `lua/meta`; do not edit.\n")
for _, module in ipairs(modules) do write_module(module) end
