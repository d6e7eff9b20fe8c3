--- Drivers as rows: who they are and what they searched for last.
local host = host
local cache = require "kit.cache"

local drivers = {}

--- Create or refresh the row of who just logged in. Inside the login's transaction: the row stays locked to its end, so
--- two logins of one driver go one after the other.
function drivers.save_login(tx, driver)
  return tx:one([[
    INSERT INTO drivers (id, first_name, last_name, username, language_code)
    VALUES ($1::bigint, $2, $3, $4, $5)
    ON CONFLICT (id) DO UPDATE SET
      first_name = CASE WHEN excluded.first_name = '' THEN drivers.first_name ELSE excluded.first_name END,
      last_name = excluded.last_name,
      username = coalesce(excluded.username, drivers.username),
      language_code = coalesce(excluded.language_code, drivers.language_code),
      updated_at = now(), last_login_at = now()
    RETURNING id::text, first_name, last_name, username, language_code]],
    driver.id, driver.first_name or "", driver.last_name, driver.username, driver.language_code)
end

-- Names change at logins only, so a minute-old copy does.
local known = cache.new { max = 20000, ttl_ms = 60000 }

--- {id, first_name, last_name, username, language_code}; nil when there is no such driver or the database is away.
--- @return table? driver
--- @return table? failure
function drivers.find(driver_id)
  local driver = known:get(driver_id)
  if driver then return driver end
  local row, failure = host.pg.one([[
    SELECT id::text, first_name, last_name, username, language_code FROM drivers WHERE id = $1::bigint]], driver_id)
  if row then known:set(driver_id, row) end
  return row, failure
end

function drivers.remember(driver)
  known:set(driver.id, driver)
end

--- The filters of the last search; {} when there are none.
--- @return table? filters
--- @return table? failure
function drivers.filters(driver_id)
  local row, failure = host.pg.one("SELECT filters FROM driver_filters WHERE driver_id = $1::bigint", driver_id)
  if failure then return nil, failure end
  return row and row.filters or {}
end

-- What was written lately, so that a search is stored once and not at every page.
local written = cache.new { max = 20000, ttl_ms = 600000 }

--- Remember a search in the background, when it differs from the last one.
function drivers.save_filters_later(driver_id, filters)
  local encoded = host.json.encode(filters, { sorted = true })
  if written:get(driver_id) == encoded then return end
  written:set(driver_id, encoded)
  host.task.spawn(function()
    local ok, failure = host.pg.query([[
      INSERT INTO driver_filters (driver_id, filters) VALUES ($1::bigint, $2::jsonb)
      ON CONFLICT (driver_id) DO UPDATE SET filters = excluded.filters, updated_at = now()]], driver_id, encoded)
    if ok then return end
    written:delete(driver_id)
    host.log.warn("search not remembered", { driver_id = driver_id, failure = tostring(failure) })
  end)
end

return drivers
