--- Tells of access that ends soon: the event subscription.expiring, once for each driver, end and number of days.
local host = host
local events = require "services.events"

local subscription_expiry = {}

local DAYS_LEFT = { 3, 1 }

-- Notes whom it finds, so that nobody finds them again.
local FIND = [[
  INSERT INTO subscription_expiry_told (driver_id, expires_at, days_left)
  SELECT driver_id, expires_at, $1::int FROM subscriptions
  WHERE expires_at > now() + ($1::int - 1) * interval '1 day' AND expires_at <= now() + $1::int * interval '1 day'
  ON CONFLICT DO NOTHING
  RETURNING driver_id::text AS driver_id, extract(epoch FROM expires_at)::float8 AS expires_at]]

local FORGET = "DELETE FROM subscription_expiry_told WHERE expires_at < now()"

--- The job subscriptions.expiring.
function subscription_expiry.run()
  local told = 0
  for _, days_left in ipairs(DAYS_LEFT) do
    local rows, problem = host.pg.query(FIND, days_left)
    if not rows then return nil, problem end
    for _, row in ipairs(rows) do
      events.emit("subscription.expiring",
        { driver_id = row.driver_id, expires_at = host.time.iso8601(row.expires_at), days_left = days_left })
    end
    told = told + #rows
  end
  local done, problem = host.pg.query(FORGET)
  if not done then return nil, problem end
  return { told = told }
end

return subscription_expiry
