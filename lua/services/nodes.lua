--- How many nodes are at work: what one node may take of a shared limit while Redis is away depends on it.
local host = host

local nodes = {}

local KEY = "fura:nodes"
local SEEN_FOR_S = 60
local BEAT_MS = 10000

local function node_id()
  host.shared.add("nodes:id", host.crypto.uuid())
  return host.shared.get "nodes:id" or "unknown"
end

local function beat()
  if not host.shared.add("nodes:beat", true, BEAT_MS - 1000) then return end
  local now = math.floor(host.time.now())
  host.redis.command("ZADD", KEY, now, node_id())
  host.redis.command("ZREMRANGEBYSCORE", KEY, "-inf", now - SEEN_FOR_S)
  local count = host.redis.command("ZCARD", KEY)
  if type(count) == "number" then host.shared.set("nodes:seen", count) end
end

--- Once a worker.
function nodes.start()
  host.task.spawn(beat)
  host.timer.every(BEAT_MS, beat)
end

--- Configured or lately seen, whichever is more.
function nodes.count()
  return math.max(1, host.config.cluster.nodes or 1, host.shared.get "nodes:seen" or 1)
end

return nodes
