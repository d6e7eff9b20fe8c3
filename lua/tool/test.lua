-- `fura test [PATH …] [--filter TEXT] [--json]`: busted specs inside the runtime. Arguments: the application's folder, the
-- words of the command line, whether JSON is wanted. Gives the exit status: 0, 1 when a spec failed, 2 for a wrong use.
--
-- A spec file that requires tool.world runs in a world of its own, without services. The others get the real host; those
-- that need Redis and Postgres are left out, and named, when there are none.
local root, words, wants_json = ...
local report = require "tool.test_report"

local DEFAULT_PATHS = { "plugins", "tests/spec" }
-- They need no services, but for a file that says `-- needs services`.
local FREE_FOLDERS = { "plugins/", "tests/spec/rules/", "tests/spec/kit/", "tests/spec/tool/" }
local SPEC_CPU_MS = 2000       -- of computing without a wait; then the spec is stopped
local SPEC_WAIT_MS = 120000    -- in all; no deadline of its task, which the code under test would see
local PROBE_MS = 2000

local task = { spawn_with = host.task.spawn_with, sleep = host.task.sleep } -- the real ones
local context = {} -- what is known of the file that runs

-- ---- the command line ----

local function usage(text)
  io.stderr:write("fura: ", text, "\nusage: fura test [PATH…] [--filter TEXT] [--json]\n")
  return nil
end

local function read_words()
  local options, index = { paths = {} }, 1
  while words[index] do
    local word = words[index]
    if word == "--filter" then
      index = index + 1
      options.filter = words[index]
      if not options.filter then return usage "--filter needs a text" end
    elseif word:sub(1, 1) == "-" then
      return usage("unknown option " .. word)
    else
      options.paths[#options.paths + 1] = word
    end
    index = index + 1
  end
  return options
end

-- ---- files ----

local function read_file(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then file:close() end
  return text
end

local function relative(path)
  return path:sub(1, #root + 1) == root .. "/" and path:sub(#root + 2) or path
end

-- As busted is to load it: short where one stands in the application's folder.
local function spec_path(path)
  local short = relative(path)
  if short:sub(1, 1) == "/" or require "lfs".currentdir() == root then return short end
  return root .. "/" .. short
end

local function find_specs(paths)
  local lfs, dir, path_of = require "lfs", require "pl.dir", require "pl.path"
  local found, seen = {}, {}
  for _, path in ipairs(#paths > 0 and paths or DEFAULT_PATHS) do
    local full = path:sub(1, 1) == "/" and path or root .. "/" .. path
    local kind = lfs.attributes(full, "mode")
    if not kind and #paths > 0 then return usage(("there is no %s"):format(path)) end
    local files = kind == "directory" and dir.getallfiles(full) or kind and { full } or {}
    for _, file in ipairs(files) do
      local name = path_of.normpath(file)
      if not seen[name] and (kind == "file" or name:find "_spec%.lua$") then
        seen[name], found[#found + 1] = true, name
      end
    end
  end
  table.sort(found)
  return found
end

-- ---- services ----

local function needs_services(path)
  local short = relative(path)
  if short:sub(1, 1) == "/" then return false end -- an unpacked plugin
  local text = read_file(path) or ""
  if text:find("-- needs services", 1, true) then return true end
  for _, folder in ipairs(FREE_FOLDERS) do
    if short:sub(1, #folder) == folder then return false end
  end
  return not text:find "require%s*%(?%s*[\"']tool%.world[\"']"
end

local function missing_services()
  local missing = {}
  local function probe(name, ask)
    local answer, problem = host.task.with_deadline(PROBE_MS, ask)
    if answer == nil then missing[#missing + 1] = ("%s (%s)"):format(name, problem.text ~= "" and problem.text or problem.code) end
  end
  probe("Postgres", function() return host.pg.query "SELECT 1" end)
  probe("Redis", function() return host.redis.command "PING" end)
  return #missing > 0 and table.concat(missing, ", ") or nil
end

local function those_that_can_run(files)
  local free, rest = {}, {}
  for _, file in ipairs(files) do
    local list = needs_services(file) and rest or free
    list[#list + 1] = file
  end
  local missing = #rest > 0 and missing_services()
  if not missing then return files end
  report.left_out(#rest, missing)
  for index, file in ipairs(rest) do rest[index] = relative(file) end
  return free, rest
end

-- ---- one file ----

local function find_fixture(path)
  local folder = context.path:match "^(.*)/[^/]*$" or "."
  return read_file(folder .. "/" .. path) or read_file(folder .. "/fixtures/" .. path) or read_file(root .. "/tests/fixtures/" .. path)
end

local function place_of(trace)
  return trace and ("%s:%d: "):format(trace.short_src, trace.currentline or 0) or ""
end

-- Where a coroutine that was stopped had come to.
local function place_in(co)
  local level = 0
  while co do
    local info = debug.getinfo(co, level, "Sl")
    if not info then break end
    if info.currentline > 0 and info.short_src ~= "prelude" then return place_of(info) end
    level = level + 1
  end
  return ""
end

-- Requiring tool.world is what puts a file into it.
local function offer_world()
  table.insert(package.loaders, 2, function(name)
    if name ~= "tool.world" then return nil end
    return function()
      local world = package.loaders[3](name)()
      world.runner.find_fixtures(find_fixture)
      world.runner.show_places(place_in)
      world.runner.open()
      world.runner.reset()
      context.world = world
      return world
    end
  end)
end

local function begin_file(element)
  context = { path = element.name }
  package.loaded["tool.world"] = nil
  report.file(relative(element.name))
  return nil, true
end

local function end_file()
  if context.world then context.world.runner.close() end
  context = {}
  return nil, true
end

-- ---- one spec ----

local function full_name(busted, element)
  local names, parent = { element.name }, busted.context.parent(element)
  while parent and parent.descriptor ~= "file" and parent.name do
    table.insert(names, 1, parent.name)
    parent = busted.context.parent(parent)
  end
  return table.concat(names, " ")
end

-- With a world, a spec fails also for what nobody expected.
local function judged(element)
  local body = element.run
  local function run(...)
    body(...)
    local text = context.world and context.world.runner.verdict()
    if text then error(place_of(element.trace) .. text, 0) end
  end
  element.run = setfenv(run, getfenv(body))
end

local function joined(handle)
  local guard = task.spawn_with({ label = "end of a spec" }, function()
    task.sleep(SPEC_WAIT_MS)
    handle:cancel()
  end)
  local whole, problem = handle:join()
  guard:cancel()
  if not whole and problem.code == "cancelled" then problem = { text = ("still waiting after %d s"):format(SPEC_WAIT_MS / 1000) } end
  return whole, problem
end

-- Each spec is a task of its own, so that one that computes for ever, or waits for nothing, is stopped alone.
local function in_own_task(busted, executor, element)
  local before, co = busted.context.get(), nil
  local handle = task.spawn_with({ label = "spec", cpu_ms = SPEC_CPU_MS, detached = false }, function()
    co = coroutine.running()
    executor(element)
    return true
  end)
  local whole, problem = joined(handle)
  if whole then return end
  local place = place_in(context.world and context.world.runner.running() or co)
  while busted.context.get() ~= before do busted.context.pop() end
  local parent = busted.context.parent(element)
  busted.publish({ "error", "it" }, element, parent, place .. tostring(problem.text ~= "" and problem.text or problem), nil)
  busted.publish({ "test", "end" }, element, parent, "error")
end

local function around(busted, executor, filter)
  return function(element)
    if filter and not full_name(busted, element):find(filter, 1, true) then return end
    if context.world then context.world.runner.reset() end
    judged(element)
    in_own_task(busted, executor, element)
  end
end

-- ---- all of it ----

local function load_busted(filter)
  local ok, core = pcall(require, "busted.core")
  if not ok then
    io.stderr:write("fura: specs need busted: apt-get install lua-busted\n")
    return nil
  end
  local busted = core()
  local register = busted.register
  function busted.register(descriptor, executor, attributes)
    if descriptor == "it" and type(executor) == "function" then executor = around(busted, executor, filter) end
    return register(descriptor, executor, attributes)
  end
  require "busted"(busted)
  return busted
end

-- What an assertion found may have its cause in what nobody expected.
local function with_cause(message)
  local text = context.world and context.world.runner.verdict()
  if not text or message:find(text, 1, true) then return message end
  return ("%s\nbefore that: %s"):format(message, text)
end

local function watch(busted)
  local function complain(element, _, message, trace)
    local is_spec = element.descriptor == "it" or element.descriptor == "pending"
    report.failure(element, is_spec and full_name(busted, element) or element.name or element.descriptor,
      with_cause(tostring(message or place_of(trace))), trace and trace.traceback)
    return nil, true
  end
  busted.subscribe({ "file", "start" }, begin_file)
  busted.subscribe({ "file", "end" }, end_file)
  busted.subscribe({ "test", "end" }, function(element, _, status)
    local trace = element.trace or {}
    report.spec({ element = element, name = full_name(busted, element), status = status, line = trace.currentline,
      ms = (element.duration or 0) * 1000 })
    return nil, true
  end)
  busted.subscribe({ "failure" }, complain)
  busted.subscribe({ "error" }, complain)
end

local function run(busted, files)
  local load_files = require "busted.modules.test_file_loader"(busted, { "lua" })
  local targets = {}
  for index, file in ipairs(files) do targets[index] = spec_path(file) end
  load_files(targets, {}, { excludes = {}, recursive = false, verbose = true })
  require "busted.execute"(busted)(1, { sort = true, shuffle = false })
end

local options = read_words()
if not options then return 2 end
local files = find_specs(options.paths)
if not files then return 2 end
local function write(text)
  io.stdout:write(text)
  io.stdout:flush()
end
report.begin({ write = write, warn = function(text) io.stderr:write(text) end, json = wants_json, root = root })
local left_out
files, left_out = those_that_can_run(files)
local busted = load_busted(options.filter)
if not busted then return 1 end
watch(busted)
package.path = ("%s/tests/spec/?.lua;%s/tests/?.lua;%s"):format(root, root, package.path)
offer_world()
if #files > 0 then run(busted, files) end -- busted takes no empty list
table.remove(package.loaders, 2)
local status = report.finish(left_out)
io.stdout:flush()
return status
