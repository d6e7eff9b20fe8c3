--- A breaker a service, one for all workers of the node: opens after consecutive failures, lets one probe through after
--- a while, closes when that one succeeds.
local host = host

local breaker = {}

local OPENS_AFTER = 5
local OPEN_MS = 30000
local PROBE_MS = 15000

local function key(service, what)
  return ("breaker:%s:%s"):format(service, what)
end

--- May a call go out? nil and the milliseconds to wait when not.
function breaker.allow(service)
  local open_until = host.shared.get(key(service, "open_until"))
  if not open_until then return true end
  local left = open_until - host.time.monotonic_ms()
  if left > 0 then return nil, left end
  if host.shared.add(key(service, "probe"), true, PROBE_MS) then return true end
  return nil, 1000
end

function breaker.succeeded(service)
  if host.shared.get(key(service, "failures")) == nil then return end
  host.shared.delete(key(service, "failures"))
  if host.shared.get(key(service, "open_until")) == nil then return end
  host.shared.delete(key(service, "open_until"))
  host.shared.delete(key(service, "probe"))
  host.metrics.gauge("breaker_open", 0, { service = service })
  host.log.info("breaker closed", { service = service })
end

--- Nothing was sent after all: another may be the probe.
function breaker.abandoned(service)
  if host.shared.get(key(service, "open_until")) ~= nil then host.shared.delete(key(service, "probe")) end
end

function breaker.failed(service)
  local failures = host.shared.increment(key(service, "failures"))
  local was_open = host.shared.get(key(service, "open_until")) ~= nil
  if failures < OPENS_AFTER and not was_open then return end
  host.shared.set(key(service, "open_until"), host.time.monotonic_ms() + OPEN_MS)
  host.shared.delete(key(service, "probe"))
  host.metrics.gauge("breaker_open", 1, { service = service })
  if not was_open then host.log.warn("breaker opened", { service = service, failures = failures }) end
end

--- Once a worker: a service that never failed has a state too.
function breaker.start(services)
  for _, service in ipairs(services) do
    host.metrics.gauge("breaker_open", breaker.state(service) == "closed" and 0 or 1, { service = service })
  end
end

--- "closed", "open" or "half_open".
function breaker.state(service)
  local open_until = host.shared.get(key(service, "open_until"))
  if not open_until then return "closed" end
  return open_until > host.time.monotonic_ms() and "open" or "half_open"
end

return breaker
