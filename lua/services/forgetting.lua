--- Erases what we know of a driver as a person: names, phone, addresses, searches, receipts' contacts, messages to them.
--- What stays under the bare id is the trail of money (payments, grants, promo uses) and the audit log, which are kept
--- for as long as the law and the retention say.
local host = host
local audit = require "services.audit"
local failure = require "kit.failure"
local sessions = require "services.sessions"

local forgetting = {}

-- Each takes the id. A payment or a refund that is still open needs its receipt to be asked for in the same words again.
local STEPS = {
  { "driver", [[
    UPDATE drivers SET first_name = '', last_name = NULL, username = NULL, language_code = NULL, phone = NULL,
      contact_name = NULL, updated_at = now() WHERE id = $1::bigint]] },
  { "sessions", "UPDATE sessions SET address = NULL, agent = NULL WHERE driver_id = $1::bigint" },
  { "searches", "DELETE FROM driver_filters WHERE driver_id = $1::bigint" },
  { "responses", [[
    UPDATE responses SET phone = NULL, name = NULL
    WHERE driver_id = $1::bigint AND (phone IS NOT NULL OR name IS NOT NULL)]] },
  { "messages", "DELETE FROM outbox WHERE chat_key = $1::bigint::text AND state <> 'sending'" },
  { "receipt_contacts", "DELETE FROM receipt_contacts WHERE driver_id = $1::bigint" },
  { "receipts", [[
    UPDATE payments SET receipt_sealed = NULL
    WHERE driver_id = $1::bigint AND receipt_sealed IS NOT NULL AND status NOT IN ('pending', 'waiting_for_capture')
      AND NOT EXISTS (SELECT FROM refunds WHERE payment_id = payments.id AND refunds.status = 'pending')]] },
  { "payment_attempts", "DELETE FROM payment_attempts WHERE driver_id = $1::bigint" }, -- hashes of what was asked, e-mail and all
  { "access_tokens", [[
    UPDATE subscriptions SET token_hash = NULL, token_sealed = NULL, token_created_at = NULL
    WHERE driver_id = $1::bigint AND token_hash IS NOT NULL]] },
}

local function erase(tx, driver_id)
  local erased = {}
  for _, step in ipairs(STEPS) do
    local done, problem = tx:query(step[2], driver_id)
    if not done then return nil, problem end
    erased[step[1]] = done.affected
  end
  return erased
end

--- @param driver_id string
--- @param actor {type: string, id: string?}
--- @return table<string, integer>? erased  rows by kind
--- @return table? failure  "not_found", or the database's
function forgetting.forget(driver_id, actor)
  local ended, problem = sessions.finish(driver_id, "forgotten")
  if not ended then return nil, problem end
  return host.pg.transaction(function(tx)
    local row, why = tx:one("SELECT id FROM drivers WHERE id = $1::bigint FOR UPDATE", driver_id)
    if not row then return nil, why or failure "not_found" end
    local erased
    erased, why = erase(tx, driver_id)
    if not erased then return nil, why end
    local noted
    noted, why = audit.write_in(tx, { action = "driver.forgotten", actor_type = actor.type, actor_id = actor.id,
      target_type = "driver", target_id = driver_id, details = erased })
    if not noted then return nil, why end
    return erased
  end)
end

return forgetting
