--- The panel's view of what keeps the product going, and the few handles on it.
local admin_cache = require "services.admin_cache"
local list_fields = require "contracts.admin.list_fields"
local operations = require "services.admin_operations"
local plugins = require "services.plugins"
local promise = require "contracts.admin.promise"

local driver_id = { type = "string", pattern = "^[1-9]%d*$", max_length = 18 }
local entry_id = { type = "string", required = true, pattern = "^[1-9]%d*$", max_length = 18 }

-- Actions that give only «done».
local function done(ok, problem)
  if not ok then return nil, problem end
  return {}
end

return {
  outbox = promise {
    name = "admin.list_outbox", about = "Messages that wait, went or died.", role = "viewer",
    input = list_fields {
      show = { type = "string", one_of = { "dead", "open", "sent" } }, kind = { type = "string", max_length = 60 },
      q = { type = "string", max_length = 60 },
    },
    run = function(input) return operations.outbox(input) end,
  },

  retry = promise {
    name = "admin.retry_message", about = "Try a dead message again.", role = "admin", input = { id = entry_id },
    errors = { not_found = 404, not_dead = 409 },
    run = function(input, context) return done(operations.retry(input.id, context)) end,
  },

  retry_selected = promise {
    name = "admin.retry_messages", about = "Try several messages again; those that are not dead are passed over.", role = "admin",
    input = { ids = { type = "ids", required = true, max_items = 50 } },
    run = function(input, context) return operations.retry_all(input.ids, context) end,
  },

  drop = promise {
    name = "admin.drop_message", about = "Give a dead message up.", role = "admin", input = { id = entry_id },
    errors = { not_dead = 409 },
    run = function(input, context) return done(operations.drop(input.id, context)) end,
  },

  jobs = promise {
    name = "admin.list_jobs", about = "The schedule and the last runs.", role = "viewer",
    run = function()
      local list, problem = operations.jobs()
      return list and { jobs = list }, problem
    end,
  },

  run_job = promise {
    name = "admin.run_job", about = "Run a job now.", role = "admin",
    input = { name = { type = "string", required = true, pattern = "^[%w_%.]+$", max_length = 60 } },
    errors = { not_found = 404, job_failed = 503 },
    run = function(input, context) return operations.run_job(input.name, context) end,
  },

  cache = promise {
    name = "admin.show_cache", about = "The exchange's access, and one driver's copies.", role = "viewer",
    input = { driver = driver_id },
    run = function(input) return admin_cache.show(input.driver) end,
  },

  clear_lists = promise {
    name = "admin.clear_lists", about = "Forget one driver's lists.", role = "admin",
    input = { driver = { type = "string", required = true, pattern = "^[1-9]%d*$", max_length = 18 } },
    run = function(input, context) return admin_cache.clear_lists(input.driver, context) end,
  },

  drop_token = promise {
    name = "admin.drop_token", about = "Log in to the exchange anew.", role = "admin",
    run = function(_, context) return done(admin_cache.drop_token(context)) end,
  },

  server = promise {
    name = "admin.show_server", about = "Generation, workers, reloads, rules.", role = "viewer",
    run = function()
      local server, problem = operations.server()
      if not server then return nil, problem end
      return { server = server, rules = operations.rules(), plugins = plugins.about() }
    end,
  },

  reload = promise {
    name = "admin.reload", about = "Read all sources again.", role = "admin",
    run = function(_, context) return operations.reload(context) end,
  },
}
