--- Is this node able to work, and what do its neighbours say?
local host = host
local breaker = require "services.breaker"
local cargo_api = require "services.cargo_api"
local yookassa = require "services.yookassa"

local health = {}

local CHECK_MS = 1000

local function postgres_answers()
  local row = host.task.with_deadline(CHECK_MS, function() return host.pg.one "SELECT 1 AS one" end)
  return row ~= nil
end

local function redis_answers()
  return host.task.with_deadline(CHECK_MS, function() return host.redis.command "PING" end) ~= nil
end

-- Names of the migrations this generation was built with and the database has not seen, in order. A database that never
-- was migrated has no table to ask.
local function pending_migrations()
  local rows = host.pg.query "SELECT version FROM schema_migrations"
  local applied, pending = {}, {}
  for _, row in ipairs(rows or {}) do applied[row.version] = true end
  for _, path in ipairs(host.script.list "migrations") do
    local name, version = path:match "/((%d+)_[^/]*)%.sql$"
    if name and not applied[tonumber(version)] then pending[#pending + 1] = name end
  end
  table.sort(pending)
  return pending
end

--- Names of what is missing: "postgres", "redis", "migrations". Empty when all is well.
--- @return string[] missing
--- @return {count: integer, first: string}? migrations  those pending, when they are missing
function health.missing()
  local results = host.task.all { postgres_answers, redis_answers }
  local missing, pending = {}, {}
  if results[1][1] then pending = pending_migrations() else missing[1] = "postgres" end
  if #pending > 0 then missing[1] = "migrations" end
  if not results[2][1] then missing[#missing + 1] = "redis" end
  return missing, #pending > 0 and { count = #pending, first = pending[1] } or nil
end

--- Is the server going away? Balancers should send nobody here then.
function health.is_draining()
  return host.script.info().draining == true
end

--- What a person wants to see first.
function health.summary()
  local info = host.script.info()
  return {
    postgres = host.pg.is_up(), redis = host.redis.is_up(), generation = info.generation, version = info.version,
    upstreams = { cargotech = breaker.state "cargotech", yookassa = breaker.state "yookassa" },
  }
end

--- Ask the outside services themselves.
function health.deep()
  local asked = host.task.all { cargo_api.me, yookassa.me }
  local shown = {}
  for index, name in ipairs { "cargotech", "yookassa" } do
    local body, problem = asked[index][1], asked[index][2]
    shown[name] = { ok = body ~= nil, error = body == nil and problem and problem.code or nil }
  end
  return shown
end

return health
