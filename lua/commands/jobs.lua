--- `fura jobs [run NAME]`: the schedule and the last runs; or one run now, by the running server.
local listing = require "tool.listing"

local function ago(text, now)
  local at = text and host.time.parse_iso8601(text)
  if not at then return "never" end
  local age_s = math.max(0, math.floor(now - at))
  if age_s < 120 then return age_s .. " s ago" end
  if age_s < 7200 then return math.floor(age_s / 60) .. " min ago" end
  return math.floor(age_s / 3600) .. " h ago"
end

local function describe(job, now)
  local state = job.running and "running" or job.outcome or "not yet run"
  local line = ("%-24s every %6d s  %-11s %-12s runs %d, failed %d"):format(job.name, job.every_s, state,
    ago(job.ended_at, now), job.runs, job.failures)
  return job.error and line .. "\n" .. (" "):rep(25) .. "last error: " .. job.error or line
end

local function list(context)
  local jobs, problem = context.call "jobs.list"
  if not jobs then return nil, problem end
  local now = host.time.now()
  print(listing(context, jobs, { line = function(job) return describe(job, now) end }))
  return 0
end

local function run(name, context)
  local answer, problem = context.call("jobs.run", { name = name })
  if not answer then return nil, problem end
  print(context.json and host.json.encode(answer) or name .. ": ok " .. host.json.encode(answer.result))
  return 0
end

return {
  about = "Jobs: schedule and last run; or run one now.",
  usage = "jobs [run NAME] [--json]",

  --- @param args string[]
  --- @param context {json: boolean, call: function}
  --- @return integer? exit_status
  run = function(args, context)
    if #args == 0 then return list(context) end
    if args[1] == "run" and args[2] and not args[3] then return run(args[2], context) end
    return 2
  end,
}
