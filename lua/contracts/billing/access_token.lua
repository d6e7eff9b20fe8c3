--- The driver's access token (contract 5.3): reads cargo lists while the subscription lasts, and nothing else.
local access_tokens = require "services.access_tokens"
local audit = require "services.audit"
local contract = require "kit.contract"
local subscriptions = require "services.subscriptions"
local host = host

local output = {
  access_token = { type = "string" }, token_type = { type = "string" }, created_at = { type = "string" },
}
local errors = {
  payment_required = 402, access_token_not_found = 404, database_unavailable = 503, encryption_key_missing = 503,
}

local function check_access(context)
  local is_active, problem = subscriptions.is_active(context.driver_id)
  if problem then return nil, problem end
  if not is_active then return nil, "payment_required" end
  return true
end

local function shown(token)
  return { access_token = token.token, token_type = "Bearer", created_at = host.time.iso8601(token.created_at) }
end

local function note(action, context)
  audit.write_later({ action = "access_token." .. action, actor_type = "driver", actor_id = context.driver_id,
    target_type = "driver", target_id = context.driver_id }, context)
end

local access_token = {}

access_token.show = contract {
  name = "billing.show_access_token", number = "5.3", access = "driver",
  about = "Show the access token.", input = {}, output = output, errors = errors,

  run = function(_, context)
    local ok, problem = check_access(context)
    if not ok then return nil, problem end
    local token
    token, problem = access_tokens.show(context.driver_id)
    if not token then return nil, problem or "access_token_not_found" end
    return shown(token)
  end,
}

access_token.replace = contract {
  name = "billing.replace_access_token", number = "5.3", access = "driver",
  about = "Make a new access token; the one before stops working within a second.",
  input = {}, output = output, errors = errors,

  run = function(_, context)
    local ok, problem = check_access(context)
    if not ok then return nil, problem end
    local token
    token, problem = access_tokens.replace(context.driver_id)
    if not token then return nil, problem end
    note("replaced", context)
    return shown(token)
  end,
}

access_token.revoke = contract {
  name = "billing.revoke_access_token", number = "5.3", access = "driver",
  about = "Revoke the access token.", input = {}, output = {}, errors = errors,

  run = function(_, context)
    local ok, problem = check_access(context)
    if not ok then return nil, problem end
    ok, problem = access_tokens.revoke(context.driver_id)
    if not ok then return nil, problem end
    note("revoked", context)
    return {}
  end,
}

return access_token
