--- Coming into the panel and leaving it, with the trail of both.
local admin_sessions = require "services.admin_sessions"
local admins = require "services.admins"
local audit = require "services.audit"
local failure = require "kit.failure"
local host = host

local admin_access = {}

admin_access.check = admin_sessions.check

local function refused(claim, problem, context)
  host.metrics.count("admin_logins_total", { result = problem.code })
  if problem.code ~= "database_unavailable" then
    audit.write_later({ actor_type = "admin", actor_id = claim.login, action = "admin.login_refused",
      target_type = "admin", target_id = claim.login, details = { reason = problem.code } }, context)
  end
  return nil, problem
end

--- @param claim {login: string, password: string, code: string, replaces: string?}
--- @return {token: string, csrf: string}?
--- @return table? failure
function admin_access.log_in(claim, context)
  claim.address = context.address
  local account, problem = admins.check(claim)
  if not account then return refused(claim, problem, context) end
  local session
  session, problem = host.pg.transaction(function(tx)
    admin_sessions.finish(tx, claim.replaces)
    local begun, why = admin_sessions.begin(tx, account.id, context)
    if not begun then return nil, why end
    local ok
    ok, why = tx:query("UPDATE admins SET last_login_at = now() WHERE id = $1", account.id)
    if not ok then return nil, why end
    ok, why = audit.write_in(tx, { actor_type = "admin", actor_id = account.login, action = "admin.logged_in",
      target_type = "admin", target_id = account.login }, context)
    if not ok then return nil, why end
    return begun
  end)
  if not session then return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 }) end
  host.metrics.count("admin_logins_total", { result = "ok" })
  return session
end

function admin_access.log_out(context)
  local done, problem = host.pg.transaction(function(tx)
    local ok, why = admin_sessions.finish(tx, context.admin_token)
    if not ok then return nil, why end
    return audit.write_in(tx, { actor_type = "admin", actor_id = context.admin.login, action = "admin.logged_out",
      target_type = "admin", target_id = context.admin.login }, context)
  end)
  if not done then return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 }) end
  return {}
end

return admin_access
