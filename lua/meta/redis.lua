---@meta host.redis

---@class HostRedis
local redis = {}

---Send one command on the shared connection; commands of all tasks are pipelined by themselves. Yields.
---Integers come as numbers, arrays as tables (nil elements as host.json.null).
---Commands that keep state in the connection or may block (MULTI, WATCH, BLPOP, …) raise: they need redis.dedicated.
---@param name string
---@param ... string|number
---@return any reply          nil when the key is missing or the call failed
---@return Failure? failure   code "redis_error" when Redis answered with an error
function redis.command(name, ...) end

---Run a script by its hash, sending its text only when Redis does not know it yet. Yields.
---@param script string
---@param keys (string|number)[]
---@param args (string|number)[]
---@return any reply
---@return Failure? failure
function redis.eval(script, keys, args) end

---Run `fn` with a connection of its own, for WATCH, MULTI and EXEC. The connection is closed at the end,
---also when the task dies. Yields.
---In the reply of EXEC a command that failed has a Failure in its place.
---@param fn fun(connection: RedisConnection): any, Failure?
---@return any, Failure?   what fn returns
function redis.dedicated(fn) end

---@class RedisConnection
local connection = {}
---Yields.
---@param name string
---@param ... string|number
---@return any reply
---@return Failure? failure
function connection:command(name, ...) end

---Call `fn(message)` in a new task for every message of a channel, until closed or the generation ends. `message` is
---nil after a reconnect: some may have been missed.
---A canary leaves messages to the live generation; when it goes live it is told nil if it missed some. `standby`: it gets them
---too (a copy of its own must be kept fresh).
---@param channel string
---@param fn fun(message: string?)
---@param options? {standby: boolean?}
---@return Subscription
function redis.subscribe(channel, fn, options) end

---@class Subscription
local subscription = {}
function subscription:close() end

---@return boolean
function redis.is_up() end

return redis
