--- Begins and ends a canary for the panel: a share of the drivers meets the sources on disk before all do (docs/adr/0009).
local admin_trail = require "services.admin_trail"
local failure = require "kit.failure"
local host = host

local admin_canary = {}

-- The last line of the master's answer.
local function ask(order)
  local answers, problem = host.script.ask_master(order)
  local answer = answers and answers[#answers]
  if not answer then return nil, failure("not_ready", { text = tostring(problem) }) end
  return answer
end

local function note(actor, action, details)
  admin_trail.write(actor, { action = action, target_type = "server", details = details })
end

-- «7, 8 9» as «drivers:7,8,9», else a percentage.
local function share_of(asked)
  local ids = {}
  for id in (asked.drivers or ""):gmatch "%d+" do ids[#ids + 1] = id end
  if #ids > 0 then return "drivers:" .. table.concat(ids, ",") end
  return ("%d%%"):format(asked.percent)
end

--- Check the sources as a reload does, then let a share of the drivers meet them.
--- @param asked {percent: integer, drivers: string?, minutes: integer}
--- @return {ok: boolean, generation: integer, problems: string[]}?
--- @return table? failure
function admin_canary.begin(asked, actor)
  local share = share_of(asked)
  local outcome, problem = ask { command = "reload", canary = share, for_s = asked.minutes * 60 }
  if not outcome then return nil, problem end
  note(actor, outcome.ok and "server.canary_begun" or "server.reload_rejected",
    { generation = outcome.generation, share = share, minutes = asked.minutes, problems = outcome.problems })
  return outcome
end

local function finish(order, action, actor)
  local outcome, problem = ask { command = order }
  if not outcome then return nil, problem end
  if not outcome.ok then return nil, failure "no_canary" end
  note(actor, action, { generation = outcome.generation })
  return outcome
end

--- Live for all, now.
function admin_canary.promote(actor)
  return finish("promote", "server.canary_promoted", actor)
end

--- Nobody meets it any more.
function admin_canary.withdraw(actor)
  return finish("withdraw", "server.canary_withdrawn", actor)
end

return admin_canary
