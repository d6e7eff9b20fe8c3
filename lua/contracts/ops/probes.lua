--- What probes, balancers and people on duty ask.
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

probes.health = contract {
  name = "ops.health", access = "public",
  about = "A summary for people; deep=1 (from this machine, once a minute) asks the outside services too.",
  input = { deep = { type = "string" } },
  output = {},
  errors = { forbidden = 403, rate_limited = 429 },

  run = function(input, context)
    local summary = health.summary()
    summary.status = summary.postgres and summary.redis and "ok" or "degraded"
    if input.deep ~= "1" then return summary end
    if not context.is_local then return nil, "forbidden" end
    local passed, limited = rate_limit.take("deep_health", "node")
    if not passed then return nil, limited end
    for name, value in pairs(health.deep()) do summary[name] = value end
    return summary
  end,
}

return probes
