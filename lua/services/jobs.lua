--- Runs the jobs of lua/jobs.lua: each by one process of the cluster at a time, when it is due, when it is woken, or
--- when a person asks. The schedule is in Postgres, so work of a dead process is due again as soon as its lease ends.
---
--- A job is {name, about, every_s, run, limit_s?, is_woken?}. `run(turn)` returns a result for people (a table, or
--- true) and optionally the seconds until it wants to run again; or nil and a failure. `turn.woken()` is true once after
--- each wake during the run. Timers and wakes belong to the generation that made them: after a reload the new generation
--- goes on, and a run of the old one comes to its end.
local host = host
local failure = require "kit.failure"
local leases = require "services.leases"

local jobs = {}

local TICK_MS = 1000
local CHANNEL = "fura_jobs"
local DEFAULT_LIMIT_S = 300
local RUN_NOW_WAIT_MS = 20000
local RUN_NOW_POLL_MS = 100
local HELD_MS = 2500 -- a little over the renewal of leases

local by_name, names = {}, {}
local running, woken = {}, {}

local function lease_of(name)
  return "job " .. name
end

-- ---- one run ----

-- Due until it ends: should this process die, the next look finds it.
local function record_start(job)
  return host.pg.query([[
    INSERT INTO job_runs (name, started_at, runs) VALUES ($1, now(), 1)
    ON CONFLICT (name) DO UPDATE SET started_at = now(), due_at = now(), runs = job_runs.runs + 1]], job.name)
end

local function record_end(job, end_of_run)
  local problem = end_of_run.problem
  return host.pg.query([[
    UPDATE job_runs SET ended_at = now(), due_at = now() + $2 * interval '1 second', outcome = $3, result = $4, error = $5,
      failures = failures + CASE WHEN $3 = 'failed' THEN 1 ELSE 0 END
    WHERE name = $1]],
    job.name, end_of_run.next_s, problem and "failed" or "ok", host.pg.json(end_of_run.result or {}),
    problem and tostring(problem) or nil)
end

local function note_failure(job, problem)
  if problem.code == "script_error" then return end -- its task was logged with its stack
  host.log.error("job failed", { job = job.name, failure = tostring(problem) })
end

-- What a run may ask of its runner.
local function turn_of(job)
  return {
    woken = function()
      local was_woken = woken[job.name]
      woken[job.name] = nil
      return was_woken
    end,
  }
end

-- Under the lease, in a task of its own, so that a raise in the job is a failure of the run.
local function do_run(job)
  local started, problem = record_start(job)
  if not started then return nil, problem end
  local began_ms = host.time.monotonic_ms()
  local body = host.task.spawn_with({ label = "job " .. job.name, detached = false,
    deadline_ms = (job.limit_s or DEFAULT_LIMIT_S) * 1000 }, job.run, turn_of(job))
  local result, second = body:join()
  problem = result == nil and failure.of(second or "job_gave_nothing") or nil
  if problem then note_failure(job, problem) end
  host.metrics.count("jobs_total", { job = job.name, outcome = problem and "failed" or "ok" })
  host.metrics.observe("job_seconds", (host.time.monotonic_ms() - began_ms) / 1000, { job = job.name })
  record_end(job, {
    problem = problem, result = type(result) == "table" and result or nil,
    next_s = not problem and type(second) == "number" and math.min(second, job.every_s) or job.every_s,
  })
  if problem then return nil, problem end
  return result
end

-- Others of this node need not try for a lease that one of them holds.
local function mark_held(job, is_held)
  if is_held then return host.shared.set("jobs:held:" .. job.name, true, HELD_MS) end
  host.shared.delete("jobs:held:" .. job.name)
end

local function run_once(job)
  return leases.with(lease_of(job.name), function()
    woken[job.name] = nil
    mark_held(job, true)
    local result, problem = do_run(job)
    mark_held(job, false)
    return result, problem
  end)
end

-- A wake during a run means one more run: what it is about may have come too late for this one.
local function run_until_quiet(job)
  local result, problem
  running[job.name] = (running[job.name] or 0) + 1
  repeat
    result, problem = run_once(job)
  until not woken[job.name] or problem or host.script.info().retired
  running[job.name] = running[job.name] > 1 and running[job.name] - 1 or nil
  return result, problem
end

local function start_run(job)
  host.task.spawn_with({ label = "run " .. job.name }, run_until_quiet, job)
end

-- ---- when ----

local registered = false

local function register()
  if registered then return end
  local done = host.pg.query("INSERT INTO job_runs (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
    host.pg.array(names))
  registered = done ~= nil
end

-- One worker of each node looks; any may then run.
local function tick()
  if not host.pg.is_up() or not host.shared.add("jobs:tick", true, TICK_MS - 100) then return end
  register()
  local due = host.pg.query([[
    SELECT name FROM job_runs WHERE due_at <= now() AND name = ANY ($1::text[])
      AND NOT EXISTS (SELECT FROM leases WHERE leases.name = 'job ' || job_runs.name
                      AND leases.expires_at > clock_timestamp())]], host.pg.array(names))
  for _, row in ipairs(due or {}) do
    if not running[row.name] then start_run(by_name[row.name]) end
  end
end

local function on_wake(job)
  if running[job.name] then
    woken[job.name] = true
  elseif not host.shared.get("jobs:held:" .. job.name) then
    start_run(job)
  end
end

-- Without a name the connection is new, and wakes may have been missed.
local function on_notice(name)
  for _, known in ipairs(names) do
    local job = by_name[known]
    if name == known or name == nil and job.is_woken then on_wake(job) end
  end
end

--- Take the jobs of lua/jobs.lua. Once a generation.
function jobs.define(list)
  for _, job in ipairs(list) do
    if by_name[job.name] then error("two jobs are called " .. job.name, 0) end
    by_name[job.name], names[#names + 1] = job, job.name
  end
end

--- Begin to run them. Once a worker, where it serves.
function jobs.start()
  host.timer.every(TICK_MS, tick)
  host.pg.listen(CHANNEL, on_notice)
end

--- Have a job run as soon as the transaction commits.
function jobs.wake(tx, name)
  return tx:query("SELECT pg_notify($1, $2)", CHANNEL, name)
end

-- ---- for people ----

--- Run one now and wait for its end; a run under way is waited for first.
--- @return table? result
--- @return table? failure  unknown_job, lease_taken, or that of the run
function jobs.run_now(name)
  local job = by_name[name]
  if not job then return nil, failure("unknown_job", { text = "there is no job called " .. tostring(name) }) end
  local give_up_ms = host.time.monotonic_ms() + RUN_NOW_WAIT_MS
  while true do
    local result, problem = run_until_quiet(job)
    if not problem then return { result = result } end
    if problem.code ~= "lease_taken" or host.time.monotonic_ms() > give_up_ms then return nil, problem end
    host.task.sleep(RUN_NOW_POLL_MS)
  end
end

local function iso(seconds)
  return seconds and host.time.iso8601(seconds) or nil
end

--- Every job with its schedule and last run, in the order of lua/jobs.lua.
--- @return table[]? list
--- @return table? failure
function jobs.list()
  local rows, problem = host.pg.query([[
    SELECT job_runs.*, EXISTS (SELECT FROM leases WHERE leases.name = 'job ' || job_runs.name
                               AND leases.expires_at > clock_timestamp()) AS running
    FROM job_runs]])
  if not rows then return nil, problem end
  local stored, list = {}, host.json.array {}
  for _, row in ipairs(rows) do stored[row.name] = row end
  for index, name in ipairs(names) do
    local job, row = by_name[name], stored[name] or {}
    list[index] = {
      name = name, about = job.about, every_s = job.every_s, running = row.running or false,
      due_at = iso(row.due_at), started_at = iso(row.started_at), ended_at = iso(row.ended_at),
      outcome = row.outcome, error = row.error, result = row.result, runs = row.runs or 0, failures = row.failures or 0,
    }
  end
  return list
end

return jobs
