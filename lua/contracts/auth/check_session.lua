--- Contract 1.3: whose token is this, and is their session still the live one? An access token (contract 5.3) is known
--- too; it only reads. A request that `fura replay` answers again has no token: the core says whose it was.
local access_tokens = require "services.access_tokens"
local contract = require "kit.contract"
local drivers = require "services.drivers"
local sessions = require "services.sessions"

local function reader_of(token)
  local driver_id, problem = access_tokens.check(token)
  if not driver_id then return nil, problem end
  return { driver_id = driver_id, first_name = "", read_only = true }
end

-- With a name to show: without the database there is none.
local function with_name(session)
  local driver = drivers.find(session.driver_id)
  session.first_name = driver and driver.first_name or ""
  return session
end

return contract {
  name = "auth.check_session", number = "1.3", access = "internal",
  about = "Check a session token; under four hours to its end a fresh one comes along.",
  input = { token = { type = "string", max_length = 2048 }, replay_of = { type = "string" } },
  output = {
    driver_id = { type = "string" }, first_name = { type = "string" }, sid = { type = "string", optional = true },
    refreshed_token = { type = "string", optional = true }, read_only = { type = "boolean", optional = true },
  },
  errors = { unauthorized = 401, session_replaced = 401, database_unavailable = 503 },

  run = function(input)
    if input.replay_of then return with_name { driver_id = input.replay_of } end
    if access_tokens.is_one(input.token) then return reader_of(input.token) end
    local session, problem = sessions.check(input.token)
    if not session then return nil, problem end
    return with_name(session)
  end,
}
