--- What keeps the product going, for the panel: messages that wait or died, jobs, the server's generation.
local admin_list = require "services.admin_list"
local admin_trail = require "services.admin_trail"
local failure = require "kit.failure"
local host = host
local jobs = require "services.jobs"
local outbox = require "services.outbox"
local rules = require "kit.rules"

local operations = {}

local function unavailable(problem)
  return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 })
end

-- ---- the outbox ----

local LIST = {
  columns = "id::text, kind, chat_key, payload, state, attempts, next_at, tried_at, sent_at, last_error, created_at, uncertain",
  from = "outbox", key = { "outbox.id", "bigint" }, sorts = { id = { "outbox.id", "bigint" } }, sort = "id", descending = true,
}

local SHOW = { dead = "state = 'dead'", open = "state IN ('waiting', 'sending')", sent = "state = 'sent'" }

function operations.outbox(asked)
  local filter = admin_list.filter():add("kind = ?", asked.kind):add("chat_key = ?", asked.q)
  if SHOW[asked.show] then filter:also(SHOW[asked.show]) end
  local page, problem = admin_list.page(LIST, filter, asked)
  if not page then return nil, problem end
  page.depth = outbox.depth()
  return page
end

local function find_entry(id)
  local row, problem = host.pg.one("SELECT " .. LIST.columns .. " FROM outbox WHERE id = $1::text::bigint", id)
  if row then return row end
  if problem then return unavailable(problem) end
  return nil, failure "not_found"
end

--- Try a dead one again.
function operations.retry(id, actor)
  local entry, problem = find_entry(id)
  if not entry then return nil, problem end
  local found
  found, problem = outbox.retry(id)
  if found == nil then return unavailable(problem) end
  if not found then return nil, failure "not_dead" end
  return admin_trail.write(actor, { action = "outbox.retried", target_type = "outbox", target_id = id,
    details = { kind = entry.kind, chat_key = entry.chat_key, error = entry.last_error,
      before = { state = "dead", attempts = entry.attempts }, after = { state = "waiting", attempts = 0 } } })
end

--- Try those of them again that are dead.
--- @param ids string  "1,2,3"
--- @return {retried: integer}?
function operations.retry_all(ids, actor)
  local retried = 0
  for id in ids:gmatch "%d+" do
    local done, problem = operations.retry(id, actor)
    if done then retried = retried + 1 elseif problem.code == "database_unavailable" then return nil, problem end
  end
  return { retried = retried }
end

--- Give a dead one up; what it said stays in the trail.
function operations.drop(id, actor)
  local done, problem = host.pg.transaction(function(tx)
    local row, why = tx:one([[
      DELETE FROM outbox WHERE id = $1::text::bigint AND state = 'dead' RETURNING kind, chat_key, payload, last_error]], id)
    if not row then return nil, why or failure "not_dead" end
    return admin_trail.write(actor, { action = "outbox.dropped", target_type = "outbox", target_id = id,
      details = { before = row } }, tx)
  end)
  if done then return true end
  if problem.code == "not_dead" then return nil, problem end
  return unavailable(problem)
end

-- ---- jobs ----

function operations.jobs()
  local list, problem = jobs.list()
  if not list then return unavailable(problem) end
  return list
end

function operations.run_job(name, actor)
  local ran, problem = jobs.run_now(name)
  if not ran and problem.code == "unknown_job" then return nil, failure "not_found" end
  admin_trail.write(actor, { action = "job.run", target_type = "job", target_id = name,
    details = { outcome = ran and "ok" or problem.code, result = ran and ran.result } })
  if not ran then return nil, failure("job_failed", { text = tostring(problem) }) end
  return ran
end

-- ---- the server ----

--- What the master says of itself: generation, workers, the last reloads.
function operations.server()
  local answers, problem = host.script.ask_master { command = "status" }
  local status = answers and answers[#answers]
  if not status then return nil, failure("not_ready", { text = tostring(problem) }) end
  if status.canary == host.json.null then status.canary = nil end
  return status
end

--- Rules with their hashes, examples and errors, sorted by name.
function operations.rules()
  local list, errors = {}, rules.errors()
  for name, about in pairs(rules.about()) do
    list[#list + 1] = { name = name, path = about.path, hash = about.hash, examples = about.examples,
      errors = errors[name].errors, by_previous = errors[name].by_previous }
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

--- Read everything again. The answer names what was wrong, and then nothing has changed.
--- @return {ok: boolean, generation: integer, problems: string[]}?
function operations.reload(actor)
  local before = operations.server()
  local answers, problem = host.script.ask_master { command = "reload" }
  local outcome = answers and answers[#answers]
  if not outcome then return nil, failure("not_ready", { text = tostring(problem) }) end
  admin_trail.write(actor, { action = outcome.ok and "server.reloaded" or "server.reload_rejected", target_type = "server",
    details = { before = { generation = before and before.generation },
      after = { generation = outcome.ok and outcome.generation or before and before.generation },
      problems = outcome.problems } })
  return outcome
end

return operations
