--- Drivers and payments for specs that need rows of their own in the run's Postgres.
local paying = {}

local last_id = 700000000 + math.random(1, 1e6) * 100

function paying.driver()
  last_id = last_id + 1
  local id = ("%.0f"):format(last_id)
  assert(host.pg.query("INSERT INTO drivers (id) VALUES ($1::bigint)", id))
  return id
end

--- A row as creating leaves it.
function paying.payment(driver_id, changes)
  local row = { id = host.crypto.uuid(), driver_id = driver_id, tariff = "1_month", days = 30, amount_kopecks = 49900,
    gateway_id = host.crypto.uuid() }
  for key, value in pairs(changes or {}) do row[key] = value end
  assert(host.pg.query([[
    INSERT INTO payments (id, driver_id, tariff, days, amount_kopecks, gateway_id, return_url, superseded_at)
    VALUES ($1::uuid, $2::bigint, $3, $4, $5, $6, 'http://127.0.0.1/', now())]],
    row.id, driver_id, row.tariff, row.days, row.amount_kopecks, row.gateway_id or nil))
  return row
end

--- What the gateway would say of it.
function paying.object(row, status, changes)
  local object = {
    id = row.gateway_id, status = status, paid = status == "succeeded",
    amount = { value = ("%.2f"):format(row.amount_kopecks / 100), currency = "RUB" },
    metadata = { payment_id = row.id, driver_id = row.driver_id, tariff = row.tariff },
  }
  for key, value in pairs(changes or {}) do object[key] = value end
  return object
end

function paying.grants(driver_id)
  return assert(host.pg.query([[
    SELECT source, source_id, days, expires_before, expires_after, granted_at FROM subscription_grants
    WHERE driver_id = $1::bigint ORDER BY id]], driver_id))
end

function paying.subscription(driver_id)
  return host.pg.one("SELECT expires_at, source FROM subscriptions WHERE driver_id = $1::bigint", driver_id)
end

function paying.status(row)
  return assert(host.pg.one("SELECT status FROM payments WHERE id = $1::uuid", row.id)).status
end

return paying
