--- Promo codes: making them and using them. Uses of one code queue on its row, so a crowd cannot use it too often.
local host = host
local access_tokens = require "services.access_tokens"
local audit = require "services.audit"
local events = require "services.events"
local failure = require "kit.failure"
local rules = require "kit.rules"
local subscriptions = require "services.subscriptions"
local text = require "kit.text"

local promo_codes = {}

local UNIQUE = "sqlstate_23505"
local GENERATE_ATTEMPTS = 5

local function no_database(problem)
  return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 })
end

-- ---- making ----

-- Letters by bytes below a multiple of their number, so that each is as likely as any other.
local function generate()
  local alphabet, letters = rules.promo.alphabet, {}
  local fair = 256 - 256 % #alphabet
  while #letters < rules.promo.generated_length do
    local byte = host.crypto.random(1):byte()
    if byte < fair then
      local at = byte % #alphabet + 1
      letters[#letters + 1] = alphabet:sub(at, at)
    end
  end
  return table.concat(letters)
end

local INSERT = [[
  INSERT INTO promo_codes (code, action, days, valid_from, valid_until, max_uses, description, created_by)
  VALUES ($1, $2, $3, to_timestamp($4), to_timestamp($5), $6, $7, $8)
  RETURNING id, code, action, days, valid_from, valid_until, max_uses, uses]]

local function insert(wanted, code, actor, context)
  return host.pg.transaction(function(tx)
    local row, problem = tx:one(INSERT, code, wanted.action, rules.promo.days[wanted.action], wanted.valid_from,
      wanted.valid_until, wanted.max_uses, wanted.description or "", actor.id)
    if not row then return nil, problem end
    local ok
    ok, problem = audit.write_in(tx, { action = "promo_code.created", actor_type = actor.type, actor_id = actor.id,
      target_type = "promo_code", target_id = code,
      details = { after = { action = row.action, days = row.days, max_uses = row.max_uses,
        valid_from = host.time.iso8601(row.valid_from), valid_until = host.time.iso8601(row.valid_until) } } }, context)
    if not ok then return nil, problem end
    return row
  end)
end

--- @param wanted {code: string?, action: string, valid_from: number, valid_until: number, max_uses: integer, description: string?}
--- @param actor {type: string, id: string?}
--- @return table? row
--- @return table? failure  promo_exists, database_unavailable
function promo_codes.create(wanted, actor, context)
  for _ = 1, GENERATE_ATTEMPTS do
    local row, problem = insert(wanted, wanted.code or generate(), actor, context)
    if row then return row end
    if problem.code ~= UNIQUE then return no_database(problem) end
    if wanted.code then
      audit.write_later({ action = "promo_code.not_created", actor_type = actor.type, actor_id = actor.id,
        target_type = "promo_code", target_id = wanted.code, details = { reason = "promo_exists" } }, context)
      return nil, failure "promo_exists"
    end
  end
  return no_database "no free code found"
end

--- No further use; days already given stay.
--- @return boolean?
--- @return table? failure  promo_not_found, database_unavailable
function promo_codes.deactivate(code, actor, context)
  local done, problem = host.pg.transaction(function(tx)
    local row, why = tx:one("SELECT deactivated_at IS NULL AS is_active FROM promo_codes WHERE code = $1 FOR UPDATE", code)
    if not row then return nil, why or failure "promo_not_found" end
    local done
    done, why = tx:query("UPDATE promo_codes SET deactivated_at = coalesce(deactivated_at, now()) WHERE code = $1", code)
    if not done then return nil, why end
    return audit.write_in(tx, { action = "promo_code.deactivated", actor_type = actor.type, actor_id = actor.id,
      target_type = "promo_code", target_id = code, details = { before = { enabled = row.is_active }, after = { enabled = false } } },
      context)
  end)
  if done then return true end
  if problem.code == "promo_not_found" then return nil, problem end
  return no_database(problem)
end

-- ---- using ----

local function find(tx, code)
  local row, problem = tx:one([[
    SELECT id, code, action, days, valid_from, valid_until, uses, max_uses, deactivated_at IS NULL AS is_active
    FROM promo_codes WHERE code = $1 FOR UPDATE]], code)
  if not row then return nil, problem or failure "promo_not_found" end
  return row
end

-- nil when this driver may use this code now.
local function refusal(tx, promo, driver_id)
  local used, problem = tx:one("SELECT 1 AS used FROM promo_uses WHERE promo_code_id = $1 AND driver_id = $2::bigint",
    promo.id, driver_id)
  if problem then return problem end
  if used then return failure "promo_already_used" end
  local code = rules.promo.refusal(promo, host.time.now())
  if code ~= "" then return failure(code) end
  if promo.action ~= "activate_trial" then return nil end
  local had
  had, problem = subscriptions.ever_had(tx, driver_id)
  if problem then return problem end
  return had and failure "trial_not_available" or nil
end

local function use(tx, promo, driver_id, context)
  local row, problem = tx:one([[
    INSERT INTO promo_uses (promo_code_id, driver_id, days_added) VALUES ($1, $2::bigint, $3) RETURNING id::text]],
    promo.id, driver_id, promo.days)
  if not row then return nil, problem end
  local given
  given, problem = subscriptions.grant(tx, { driver_id = driver_id, days = promo.days, source_id = row.id,
    source = promo.action == "activate_trial" and "trial" or "promo" })
  if not given then return nil, problem or failure "promo_already_used" end
  local ok
  ok, problem = access_tokens.ensure(tx, driver_id)
  if not ok then return nil, problem end
  ok, problem = audit.write_in(tx, { action = "promo_code.applied", actor_type = "driver", actor_id = driver_id,
    target_type = "promo_code", target_id = promo.code,
    details = { days = promo.days, expires_at = host.time.iso8601(given.expires_after) } }, context)
  if not ok then return nil, problem end
  return { days_added = promo.days, expires_at = given.expires_after }
end

local REFUSALS = {
  promo_not_found = true, promo_already_used = true, promo_not_started = true, promo_expired = true,
  promo_exhausted = true, trial_not_available = true, unauthorized = true,
}

--- Use a code. Refusals leave no row, but a line in the audit trail.
--- @param code string  as the driver wrote it
--- @return {days_added: integer, expires_at: number}?
--- @return table? failure  one of REFUSALS, or database_unavailable
function promo_codes.apply(driver_id, code, context)
  code = rules.promo.normalised(code)
  local applied, problem
  if rules.promo.is_code(code) then
    applied, problem = host.pg.transaction(function(tx)
      local promo, why = find(tx, code)
      if not promo then return nil, why end
      why = refusal(tx, promo, driver_id)
      if why then return nil, why end
      return use(tx, promo, driver_id, context)
    end)
  else
    problem = failure "promo_not_found"
  end
  subscriptions.forget(driver_id)
  host.metrics.count("promo_applications_total", { outcome = applied and "applied" or problem.code })
  if applied then
    events.emit("promo.applied", { driver_id = driver_id, code = code })
    subscriptions.announce(driver_id, applied.expires_at)
    return applied
  end
  audit.write_later({ action = "promo_code.refused", actor_type = "driver", actor_id = driver_id,
    target_type = "promo_code", target_id = text.first(code, 64), details = { reason = problem.code } }, context)
  if REFUSALS[problem.code] then return nil, problem end
  return no_database(problem)
end

return promo_codes
