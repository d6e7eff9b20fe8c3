--- What probes, balancers and people on duty ask.
local admin_access = require "services.admin_access"
local contract = require "kit.contract"
local failure = require "kit.failure"
local health = require "services.health"
local rate_limit = require "services.rate_limit"
local host = host

local probes = {}

probes.alive = contract {
  name = "ops.alive", access = "public", about = "This process answers.",
  input = {}, output = { status = { type = "string" } },
  run = function() return { status = "alive" } end,
}

local function refuse(missing, migrations)
  return nil, failure("not_ready", { members = { failing = missing, migrations = migrations }, retry_after_s = 1 })
end

probes.ready = contract {
  name = "ops.ready", access = "public",
  about = "200 when Postgres and Redis answer and no migration is pending, else `failing` names what is not so;"
    .. " with serve=1 while this node has a generation and is not draining.",
  input = { serve = { type = "string" } },
  output = { status = { type = "string" } },
  errors = { not_ready = 503 },

  run = function(input)
    if health.is_draining() then return refuse(host.json.array { "draining" }) end
    if input.serve == "1" then return { status = "ok" } end
    local missing, migrations = health.missing()
    if #missing > 0 then return refuse(host.json.array(missing), migrations) end
    return { status = "ok" }
  end,
}

local function may_ask_outside(context)
  if context.is_local then return true end
  if not context.admin_token then return nil, "forbidden" end
  local admin, problem = admin_access.check(context.admin_token)
  if admin then return true end
  return nil, problem.code == "unauthorized" and "forbidden" or problem
end

probes.health = contract {
  name = "ops.health", access = "public",
  about = "A summary for people; deep=1 (from this machine, or with a session of the panel, once a minute) asks the outside"
    .. " services too.",
  input = { deep = { type = "string" } },
  output = {},
  errors = { forbidden = 403, rate_limited = 429, database_unavailable = 503 },

  run = function(input, context)
    local summary = health.summary()
    summary.status = summary.postgres and summary.redis and "ok" or "degraded"
    if input.deep ~= "1" then return summary end
    local may, problem = may_ask_outside(context)
    if not may then return nil, problem end
    local passed, limited = rate_limit.take("deep_health", "node")
    if not passed then return nil, limited end
    for name, value in pairs(health.deep()) do summary[name] = value end
    return summary
  end,
}

return probes
