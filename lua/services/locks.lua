--- Locks for what one task of the whole cluster does while the others wait for its result: in Redis, or in the node's
--- memory while Redis is away. A lock lives shortly and is renewed while it is held, so a dead process is not waited for
--- longer than LIFE_MS. It can be lost, with Redis: only for work that may be done twice without harm. What may not is
--- for services/leases.lua.
local host = host

local locks = {}

local LIFE_MS = 3000
local RENEW_MS = 1000

local RENEW = 'if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("PEXPIRE", KEYS[1], ARGV[2]) end return 0'
local FREE = 'if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0'

local function key(name)
  return "lock:" .. name
end

--- Ours now? False: someone else holds it.
--- @param owner string  unique for each holder
function locks.take(name, owner)
  local reply, problem = host.redis.command("SET", key(name), owner, "NX", "PX", LIFE_MS)
  if problem then return host.shared.add(key(name), owner, LIFE_MS) end
  return reply ~= nil
end

--- Give it back, when it is still ours.
function locks.free(name, owner)
  host.redis.eval(FREE, { key(name) }, { owner })
  if host.shared.get(key(name)) == owner then host.shared.delete(key(name)) end
end

local function renew(name, owner)
  local renewed = host.redis.eval(RENEW, { key(name) }, { owner, LIFE_MS })
  if renewed == 1 then return true end
  return host.shared.compare_and_set(key(name), owner, owner, LIFE_MS)
end

local function keep(name, owner)
  repeat host.task.sleep(RENEW_MS) until not renew(name, owner)
end

--- Run `fn` with a lock that was taken. It is not given back: the caller does that, also when `fn` was cut short.
function locks.hold(name, owner, fn)
  local keeper = host.task.spawn_with({ label = "lock " .. name, detached = false }, keep, name, owner)
  local result, problem = fn()
  keeper:cancel()
  return result, problem
end

return locks
