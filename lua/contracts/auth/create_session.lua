--- Contract 1.2: give the driver their one session; an earlier one ends.
local alerts = require "services.alerts"
local audit = require "services.audit"
local contract = require "kit.contract"
local events = require "services.events"
local sessions = require "services.sessions"
local host = host

return contract {
  name = "auth.create_session", number = "1.2", access = "internal",
  about = "Create or refresh the driver and begin a session.",
  input = {
    id = { type = "string", required = true, pattern = "^[1-9]%d*$", max_length = 16 },
    first_name = { type = "string" }, last_name = { type = "string" }, username = { type = "string" },
    language_code = { type = "string" },
  },
  output = {
    token = { type = "string" }, expires_in = { type = "integer" }, sid = { type = "uuid" },
    driver = { type = "object", fields = {
      id = { type = "string" }, first_name = { type = "string" }, username = { type = "string", nullable = true },
    } },
  },
  errors = { database_unavailable = 503 },

  run = function(input, context)
    local session, problem = sessions.begin(input, { address = context.address, agent = context.agent })
    if not session then
      alerts.raise("logins_failing", "drivers cannot log in: is Postgres up?", { failure = tostring(problem) })
      return nil, problem
    end
    host.metrics.count "logins_total"
    audit.write_later({ action = "driver.login", actor_type = "driver", actor_id = session.driver.id,
      target_type = "session", target_id = session.sid }, context)
    events.emit("driver.authenticated", { driver_id = session.driver.id, first_name = session.driver.first_name })
    return session
  end,
}
