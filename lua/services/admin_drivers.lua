--- Drivers as the panel shows them.
local admin_list = require "services.admin_list"
local admin_trail = require "services.admin_trail"
local failure = require "kit.failure"
local host = host
local sessions = require "services.sessions"
local tariffs = require "services.tariffs"
local text = require "kit.text"

local admin_drivers = {}

local LIST = {
  columns = [[d.id::text AS driver_id, d.first_name, d.last_name, d.username, d.created_at, d.last_login_at,
    d.unreachable_at, s.expires_at, s.source]],
  from = "drivers d LEFT JOIN subscriptions s ON s.driver_id = d.id",
  key = { "d.id", "bigint" },
  sorts = { login = { "d.last_login_at", "timestamptz" }, id = { "d.id", "bigint" },
    created = { "d.created_at", "timestamptz" } },
  sort = "login", descending = true,
}

local function prefix(words)
  return (text.lower(words):gsub("[%%_\\]", "\\%0")) .. "%"
end

--- Conditions that find drivers: an id, @username, or the beginning of a name. `column` names the id.
function admin_drivers.search(filter, words, column)
  if not words then return filter end
  words = text.squeeze(words)
  if words:find "^%d+$" and #words <= 18 then return filter:add(column .. " = ?::text::bigint", words) end
  if words:sub(1, 1) == "@" then words = words:sub(2) end
  return filter:add(column .. [[ IN (
    (SELECT id FROM drivers WHERE lower(username) LIKE ? LIMIT 500)
    UNION (SELECT id FROM drivers WHERE lower(first_name) LIKE ? LIMIT 500))]], prefix(words))
end

local ACCESS = {
  active = "s.expires_at > now()",
  expired = "s.expires_at <= now()",
}

function admin_drivers.list(asked)
  local filter = admin_drivers.search(admin_list.filter(), asked.q, "d.id")
  if asked.access then filter:also(ACCESS[asked.access]) end
  if asked.unreachable then filter:also "d.unreachable_at IS NOT NULL" end
  return admin_list.page(LIST, filter, asked)
end

local function part(sql, id)
  return function() return host.pg.query(sql, id) end
end

local PARTS = {
  { "sessions", [[SELECT id, created_at, host(address) AS address, agent, revoked_at, revoked_reason FROM sessions
      WHERE driver_id = $1::text::bigint ORDER BY created_at DESC LIMIT 10]] },
  { "payments", [[SELECT id, created_at, tariff, amount_kopecks, status FROM payments
      WHERE driver_id = $1::text::bigint ORDER BY created_at DESC LIMIT 10]] },
  { "responses", [[SELECT id, created_at, cargo_id, status, cargo->>'title' AS title FROM responses
      WHERE driver_id = $1::text::bigint ORDER BY created_at DESC LIMIT 10]] },
  { "grants", [[SELECT source, source_id, days, granted_at, expires_after FROM subscription_grants
      WHERE driver_id = $1::text::bigint ORDER BY granted_at DESC LIMIT 20]] },
}

--- All of one driver: the row and what hangs on it.
--- @return table? driver
--- @return table? failure  not_found, database_unavailable
function admin_drivers.find(id)
  local driver, problem = host.pg.one([[
    SELECT d.id::text AS driver_id, d.first_name, d.last_name, d.username, d.language_code, d.phone, d.contact_name,
      d.unreachable_at, d.created_at, d.last_login_at, s.expires_at, s.source, s.token_created_at
    FROM drivers d LEFT JOIN subscriptions s ON s.driver_id = d.id WHERE d.id = $1::text::bigint]], id)
  if not driver then
    return nil, problem and failure("database_unavailable", { text = tostring(problem) }) or failure "not_found"
  end
  local asked = {}
  for i, named in ipairs(PARTS) do asked[i] = part(named[2], id) end
  local results = host.task.all(asked)
  for i, named in ipairs(PARTS) do driver[named[1]] = results[i][1] or {} end
  for _, payment in ipairs(driver.payments) do payment.tariff_title = tariffs.title(payment.tariff, "ru") end
  driver.trail = admin_trail.of("driver", id) or {}
  return driver
end

--- End the driver's session.
function admin_drivers.end_sessions(id, actor)
  local open, problem = host.pg.one(
    "SELECT count(*)::int AS count FROM sessions WHERE driver_id = $1::text::bigint AND revoked_at IS NULL", id)
  if not open then return nil, failure("database_unavailable", { text = tostring(problem) }) end
  local done
  done, problem = sessions.finish(id, "admin")
  if not done then return nil, problem end
  return admin_trail.write(actor, { action = "driver.sessions_ended", target_type = "driver", target_id = id,
    details = { before = { sessions = open.count }, after = { sessions = 0 } } })
end

return admin_drivers
