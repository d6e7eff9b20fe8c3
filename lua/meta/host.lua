---@meta host
-- What Lua code may ask of the core. Every function that waits says «Yields» and may be called only inside a task
-- (every request, job, timer and spawned function is one). A wrong call raises; a failing world returns nil, failure.

---@class Failure
---@field code string     stable, snake_case: "timeout", "unavailable", "overloaded", "closed", …
---@field service string  "redis", "pg", "http", …
---@field text string     one sentence for the log; never shown to clients

---@class Host
---@field redis HostRedis
---@field pg HostPg
---@field http HostHttp
---@field crypto HostCrypto
---@field json HostJson
---@field time HostTime
---@field timer HostTimer
---@field task HostTask
---@field shared HostShared
---@field log HostLog
---@field metrics HostMetrics
---@field config table   effective settings, read only: host.config.cargotech.api_url; an unset one is nil, an unknown one raises; lists are copies; host.config("redis.url") tells where a value came from
---@field script HostScript
host = {}
