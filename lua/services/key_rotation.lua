--- Seals everything at rest again with the newest of SETTINGS_ENCRYPTION_KEY, so that the older can be taken out.
local host = host
local alerts = require "services.alerts"
local audit = require "services.audit"
local failure = require "kit.failure"
local secrets = require "services.secrets"

local key_rotation = {}

local BATCH = 200
local SAMPLE = 1000 -- of each table at the start; a wrong key shows in any
local RETRY_MS = 2000
local MISSING = "SETTINGS_ENCRYPTION_KEY: key %s is missing and what is sealed with it cannot be read (%s): "
  .. "put it back behind the new one (new,old), then run `fura settings rotate`"

-- Every sealed column: its table, the columns that make its context, and that context. What a table misses here cannot
-- be opened once the old key is gone.
local PLACES = {
  { table = "settings", key = "name", column = "sealed", more = ", key_id = left($3, 8)",
    context = function(key) return "setting " .. key end },
  { table = "subscriptions", key = "driver_id", column = "token_sealed",
    context = function(key) return "access token of " .. key end },
  { table = "receipt_contacts", key = "driver_id", column = "sealed",
    context = function(key) return "receipt contact of " .. key end },
  { table = "payments", key = "id", column = "receipt_sealed", context = function(key) return "receipt of " .. key end },
  { table = "admins", key = "login", column = "totp_sealed",
    context = function(key) return "admin totp " .. key end },
}

local function seal_again(place, row)
  local context = place.context(row.key)
  local plain, problem = secrets.open(row.sealed, context)
  if not plain then return nil, problem end
  local sealed
  sealed, problem = secrets.seal(plain, context)
  if not sealed then return nil, problem end
  -- Only if it is still what we opened: a change meanwhile was sealed with the newest key anyway.
  local sql = ("UPDATE %s SET %s = $2%s WHERE %s::text = $1 AND %s = $4 AND $3::text IS NOT NULL"):format(
    place.table, place.column, place.more or "", place.key, place.column)
  return host.pg.query(sql, row.key, host.pg.bytea(sealed), secrets.key_of(sealed), host.pg.bytea(row.sealed))
end

-- Walks the table by its key, so that a value that cannot be opened is passed once.
local function rotate_place(place, newest)
  local counted, after = { sealed = 0, unreadable = 0 }, ""
  local sql = ("SELECT %s::text AS key, %s AS sealed FROM %s WHERE %s IS NOT NULL AND %s::text > $1 ORDER BY %s::text LIMIT $2")
    :format(place.key, place.column, place.table, place.column, place.key, place.key)
  while true do
    local rows, problem = host.pg.query(sql, after, BATCH)
    if not rows then return nil, problem end
    for _, row in ipairs(rows) do
      after = row.key
      if secrets.key_of(row.sealed) ~= newest then
        local ok, why = seal_again(place, row)
        counted[ok and "sealed" or "unreadable"] = counted[ok and "sealed" or "unreadable"] + 1
        if not ok then host.log.error("secret not rotated", { place = place.table, failure = tostring(why) }) end
      end
    end
    if #rows < BATCH then return counted end
  end
end

-- ---- what cannot be opened ----

-- A sealed value begins with its version and the id of its key (core/base/crypto.c).
local function count_keys(place, most)
  return host.pg.query(([[
    SELECT encode(substr(sealed, 2, 4), 'hex') AS key_id, count(*) AS count
    FROM (SELECT %s AS sealed FROM %s WHERE %s IS NOT NULL LIMIT $1::bigint) AS looked_at GROUP BY 1]])
    :format(place.column, place.table, place.column), most)
end

--- Keys that something is sealed with and that we do not hold: a sentence for each, with its cure.
--- @param most? integer  look at no more of each table
--- @return string[]? sentences
--- @return table? failure  of the database
function key_rotation.missing(most)
  local places, ids, sentences = {}, {}, {}
  for _, place in ipairs(PLACES) do
    local rows, problem = count_keys(place, most)
    if not rows then return nil, problem end
    for _, row in ipairs(rows) do
      if not secrets.holds(row.key_id) then
        if not places[row.key_id] then places[row.key_id], ids[#ids + 1] = {}, row.key_id end
        table.insert(places[row.key_id], ("%s.%s %d"):format(place.table, place.column, row.count))
      end
    end
  end
  table.sort(ids)
  for index, id in ipairs(ids) do
    sentences[index] = MISSING:format(id, table.concat(places[id], ", "))
  end
  return sentences
end

-- By a timer, as a generation that ends waits for what sleeps.
local function tell_missing()
  local sentences = key_rotation.missing(SAMPLE)
  if not sentences then return host.timer.after(RETRY_MS, tell_missing) end
  if #sentences > 0 then alerts.raise("encryption_key_missing", table.concat(sentences, "\n")) end
end

--- Once a worker: the first of a node says what it cannot read, as soon as the database answers.
function key_rotation.start()
  if host.shared.add("sealed:looked", true, 60000) then host.task.spawn(tell_missing) end
end

-- ---- sealing again ----

--- @param actor {type: string, id: string?}
--- @return {place: string, sealed: integer, unreadable: integer}[]?
--- @return table? failure  encryption_key_missing, or that of the database
function key_rotation.run(actor)
  local newest = secrets.key_id()
  if not newest then
    return nil, failure("encryption_key_missing", { text = "SETTINGS_ENCRYPTION_KEY is required: openssl rand -base64 32" })
  end
  local report = {}
  for index, place in ipairs(PLACES) do
    local counted, problem = rotate_place(place, newest)
    if not counted then return nil, problem end
    report[index] = { place = place.table .. "." .. place.column, sealed = counted.sealed, unreadable = counted.unreadable }
  end
  local ok, problem = audit.write_in(host.pg, { action = "settings.rotated", actor_type = actor.type, actor_id = actor.id,
    details = { key_id = newest } })
  if not ok then return nil, problem end
  return report
end

return key_rotation
