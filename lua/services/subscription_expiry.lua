--- Tells of access that ends soon: the event subscription.expiring, once for each driver, end and number of days.
local host = host
local events = require "services.events"

local subscription_expiry = {}

local DAYS_LEFT = { 3, 1 }
local REMEMBERED_S = 10 * 86400

local FIND = [[
  SELECT driver_id::text AS driver_id, extract(epoch FROM expires_at)::float8 AS expires_at FROM subscriptions
  WHERE expires_at > now() + ($1::int - 1) * interval '1 day' AND expires_at <= now() + $1::int * interval '1 day'
  ORDER BY expires_at]]

-- Was it told already? Redis remembers for longer than the access lasts.
local function is_new(row, days_left)
  local key = ("expiring:%s:%.0f:%d"):format(row.driver_id, row.expires_at, days_left)
  local reply, problem = host.redis.command("SET", key, "1", "NX", "EX", REMEMBERED_S)
  return reply ~= nil and reply ~= host.json.null, problem
end

local function tell(row, days_left)
  local fresh, problem = is_new(row, days_left)
  if not fresh then return 0, problem end
  events.emit("subscription.expiring",
    { driver_id = row.driver_id, expires_at = host.time.iso8601(row.expires_at), days_left = days_left })
  return 1
end

--- The job subscriptions.expiring.
function subscription_expiry.run()
  local told = 0
  for _, days_left in ipairs(DAYS_LEFT) do
    local rows, problem = host.pg.query(FIND, days_left)
    if not rows then return nil, problem end
    for _, row in ipairs(rows) do
      local more
      more, problem = tell(row, days_left)
      if problem then return nil, problem end
      told = told + more
    end
  end
  return { told = told }
end

return subscription_expiry
