--- Promo codes as the panel shows them: the list, and who used one or was refused.
local admin_list = require "services.admin_list"
local admin_trail = require "services.admin_trail"
local failure = require "kit.failure"
local host = host
local promo_codes = require "services.promo_codes"

local admin_promo_codes = {}

local LIST = {
  columns = "id::text, code, action, days, valid_from, valid_until, max_uses, uses, deactivated_at, description, created_by, created_at",
  from = "promo_codes", key = { "promo_codes.id", "bigint" },
  sorts = { created = { "created_at", "timestamptz" }, ["until"] = { "valid_until", "timestamptz" } },
  sort = "created", descending = true,
}

local SHOW = {
  live = "deactivated_at IS NULL AND valid_until > now() AND uses < max_uses",
  ended = "deactivated_at IS NOT NULL OR valid_until <= now() OR uses >= max_uses",
}

function admin_promo_codes.list(asked)
  local filter = admin_list.filter():add("code LIKE ?", asked.q and asked.q:upper():gsub("[%%_\\]", "\\%0") .. "%")
  if asked.show then filter:also(SHOW[asked.show]) end
  return admin_list.page(LIST, filter, asked)
end

function admin_promo_codes.find(code)
  local row, problem = host.pg.one("SELECT " .. LIST.columns .. " FROM promo_codes WHERE code = $1", code)
  if not row then
    return nil, problem and failure("database_unavailable", { text = tostring(problem) }) or failure "not_found"
  end
  row.used = host.pg.query([[
    SELECT u.driver_id::text, d.first_name, d.last_name, d.username, u.used_at, u.days_added
    FROM promo_uses u JOIN drivers d ON d.id = u.driver_id WHERE u.promo_code_id = $1::text::bigint
    ORDER BY u.id DESC LIMIT 100]], row.id) or {}
  row.refused = host.pg.query([[
    SELECT created_at, actor_id, details->>'reason' AS reason FROM audit_log
    WHERE target_type = 'promo_code' AND target_id = $1 AND action = 'promo_code.refused'
    ORDER BY created_at DESC LIMIT 50]], code) or {}
  return row
end

function admin_promo_codes.create(wanted, context)
  return promo_codes.create(wanted, admin_trail.actor(context), context)
end

function admin_promo_codes.close(code, context)
  return promo_codes.deactivate(code, admin_trail.actor(context), context)
end

return admin_promo_codes
