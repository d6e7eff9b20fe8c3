--- Token buckets shared by all workers and nodes: one atomic script in Redis; while Redis is away, the node's shared
--- memory keeps its own.
local host = host

local token_bucket = {}

-- KEYS[1]; rate per second, burst, cost, reserve. Gives {1 or 0, milliseconds until it would pass}.
local TAKE = [[
  local t = redis.call("TIME")
  local now = t[1] + t[2] / 1000000
  local rate, burst, cost, reserve = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
  local kept = redis.call("HMGET", KEYS[1], "tokens", "at")
  local tokens, at = tonumber(kept[1]) or burst, tonumber(kept[2]) or now
  tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
  local passed = tokens - reserve >= cost and 1 or 0
  if passed == 1 then tokens = tokens - cost end
  redis.call("HSET", KEYS[1], "tokens", string.format("%.6f", tokens), "at", string.format("%.6f", now))
  redis.call("PEXPIRE", KEYS[1], math.ceil(burst / rate * 1000) + 1000)
  local missing = math.max(0, cost + reserve - tokens)
  return { passed, passed == 1 and 0 or math.ceil(missing / rate * 1000) }]]

local CAS_ATTEMPTS = 50

local function refill(kept, now, bucket)
  local tokens, at = (kept or ""):match "^([%d%.]+):([%d%.]+)$"
  tokens, at = tonumber(tokens) or bucket.burst, tonumber(at) or now
  return math.min(bucket.burst, tokens + math.max(0, now - at) * bucket.rate)
end

local function take_on_node(bucket, cost, reserve)
  local key = "bucket:" .. bucket.key
  for _ = 1, CAS_ATTEMPTS do
    local kept, now = host.shared.get(key), host.time.monotonic_ms() / 1000
    local tokens = refill(kept, now, bucket)
    local passed = tokens - reserve >= cost
    local left = ("%.6f:%.6f"):format(passed and tokens - cost or tokens, now)
    if host.shared.compare_and_set(key, kept, left, math.ceil(bucket.burst / bucket.rate * 1000) + 1000) then
      return passed, passed and 0 or math.ceil((cost + reserve - tokens) / bucket.rate * 1000)
    end
  end
  return true, 0
end

--- @param bucket {key: string, rate: number, burst: number, node_share: number?}  node_share: divides rate and burst
---   while this node is alone with its count
--- @param options? {cost: number?, reserve: number?}  reserve: how much must stay in the bucket
--- @return boolean passed
--- @return integer wait_ms  until it would pass
function token_bucket.take(bucket, options)
  local cost, reserve = options and options.cost or 1, options and options.reserve or 0
  if host.redis.is_up() then
    local reply = host.redis.eval(TAKE, { bucket.key }, { bucket.rate, bucket.burst, cost, reserve })
    if reply then return reply[1] == 1, reply[2] end
  end
  local share = bucket.node_share or 1
  local own = { key = bucket.key, rate = bucket.rate / share, burst = math.max(1, bucket.burst / share) }
  return take_on_node(own, cost, reserve / share)
end

return token_bucket
