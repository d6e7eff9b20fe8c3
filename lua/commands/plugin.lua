--- `fura plugin new|test|pack|verify`: the way of a plugin from nothing to a file that others can trust.
local kit = require "kit.plugins"
local plugins = require "services.plugins"
local world = require "tool.world"


-- ---- files ----

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Runs a command of the system; gives its output, or nil and what it said.
local function system(...)
  local words = {}
  for index, word in ipairs { ... } do words[index] = quoted(word) end
  local pipe = io.popen(table.concat(words, " ") .. " 2>&1; echo $?")
  local text = pipe:read "*a"
  pipe:close()
  local output, status = text:match "^(.-)\n?(%d+)\n$"
  if status == "0" then return output end
  return nil, output
end

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then file:close() end
  return text
end

local function write(path, text)
  local file, problem = io.open(path, "wb")
  if not file then return nil, problem end
  file:write(text)
  return file:close()
end

local function files_below(folder)
  local list, listed = {}, assert(system("find", folder, "-type", "f", "-printf", "%P\\n"))
  for path in listed:gmatch "[^\n]+" do
    if path ~= "plugin.lock" and not path:find "~$" then list[#list + 1] = path end
  end
  table.sort(list)
  return list
end

-- ---- new ----

local PLUGIN = [[
--- What @NAME@ is for, in one sentence.

return {
  name = "@NAME@", version = "0.1.0", api = 1,
  about = "What @NAME@ is for.",
  stage = "rules", -- edge > auth > limit > rules > transform > observe
  config = {
    greeting = { type = "string", default = "hello", max = 100, doc = "what the header says" },
  },

  -- Return nothing and the request goes on; return { status = …, body = … } or { problem = … } and it is answered.
  on_request = function(self, req, conf)
    if req:header "x-teapot" then return { status = 418, body = { teapot = true } } end
  end,

  on_response = function(self, req, res, conf)
    res.headers["X-Greeting"] = conf.greeting
  end,
}
]]

local SPEC = [[
local world = require "tool.world"

describe("@NAME@", function()
  it("greets in every answer", function()
    local plugin = world.plugin("@NAME@", { greeting = "good day" })
    assert.equal("good day", plugin:request({ path = "/" }).headers["X-Greeting"])
  end)

  it("answers teapots itself", function()
    local plugin = world.plugin "@NAME@"
    local res, reached = plugin:request { headers = { ["X-Teapot"] = "1" } }
    assert.is_false(reached)
    assert.equal(418, res.status)
    assert.is_true(res.json.teapot)
  end)

  it("wants a greeting that is a text", function()
    local ok, problem = pcall(world.plugin, "@NAME@", { greeting = 7 })
    assert.is_false(ok)
    assert.matches("greeting: is of the wrong kind", problem)
  end)
end)
]]

local README = [[
# @NAME@

What it is for, and for whom.

    plugins = { @NAME@ = { greeting = "hello" } }

| setting | default | |
|---|---|---|
| `greeting` | `"hello"` | what the header says |
]]

local function new(context, name)
  if not name or not name:find "^%l[%l%d_]*$" then return nil, "a name is of a-z, 0-9 and _, and begins with a letter" end
  local folder = context.root .. "/plugins/" .. name
  if system("test", "-e", folder) then return nil, ("plugins/%s is there already"):format(name) end
  local made, problem = system("mkdir", "-p", folder .. "/spec")
  if not made then return nil, problem end
  for path, text in pairs { ["plugin.lua"] = PLUGIN, ["README.md"] = README, ["spec/" .. name .. "_spec.lua"] = SPEC } do
    made, problem = write(folder .. "/" .. path, (text:gsub("@NAME@", name)))
    if not made then return nil, problem end
  end
  return ("plugins/%s is made. Next:\n  fura plugin test %s\n  plugins = { %s = {} }   in the conf file, then: fura reload")
    :format(name, name, name)
end

-- ---- test ----

local function run_specs(context, folder, as_json)
  local chunk = assert(loadstring(host.script.read "lua/tool/test.lua", "@lua/tool/test.lua"))
  return chunk(context.root, { folder }, as_json)
end

local function test(context, name)
  local folder = name and ("plugins/%s/spec"):format(name) or "plugins"
  if name and not system("test", "-d", context.root .. "/" .. folder) then return nil, ("there is no %s"):format(folder) end
  return run_specs(context, folder, context.json)
end

-- ---- pack ----

local function digest(text)
  return host.crypto.hex(host.crypto.sha256(text))
end

-- As sha256sum writes and checks it.
local function lock_of(folder)
  local lines = {}
  for _, path in ipairs(files_below(folder)) do lines[#lines + 1] = digest(read(folder .. "/" .. path)) .. "  " .. path end
  return table.concat(lines, "\n") .. "\n"
end

local function read_plugin(folder, name)
  local source = read(folder .. "/plugin.lua")
  if not source then return nil, ("there is no plugin.lua in %s"):format(name) end
  local plugin, problems = kit.read(name, ("plugins/%s/plugin.lua"):format(name), source, plugins.world)
  if not plugin then return nil, table.concat(problems, "\n") end
  return plugin, nil, source
end

local function pack(context, name)
  if not name or not name:find "^%l[%l%d_]*$" then return nil, "usage" end
  local folder = context.root .. "/plugins/" .. name
  local plugin, problem = read_plugin(folder, name)
  if not plugin then return nil, problem end
  if run_specs(context, folder .. "/spec") ~= 0 then return nil, "its specs fail: nothing was packed" end
  local done
  done, problem = write(folder .. "/plugin.lock", lock_of(folder))
  if not done then return nil, problem end
  local file = ("%s-%s.tar.gz"):format(name, plugin.definition.version)
  done, problem = system("tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--exclude=*~",
    "-czf", file, "-C", context.root .. "/plugins", name)
  if not done then return nil, problem end
  return ("%s  %s"):format(digest(read(file)), file)
end

-- ---- verify ----

-- Names that would leave the folder, links and devices are refused before anything is unpacked.
local function check_entries(file)
  local listed, problem = system("tar", "-P", "-tvzf", file)
  if not listed then return nil, problem end
  local name
  for line in listed:gmatch "[^\n]+" do
    local kind, path = line:match "^(.)%S+%s+%S+%s+%d+%s+%S+%s+%S+%s+(.+)$"
    if kind ~= "-" and kind ~= "d" then return nil, "it holds what is neither a file nor a folder: " .. line end
    local top = path:match "^(%l[%l%d_]*)/"
    if not top or path:find("..", 1, true) or name and top ~= name then return nil, "it holds a path outside of its folder: " .. path end
    name = top
  end
  return name, not name and "it is empty" or nil
end

local function check_lock(folder)
  local lock = read(folder .. "/plugin.lock")
  if not lock then return nil, "it has no plugin.lock" end
  local known, wrong = {}, {}
  for sum, path in lock:gmatch "(%x+)  ([^\n]+)\n" do known[path] = sum end
  for _, path in ipairs(files_below(folder)) do
    if known[path] ~= digest(read(folder .. "/" .. path)) then
      wrong[#wrong + 1] = path .. (known[path] and " was changed" or " is not in plugin.lock")
    end
    known[path] = nil
  end
  for path in pairs(known) do wrong[#wrong + 1] = path .. " is missing" end
  if #wrong == 0 then return true end
  table.sort(wrong)
  return nil, table.concat(wrong, "\n")
end

local function verify_unpacked(context, folder, name)
  local whole, problem = check_lock(folder)
  if not whole then return nil, problem end
  local plugin, wrong, source = read_plugin(folder, name)
  if not plugin then return nil, wrong end
  world.runner.use_source(("plugins/%s/plugin.lua"):format(name), source)
  if run_specs(context, folder .. "/spec") ~= 0 then return nil, "its specs fail on this server" end
  return ("%s %s: whole, fits fura %s, needs %s"):format(name, plugin.definition.version, host.script.info().version,
    table.concat(plugin.definition.needs or { "nothing" }, ", "))
end

local function verify(context, file)
  if not file then return nil, "usage" end
  if not read(file) then return nil, ("%s cannot be read"):format(file) end
  local name, problem = check_entries(file)
  if not name then return nil, problem end
  local folder = assert(system("mktemp", "-d"))
  local sentence
  local done, wrong = system("tar", "-xzf", file, "-C", folder, "--no-same-owner")
  if done then sentence, problem = verify_unpacked(context, folder .. "/" .. name, name) else problem = wrong end
  system("rm", "-rf", folder)
  return sentence, problem
end

local ACTIONS = { new = new, test = test, pack = pack, verify = verify }

return {
  about = "Make, test, pack and verify a plugin.",
  usage = "plugin new NAME | test [NAME] | pack NAME | verify FILE",

  --- @param args string[]
  --- @param context {root: string}
  --- @return integer exit_status
  run = function(args, context)
    local action = ACTIONS[args[1]]
    local result, problem
    if action and not args[3] then result, problem = action(context, args[2]) end
    if not action or args[3] or problem == "usage" then
      return 2
    end
    if type(result) == "number" then return result end
    if not result then io.stderr:write("fura: ", problem, "\n") else print(result) end
    return result and 0 or 1
  end,
}
