--- A contract of the panel. Who may run it is decided here, whatever page or button asks, and before anything else is
--- said of what they ask: `role` is the least one needed.
local contract = require "kit.contract"
local failure = require "kit.failure"

local RANK = { viewer = 1, admin = 2 }

--- @param promise table  of kit.contract, without access; with role = "viewer" | "admin"
return function(promise)
  local rank, run = RANK[promise.role] or error("unknown role " .. tostring(promise.role)), promise.run
  local function admit(context)
    if not context.admin then return nil, failure "unauthorized" end
    if (RANK[context.admin.role] or 0) < rank then return nil, failure "forbidden" end
    return true
  end
  promise.access = "admin"
  promise.run = function(input, context)
    local ok, problem = admit(context)
    if not ok then return nil, problem end
    return run(input, context)
  end
  local made = contract(promise)
  return setmetatable({}, { __index = made, __call = function(_, values, context)
    local ok, problem = admit(context)
    if not ok then return nil, problem end
    return made(values, context)
  end })
end
