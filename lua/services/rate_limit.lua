--- How often one subject may use a class of routes (SPEC 4), counted for all workers and nodes together.
local host = host
local failure = require "kit.failure"
local token_bucket = require "services.token_bucket"

local rate_limit = {}

-- rate per second and burst
local CLASSES = {
  default = { rate = 10, burst = 20 },
  login = { rate = 10 / 60, burst = 10 },
  login_failure = { rate = 30 / 60, burst = 30 },
  payment = { rate = 5 / 60, burst = 5 },
  promo = { rate = 5 / 60, burst = 5 },
  response = { rate = 20 / 60, burst = 20 },
  webhook = { rate = 10, burst = 600 },
  webhook_object = { rate = 6 / 60, burst = 6 }, -- how often a minute notifications make us ask about one object
  deep_health = { rate = 1 / 60, burst = 1 },
}

local function bucket(class, subject)
  local limits = CLASSES[class] or error("unknown rate class " .. tostring(class))
  return { key = ("rate:%s:%s"):format(class, subject), rate = limits.rate, burst = limits.burst }
end

local function refuse(class, wait_ms)
  host.metrics.count("rate_limited_total", { class = class })
  return nil, failure("rate_limited", { retry_after_s = math.max(1, math.ceil(wait_ms / 1000)) })
end

--- Count one use. nil and a failure `rate_limited` when there were too many.
--- @param class string
--- @param subject string  a driver id, or an address
function rate_limit.take(class, subject)
  if not host.config.rate_limits then return true end
  local passed, wait_ms = token_bucket.take(bucket(class, subject))
  if passed then return true end
  return refuse(class, wait_ms)
end

--- Would one more use pass? Counts nothing.
function rate_limit.peek(class, subject)
  if not host.config.rate_limits then return true end
  local passed, wait_ms = token_bucket.take(bucket(class, subject), { cost = 0, reserve = 1 })
  if passed then return true end
  return refuse(class, wait_ms)
end

return rate_limit
