--- A contract of the panel. Who may run it is decided here, whatever page or button asks, and before anything else is
--- said of what they ask: `role` is the least one needed. Who asks for more than their role may do stands in the trail.
local audit = require "services.audit"
local contract = require "kit.contract"
local failure = require "kit.failure"

local RANK = { viewer = 1, admin = 2 }

--- @param promise table  of kit.contract, without access; with role = "viewer" | "admin"
return function(promise)
  local rank = RANK[promise.role] or error("unknown role " .. tostring(promise.role))
  promise.access = "admin"
  promise.admit = function(context)
    if not context.admin then return nil, failure "unauthorized" end
    if (RANK[context.admin.role] or 0) >= rank then return true end
    audit.write_later({ action = "admin.refused", actor_type = "admin", actor_id = context.admin.login, target_type = "admin",
      target_id = context.admin.login, details = { action = promise.name, role = context.admin.role } }, context)
    return nil, failure "forbidden"
  end
  return contract(promise)
end
