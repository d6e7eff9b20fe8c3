--- Subscriptions as the panel shows and changes them. Every change is a row of the ledger, once for each form.
local access_tokens = require "services.access_tokens"
local admin_drivers = require "services.admin_drivers"
local admin_list = require "services.admin_list"
local admin_trail = require "services.admin_trail"
local failure = require "kit.failure"
local host = host
local subscriptions = require "services.subscriptions"

local admin_subscriptions = {}

local LIST = {
  columns = "d.id::text AS driver_id, d.first_name, d.last_name, d.username, s.expires_at, s.source, s.updated_at",
  from = "subscriptions s JOIN drivers d ON d.id = s.driver_id", count_from = "subscriptions s",
  key = { "s.driver_id", "bigint" },
  sorts = { expires = { "s.expires_at", "timestamptz" } }, sort = "expires", descending = true,
}

local SHOW = {
  active = "s.expires_at > now()",
  soon = "s.expires_at > now() AND s.expires_at < now() + interval '3 days'",
  expired = "s.expires_at <= now()",
}

function admin_subscriptions.list(asked)
  local filter = admin_list.filter():add("s.source = ?", asked.source)
  if asked.show then filter:also(SHOW[asked.show]) end
  return admin_list.page(LIST, admin_drivers.search(filter, asked.q, "s.driver_id"), asked)
end

-- Gives what the ledger says, or false for the same form once more.
local function write(tx, order, actor, action)
  local grant, problem = subscriptions.grant(tx, { driver_id = order.driver_id, source = order.source,
    source_id = order.key, days = order.days })
  if not grant then return grant, problem end
  if order.source == "gift" then
    local ok, why = access_tokens.ensure(tx, order.driver_id)
    if not ok then return nil, why end
  end
  local ok
  ok, problem = admin_trail.write(actor, { action = action, target_type = "driver", target_id = order.driver_id,
    details = { reason = order.reason, days = grant.days,
      before = { expires_at = grant.expires_before and host.time.iso8601(grant.expires_before) },
      after = { expires_at = host.time.iso8601(grant.expires_after) } } }, tx)
  if not ok then return nil, problem end
  return grant
end

local function change(order, actor, action)
  local grant, problem = host.pg.transaction(function(tx) return write(tx, order, actor, action) end)
  if grant == nil then
    if problem.code == "sqlstate_23503" or problem.code == "sqlstate_23502" then return nil, failure "not_found" end
    return nil, failure("database_unavailable", { text = tostring(problem) })
  end
  if grant and order.source == "gift" then
    subscriptions.announce(order.driver_id, grant.expires_after)
  else
    subscriptions.forget(order.driver_id)
  end
  return true
end

--- Give days: from the end of the access, or from now.
--- @param order {driver_id: string, days: integer, reason: string, key: string}
function admin_subscriptions.extend(order, actor)
  order.source = "gift"
  return change(order, actor, "subscription.extended")
end

--- End the access now.
--- @param order {driver_id: string, reason: string, key: string}
function admin_subscriptions.revoke(order, actor)
  order.source, order.days = "revoke", 0
  return change(order, actor, "subscription.revoked")
end

return admin_subscriptions
