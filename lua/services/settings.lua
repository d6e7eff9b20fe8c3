--- Settings and flags that people change while the server runs. Every worker holds all of them and reads them again
--- when Postgres tells of a change, so looking one up costs no query. Secrets are sealed (services/secrets.lua).
local host = host
local audit = require "services.audit"
local failure = require "kit.failure"
local rules = require "kit.rules"
local secrets = require "services.secrets"

local settings = {}

local CHANNEL = "settings"
local RETRY_MS = 2000

local function is_code(value, max)
  return type(value) == "number" and value == math.floor(value) and value >= 1 and value <= max
end

local function check_tariffs(list)
  local problem = rules.tariffs.problem(list)
  return problem ~= "" and problem or nil
end

local function check_receipts(how)
  if not is_code(how.vat_code, 10) then return "vat_code must be 1 to 10" end
  if how.tax_system_code ~= nil and not is_code(how.tax_system_code, 6) then return "tax_system_code must be 1 to 6" end
  for _, name in ipairs { "payment_subject", "payment_mode" } do
    if how[name] ~= nil and type(how[name]) ~= "string" then return name .. " must be a text" end
  end
end

--- What there is to set: its kind, what it is for, and `check`(value), which says what is wrong (`judges_kind`: the kind
--- too). Anything else is refused. Plugins add theirs: services/plugin_settings.lua.
settings.known = {
  ["yookassa.shop_id"] = { kind = "text", about = "YooKassa shop; wins over YOOKASSA_SHOP_ID" },
  ["yookassa.secret_key"] = { kind = "secret", about = "YooKassa key; wins over YOOKASSA_SECRET_KEY" },
  ["tariffs"] = { kind = "json", check = check_tariffs, about = "list of tariffs instead of those in lua/rules/tariffs.lua" },
  ["receipts"] = { kind = "json", check = check_receipts,
    about = "54-FZ: {\"vat_code\": 1, \"tax_system_code\": 2, \"payment_subject\": \"service\"}; unset = no receipts" },
}

-- ---- this worker's copy ----

local values, closed, flag_rows -- nil until read once; `closed` says why a secret could not be opened
local wanted, read_of = 1, 0 -- how many changes were heard of, and up to which of them was read
local watchers = {}

local function open_all(rows)
  local read, unopened = {}, {}
  for _, row in ipairs(rows) do
    if row.sealed then
      local plain, problem = secrets.open(row.sealed, "setting " .. row.name)
      read[row.name], unopened[row.name] = plain, problem
      if problem then host.log.error("setting not readable", { setting = row.name, failure = tostring(problem) }) end
    else
      read[row.name] = row.value
    end
  end
  return read, unopened
end

local function read_flags(rows)
  local read = {}
  for _, row in ipairs(rows) do
    local allowed = {}
    for _, id in ipairs(row.allow_list) do allowed[id] = true end
    read[row.name] = { enabled = row.enabled, rollout_percent = row.rollout_percent, allowed = allowed,
      requires_subscription = row.requires_subscription }
  end
  return read
end

local function read_all()
  repeat
    local target = wanted
    local rows, problem = host.pg.query "SELECT name, value, sealed FROM settings"
    if not rows then return nil, problem end
    local flags
    flags, problem = host.pg.query [[
      SELECT name, enabled, rollout_percent, allow_list::text[], requires_subscription FROM feature_flags]]
    if not flags then return nil, problem end
    local opened, unopened = open_all(rows)
    values, closed, flag_rows, read_of = opened, unopened, read_flags(flags), target
  until read_of == wanted
  for _, fn in ipairs(watchers) do fn() end
  return true
end

--- Call `fn()` after each reading; it must not wait.
function settings.watch(fn)
  watchers[#watchers + 1] = fn
end

local function refresh()
  return host.task.single_flight("settings.read", read_all)
end

-- Until it worked: without Postgres the values of before stay in force. A generation that ends waits for no database.
local function refresh_until_read()
  while read_of < wanted and not host.script.info().retired do
    local ok, problem = refresh()
    if ok then return end
    host.log.warn("settings not read yet", { failure = tostring(problem) })
    host.task.sleep(RETRY_MS)
  end
end

--- Once a worker: read all, now and after each change.
function settings.start()
  host.pg.listen(CHANNEL, function()
    wanted = wanted + 1
    refresh_until_read()
  end, { standby = true }) -- a canary must know today's settings too
  host.task.spawn(refresh_until_read)
end

local try_again_ms = 0

-- A request that comes before the first reading waits for it; without a database the defaults are in force.
local function copy()
  if not values and host.time.monotonic_ms() >= try_again_ms then
    refresh()
    try_again_ms = host.time.monotonic_ms() + RETRY_MS
  end
  return values or {}, flag_rows or {}
end

--- The value in force, decoded or decrypted; nil when it is not set.
--- @return any value
--- @return table? failure  encryption_key_missing: it is set, and what stands in for an unset one must not be used
function settings.get(name)
  if not settings.known[name] then error("unknown setting " .. tostring(name), 2) end
  local held = copy()
  return held[name], closed and closed[name]
end

--- Have they been read? Waits for the first reading, as a request does.
function settings.are_read()
  copy()
  return values ~= nil
end

--- name → {enabled, rollout_percent, allowed = {driver_id = true}, requires_subscription} of the flags in the database.
function settings.flags()
  local _, held = copy()
  return held
end

-- ---- changing ----

local FITS = {
  text = function(value) return type(value) == "string" and value ~= "" end,
  secret = function(value) return type(value) == "string" and value ~= "" end,
  integer = function(value) return type(value) == "number" and value == math.floor(value) end,
  boolean = function(value) return type(value) == "boolean" end,
  json = function(value) return type(value) == "table" end,
}

-- What is wrong with a value, or nil.
local function problem_of(name, value)
  local known = settings.known[name]
  if not known and value == nil and name:find "^plugins%." then return nil end -- left by a plugin that is gone
  if not known then return "there is no setting " .. tostring(name) end
  if value == nil then return nil end
  if not known.judges_kind and not FITS[known.kind](value) then return name .. " must be of kind " .. known.kind end
  return known.check and known.check(value)
end

local UPSERT = [[
  INSERT INTO settings (name, kind, value, sealed, key_id, updated_by) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, value = excluded.value, sealed = excluded.sealed,
    key_id = excluded.key_id, updated_by = excluded.updated_by, updated_at = now()]]

local function write(tx, name, value, by)
  if value == nil then return tx:query("DELETE FROM settings WHERE name = $1", name) end
  local kind = settings.known[name].kind
  if kind ~= "secret" then return tx:query(UPSERT, name, kind, host.pg.json(value), nil, nil, by) end
  local sealed, problem = secrets.seal(value, "setting " .. name)
  if not sealed then return nil, problem end
  return tx:query(UPSERT, name, kind, nil, host.pg.bytea(sealed), secrets.key_of(sealed), by)
end

local function shown(kind, value, is_set)
  if kind == "secret" then return is_set and "set" or "unset" end
  if not is_set then return host.json.null end
  return value
end

local function change(tx, name, value, actor, context)
  local before = tx:one("SELECT kind, value FROM settings WHERE name = $1 FOR UPDATE", name)
  local ok, why = write(tx, name, value, actor.id)
  if not ok then return nil, why end
  local kind = settings.known[name] and settings.known[name].kind or before and before.kind
  return audit.write_in(tx, { action = "setting.changed", actor_type = actor.type, actor_id = actor.id,
    target_type = "setting", target_id = name,
    details = { before = shown(kind, before and before.value, before ~= nil), after = shown(kind, value, value ~= nil) } }, context)
end

local function refuse(name, wrong, actor, context)
  audit.write_in(host.pg, { action = "setting.refused", actor_type = actor.type, actor_id = actor.id,
    target_type = "setting", target_id = tostring(name):sub(1, 100), details = { reason = wrong } }, context)
  return nil, failure("invalid_setting", { status = 422, text = wrong })
end

local KEPT = { encryption_key_missing = true, changed_meanwhile = true }

--- Set or (without a value) unset several at once: all of them or none. The changes and their trail are one transaction;
--- every worker has them within a second.
--- @param changes {name: string, value: any}[]
--- @param actor {type: "admin"|"command"|"system", id: string?}
--- @param condition? fun(tx): boolean?, table?  asked inside the transaction, no other change being under way
--- @return boolean?
--- @return table? failure  invalid_setting, encryption_key_missing, database_unavailable, or the condition's changed_meanwhile
function settings.set_all(changes, actor, context, condition)
  for _, item in ipairs(changes) do
    local wrong = problem_of(item.name, item.value)
    if wrong then return refuse(item.name, wrong, actor, context) end
  end
  local done, problem = host.pg.transaction(function(tx)
    local ok, why = tx:query "LOCK TABLE settings IN SHARE ROW EXCLUSIVE MODE"
    if ok and condition then ok, why = condition(tx) end
    if not ok then return nil, why end
    for _, item in ipairs(changes) do
      ok, why = change(tx, item.name, item.value, actor, context)
      if not ok then return nil, why end
    end
    return true
  end)
  if done then return true end
  if KEPT[problem.code] then return nil, problem end
  return nil, failure("database_unavailable", { text = tostring(problem) })
end

--- Set or (with nil) unset one.
function settings.set(name, value, actor, context)
  return settings.set_all({ { name = name, value = value } }, actor, context)
end

--- What is set, secrets masked, sorted by name.
--- @return {name: string, kind: string, value: any, key_id: string?, updated_at: number, updated_by: string?}[]?
--- @return table? failure
function settings.list()
  return host.pg.query "SELECT name, kind, value, key_id, updated_at, updated_by FROM settings ORDER BY name"
end

return settings
