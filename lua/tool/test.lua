-- `fura test [PATH …]`: busted specs inside the runtime, with the real host. Arguments: the application's folder, a list of files and
-- folders (default tests/spec). Prints each failure where it stands, then one closing line; returns the exit status.
local root, paths = ...

local function load_busted()
  local ok, core = pcall(require, "busted.core")
  if not ok then
    io.stderr:write("fura: specs need busted: apt-get install lua-busted\n")
    return nil
  end
  local busted = core()
  require "busted"(busted)
  return busted
end

local function spec_files(busted)
  local lfs = require "lfs"
  local load_files = require "busted.modules.test_file_loader"(busted, { "lua" })
  local targets = {}
  for _, path in ipairs(#paths > 0 and paths or { "tests/spec" }) do
    local absolute = path:sub(1, 1) == "/" and path or root .. "/" .. path
    if not lfs.attributes(absolute) then
      io.stderr:write(("fura: there is no %s\n"):format(path))
      return nil
    end
    targets[#targets + 1] = absolute
  end
  load_files(targets, { "_spec" }, { excludes = {}, recursive = true, verbose = true })
  return targets
end

local function full_name(element, parent)
  local names = { element.name or element.descriptor }
  while parent and parent.descriptor ~= "file" and parent.name do
    table.insert(names, 1, parent.name)
    parent = parent.parent
  end
  return table.concat(names, " ")
end

local function watch(busted)
  local count = { passed = 0, failed = 0, skipped = 0 }
  local function complain(element, parent, message, trace)
    count.failed = count.failed + 1
    local place = trace and trace.short_src and ("%s:%d: "):format(trace.short_src, trace.currentline or 0) or ""
    io.stdout:write(("FAILED %s\n  %s%s\n"):format(full_name(element, parent), place, tostring(message)))
    if trace and trace.traceback then io.stdout:write("  ", (trace.traceback:gsub("\n", "\n  ")), "\n") end
    return nil, true
  end
  busted.subscribe({ "test", "end" }, function(_, _, status)
    if status == "success" then count.passed = count.passed + 1 end
    if status == "pending" then count.skipped = count.skipped + 1 end
    return nil, true
  end)
  busted.subscribe({ "failure" }, complain)
  busted.subscribe({ "error" }, complain)
  return count
end

local busted = load_busted()
if not busted then return 1 end
package.path = ("%s/tests/spec/?.lua;%s/tests/?.lua;%s"):format(root, root, package.path)
local count = watch(busted)
if not spec_files(busted) then return 2 end
require "busted.execute"(busted)(1, { sort = true, shuffle = false })
if count.passed + count.failed + count.skipped == 0 then
  io.stderr:write("fura: no specs were found\n")
  return 2
end
local skipped = count.skipped > 0 and (", %d skipped"):format(count.skipped) or ""
io.stdout:write(("%d passed, %d failed%s\n"):format(count.passed, count.failed, skipped))
io.stdout:flush()
return count.failed == 0 and 0 or 1
