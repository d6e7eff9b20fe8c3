--- What `fura test` says: each spec with its milliseconds, each failure where it stands, one closing line; or all of it as
--- JSON.
local host = host

local report = {}

local sink  -- {write, warn, json, root}
local count, list, total_ms
local file, shown_file
local complaints -- element → its failures

function report.begin(options)
  sink, count, list, total_ms = options, { passed = 0, failed = 0, skipped = 0 }, {}, 0
  file, shown_file, complaints = nil, nil, {}
end

local function say(text)
  if not sink.json then sink.write(text) end
end

-- The application's folder says nothing to people who stand in it.
local function shortened(text)
  local at = tostring(text)
  while true do
    local first, last = at:find(sink.root .. "/", 1, true)
    if not first then return at end
    at = at:sub(1, first - 1) .. at:sub(last + 1)
  end
end

local function indented(text, by)
  return by .. shortened(text):gsub("\n", "\n" .. by)
end

function report.file(path)
  file = path
end

local function show_file()
  if shown_file == file or not file then return end
  say(shortened(file) .. "\n")
  shown_file = file
end

-- Of the stack only what belongs to the application: the rest is the tool's own.
local function own_lines(traceback)
  local lines = {}
  for line in tostring(traceback or ""):gmatch "[^\n]+" do
    if line:find "%.lua:%d+:" and not line:find "/busted/" and not line:find "lua/tool/test" and not line:find "/luassert/" then
      lines[#lines + 1] = line
    end
  end
  return table.concat(lines, "\n")
end

local function show_failure(name, complaint)
  say(("  FAILED  %s\n%s\n"):format(name, indented(complaint.message, "    ")))
  local stack = own_lines(complaint.traceback)
  if stack ~= "" then say(indented(stack, "    ") .. "\n") end
end

--- A failure or an error of a spec, which is told at its end; of anything else, at once.
function report.failure(element, name, message, traceback)
  local complaint = { message = tostring(message), traceback = traceback }
  if element.descriptor == "it" then
    local known = complaints[element] or {}
    known[#known + 1], complaints[element] = complaint, known
    return
  end
  show_file()
  count.failed = count.failed + 1
  list[#list + 1] = { file = file, name = name, status = "failed", message = shortened(message) }
  show_failure(name, complaint)
end

local STATUS = { success = "passed", pending = "skipped", failure = "failed", error = "failed" }

--- @param spec {element: table, name: string, status: string, line: integer?, ms: number}
function report.spec(spec)
  show_file()
  local failures = complaints[spec.element]
  local status = failures and "failed" or STATUS[spec.status] or "failed"
  count[status], total_ms = count[status] + 1, total_ms + spec.ms
  list[#list + 1] = { file = file, line = spec.line, name = spec.name, status = status,
    ms = math.floor(spec.ms * 1000 + 0.5) / 1000, message = failures and shortened(failures[1].message) or nil }
  if status ~= "failed" then
    return say(("  %s %7.1f ms  %s\n"):format(status == "passed" and "ok" or "--", spec.ms, spec.name))
  end
  for _, complaint in ipairs(failures or { { message = "it failed" } }) do show_failure(spec.name, complaint) end
end

--- Specs that cannot run here.
function report.left_out(number, missing)
  local files = number == 1 and "1 spec file needs services and is" or number .. " spec files need services and are"
  sink.warn(("fura: %s left out: %s\n"):format(files, missing))
  sink.warn "fura: with private ones: node tests/support/with_services.js build/fura test\n"
end

--- The closing line; gives the exit status.
--- @param left_out? string[]
function report.finish(left_out)
  local ran = count.passed + count.failed + count.skipped
  if sink.json then
    sink.write(host.json.encode({ passed = count.passed, failed = count.failed, skipped = count.skipped,
      ms = math.floor(total_ms * 1000 + 0.5) / 1000, left_out = host.json.array(left_out or {}),
      specs = host.json.array(list) }, { sorted = true }) .. "\n")
  end
  if ran == 0 then
    sink.warn(left_out and "fura: nothing was run\n" or "fura: no specs were found\n")
    return left_out and 1 or 2
  end
  local skipped = count.skipped > 0 and (", %d skipped"):format(count.skipped) or ""
  say(("%d passed, %d failed%s in %.0f ms\n"):format(count.passed, count.failed, skipped, total_ms))
  return count.failed == 0 and 0 or 1
end

return report
