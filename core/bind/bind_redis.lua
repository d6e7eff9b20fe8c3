-- The parts of host.redis that are plain Lua over bind_redis.c. Arguments: the module, and what only this file uses.
local redis, inside = ...

-- Script texts are few and long-lived, and so are their hashes.
local hashes = {}

function redis.eval(script, keys, args)
  local hash = hashes[script]
  if not hash then
    hash = inside.sha1(script)
    hashes[script] = hash
  end
  local value, failure = inside.run("EVALSHA", hash, keys, args)
  if failure and failure.code == "redis_error" and failure.text:find("^NOSCRIPT") then
    return inside.run("EVAL", script, keys, args)
  end
  return value, failure
end

local function close_then(connection, ...)
  inside.close(connection)
  return ...
end

-- No pcall: when fn raises, the end of the task closes the connection, and the error keeps its stack.
function redis.dedicated(fn)
  local connection = inside.open()
  return close_then(connection, fn(connection))
end
