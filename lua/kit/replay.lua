--- `fura replay`: answers the requests of late with what runs («before») and with the sources on disk («after»), one after
--- the other, and tells what differs. Runs in a worker beside the live generation, in a world where nothing can be
--- changed (core/bind/replay_world.lua). Called by the core as lua/init.lua's replay(asked, tools).
local host = host
local replay_diff = require "kit.replay_diff"
local sorted_names = require "kit.sorted_names"
local text = require "kit.text"

local replay = {}

local WHOLE_MS = 60000        -- then the rest is not replayed
local PAUSE_MS = { 2, 200 }   -- between requests, at least and at most: live ones go first
local LINES = 50              -- changes that are printed, unless --limit says otherwise
local CHANGES, ANSWERS = 1000, 10 -- different ones that are kept, and answers named for each
local QUERY_SHOWN = 80
local LARGE = { max_bytes = 8 * 1024 * 1024 }

local SAFE = { GET = true, HEAD = true }

-- ---- which requests ----

local OF_ITS_TIME = { at_ms = true, status = true, times = true }

-- What makes a request, without when and how often it came.
local function essence_of(recorded)
  local request = {}
  for name, value in pairs(recorded) do
    if not OF_ITS_TIME[name] then request[name] = value end
  end
  return request
end

-- Recorded requests of all workers, each once, the newest first.
local function merge(lists)
  local merged, known = {}, {}
  for _, list in ipairs(lists) do
    for _, recorded in ipairs(list) do
      local request = essence_of(recorded)
      local encoded = host.json.encode(request, { sorted = true })
      local entry = known[encoded]
      if not entry then
        entry = { request = request, encoded = encoded, at_ms = recorded.at_ms }
        known[encoded], merged[#merged + 1] = entry, entry
      end
      entry.at_ms = math.max(entry.at_ms, recorded.at_ms)
    end
  end
  table.sort(merged, function(a, b)
    if a.at_ms ~= b.at_ms then return a.at_ms > b.at_ms end
    return a.encoded < b.encoded
  end)
  return merged
end

local function is_wanted(request, asked)
  if asked.driver and request.driver ~= asked.driver then return false end
  local line = request.method .. " " .. request.route
  return not asked.route or line:find(asked.route, 1, true) ~= nil
end

local function choose(lists, asked)
  local chosen = {}
  for _, entry in ipairs(merge(lists)) do
    if #chosen == (asked.last or math.huge) then break end
    if is_wanted(entry.request, asked) then chosen[#chosen + 1] = entry end
  end
  return chosen
end

-- ---- words ----

local function as_html(headers)
  return headers["hx-request"] == "true" or (headers.accept or ""):find("text/html", 1, true) ~= nil
end

local function label_of(request)
  local query = request.query
  if #query > QUERY_SHOWN then query = text.first(query, QUERY_SHOWN) .. "…" end
  return request.method .. " " .. request.path .. (query ~= "" and "?" .. query or "")
    .. (as_html(request.headers) and " as HTML" or "") .. (request.driver and " driver " .. request.driver or "")
end

local VERBS = { gone = "gone", new = "new", order = "in another order" }

local function sentence_of(change)
  local name = change.where ~= "" and change.what ~= "" and change.where .. ": " .. change.what
    or change.where ~= "" and change.where or change.what
  name = name ~= "" and name .. (change.what == "" and change.where ~= "" and ": " or " ") or ""
  if change.old and change.new then return ("%s«%s» → «%s»"):format(name, change.old, change.new) end
  local value = change.old or change.new
  return name .. (VERBS[change.kind] or "changed") .. (value and (" «%s»"):format(value) or "")
end

-- ---- one request ----

local function is_type(answer, wanted)
  return answer.type:find(wanted, 1, true) ~= nil
end

local function compare_bodies(before, after, ignore)
  if before.body == after.body then return {} end
  if is_type(before, "json") and is_type(after, "json") then
    local old, new = host.json.decode(before.body, LARGE), host.json.decode(after.body, LARGE)
    if old ~= nil and new ~= nil then return replay_diff.json(old, new, ignore.members) end
  end
  return replay_diff.markup(before.body, after.body, ignore.markup)
end

local function compare(before, after, ignore)
  local changes = {}
  local function note(what, old, new)
    if old ~= new then changes[#changes + 1] = { where = "", what = what, old = tostring(old), new = tostring(new) } end
  end
  note("status", before.status or before.error, after.status or after.error)
  note("content type", before.type:match "^[^;]*", after.type:match "^[^;]*")
  note("location", before.location, after.location)
  if #changes > 0 then return changes end
  return compare_bodies(before, after, ignore)
end

local function key_of(change)
  return table.concat({ change.where, change.what, change.old or "", change.new or "", change.kind or "" }, "\0")
end

-- What differs between two answers of the same side too is no change of ours.
local function without_own(changes, own)
  local places, kept = {}, {}
  for _, change in ipairs(own) do places[change.where .. "\0" .. change.what] = true end
  for _, change in ipairs(changes) do
    if not places[change.where .. "\0" .. change.what] then kept[#kept + 1] = change end
  end
  return kept
end

local function failed(answer)
  return answer.status == nil or answer.status >= 500
end

-- Gives changes; or nil and why there is nothing to compare. Third: what the sources on disk did wrong.
local function replay_one(entry, tools, ignore)
  local before, after = tools.answer("before", entry.encoded), tools.answer("after", entry.encoded)
  local lacking = failed(before) and before.needs or failed(after) and after.needs
  if lacking then return nil, "that need " .. lacking end
  if before.error and after.error then return nil, "that fail on both sides: " .. before.error end
  local wrong = after.error or failed(after) and not failed(before) and "answers " .. after.status or nil
  if wrong then return {}, nil, wrong end
  local changes = compare(before, after, ignore)
  if #changes == 0 then return changes end
  return without_own(changes, compare(before, tools.answer("before", entry.encoded), ignore))
end

-- ---- all of them ----

local function count_into(counts, reason, what)
  counts[reason] = counts[reason] or {}
  counts[reason][what] = (counts[reason][what] or 0) + 1
end

-- Things with an id that differ, by their kind: { card = 41 }.
local function count_item(report, where)
  local kind = where:match "^([%a_%-]+) "
  if not kind or report.places[where] then return end
  report.places[where], report.items[kind] = true, (report.items[kind] or 0) + 1
end

local function add_change(report, entry, change)
  local key = key_of(change)
  local known = report.by_key[key]
  count_item(report, change.where)
  if not known and #report.changes == CHANGES then
    report.more = report.more + 1
    return
  end
  if not known then
    known, change.answers, change.count = change, host.json.array {}, 0
    report.by_key[key], report.changes[#report.changes + 1] = known, known
  end
  known.count = known.count + 1
  if #known.answers < ANSWERS then known.answers[#known.answers + 1] = label_of(entry.request) end
end

local function add_changes(report, entry, changes)
  if #changes > 0 then report.differ = report.differ + 1 end
  for _, change in ipairs(changes) do add_change(report, entry, change) end
end

local function add_outcome(report, entry, changes, reason, wrong)
  local label = label_of(entry.request)
  if wrong then report.failures[#report.failures + 1] = { request = label, text = wrong } end
  if not changes then return count_into(report.incomparable, reason, label) end
  report.compared = report.compared + 1
  add_changes(report, entry, changes)
end

local function pause(spent_ms)
  host.task.sleep(math.min(math.max(spent_ms, PAUSE_MS[1]), PAUSE_MS[2]))
end

local function why_skipped(entry, until_ms)
  local request = entry.request
  if not SAFE[request.method] then return "would write", request.method .. " " .. request.route end
  if request.hidden then return "hold a secret that was not kept", request.method .. " " .. request.route end
  if host.time.monotonic_ms() > until_ms then return "were too many for one minute", "requests" end
end

local function replay_all(report, entries, tools, ignore)
  local until_ms = host.time.monotonic_ms() + WHOLE_MS
  for _, entry in ipairs(entries) do
    local skipped, what = why_skipped(entry, until_ms)
    if skipped then
      count_into(report.skipped, skipped, what)
    else
      local from_ms = host.time.monotonic_ms()
      add_outcome(report, entry, replay_one(entry, tools, ignore))
      pause(host.time.monotonic_ms() - from_ms)
    end
  end
end

-- Errors that only the sources on disk logged.
local function new_errors(tools)
  local known, found = {}, host.json.array {}
  for _, problem in ipairs(tools.errors "before") do known[problem.text] = true end
  for _, problem in ipairs(tools.errors "after") do
    if not known[problem.text] then found[#found + 1] = problem end
  end
  return found
end

-- ---- telling ----

local function total(counts)
  local sum = 0
  for _, count in pairs(counts) do sum = sum + count end
  return sum
end

-- «3 would write (POST /api/v1/responses)»
local function counted(counts)
  local parts = {}
  for _, reason in ipairs(sorted_names(counts)) do
    parts[#parts + 1] = ("%d %s (%s)"):format(total(counts[reason]), reason, table.concat(sorted_names(counts[reason]), ", "))
  end
  return table.concat(parts, "; ")
end

local function plural(count, word)
  return ("%d %s%s"):format(count, word, count == 1 and "" or "s")
end

local function summary_of(report)
  if report.compared == 0 then return "no answer was compared" end
  local failures = #report.failures > 0 and (", %d failed"):format(#report.failures) or ""
  if report.differ == 0 then return plural(report.compared, "answer") .. " compared" .. failures .. ", none differs" end
  local things = {}
  for _, kind in ipairs(sorted_names(report.items)) do things[#things + 1] = plural(report.items[kind], kind) end
  local verb = report.differ == 1 and "differs" or "differ"
  return ("%d of %s %s"):format(report.differ, plural(report.compared, "answer"), verb)
    .. (#things > 0 and ": " .. table.concat(things, ", ") or "") .. failures
end

local function change_line(change)
  local more = change.count - 1
  local line = change.answers[1] .. ": " .. sentence_of(change)
  return more > 0 and ("%s (and in %d more)"):format(line, more) or line
end

local function lines_of(report, limit)
  local lines = host.json.array {}
  local function say(...) lines[#lines + 1] = (...):format(select(2, ...)) end
  for index, change in ipairs(report.changes) do
    if limit > 0 and index > limit then
      say("… and %s more (--limit 0 shows all)", plural(#report.changes - limit, "change"))
      break
    end
    lines[#lines + 1] = change_line(change)
  end
  if report.more > 0 then say("… and more than that: take a part with --route, --driver or --last") end
  for _, failure in ipairs(report.failures) do say("FAILED %s: %s", failure.request, failure.text) end
  for _, problem in ipairs(report.errors) do say("ERROR logged %s: %s", plural(problem.count, "time"), problem.text) end
  lines[#lines + 1] = summary_of(report)
  if next(report.skipped) then say("not replayed: %s", counted(report.skipped)) end
  if next(report.incomparable) then say("not comparable: %s", counted(report.incomparable)) end
  return lines
end

--- @param asked {asked: {last: integer?, route: string?, driver: string?, limit: integer?}, recorded: table[][]}
--- @param tools ReplayTools
--- @param ignore {members: table<string, boolean>, markup: string[]}  what means nothing: names of JSON members, and Lua
---   patterns of texts and tags
--- @return table report  `ok` is false when the sources on disk fail where those that run do not
function replay.run(asked, tools, ignore)
  local report = {
    compared = 0, differ = 0, changes = host.json.array {}, more = 0, failures = host.json.array {}, items = {},
    skipped = {}, incomparable = {}, by_key = {}, places = {},
  }
  replay_all(report, choose(asked.recorded, asked.asked), tools, ignore)
  report.by_key, report.places = nil, nil
  report.errors = new_errors(tools)
  report.lines = lines_of(report, asked.asked.limit or LINES)
  report.ok = #report.failures == 0 and #report.errors == 0
  return report
end

return replay
