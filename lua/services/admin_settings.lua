--- Settings and flags as the panel shows and changes them.
local admin_trail = require "services.admin_trail"
local failure = require "kit.failure"
local host = host
local rules = require "kit.rules"
local settings = require "services.settings"

local admin_settings = {}

local function unavailable(problem)
  return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 })
end

--- What is in force, read from the database: the tariffs, and who set what when (never a secret).
function admin_settings.show()
  local rows, problem = settings.list()
  if not rows then return unavailable(problem) end
  local set = {}
  for _, row in ipairs(rows) do set[row.name] = row end
  local list = set.tariffs and rules.tariffs.problem(set.tariffs.value) == "" and set.tariffs.value
  return {
    version = admin_settings.version(set.tariffs), tariffs = list or rules.tariffs.list, is_own = set.tariffs ~= nil, set = set,
    from_environment = host.config.yookassa.shop_id ~= nil,
  }
end

--- What a form was made of: it changes with every change of the row. "new" for one that is not stored.
--- @param row? {updated_at: number}
function admin_settings.version(row)
  return row and row.updated_at and ("%.6f"):format(row.updated_at) or "new"
end

--- Change several settings together: a new shop with the old key would sell nothing.
--- @param changes {name: string, value: any}[]
function admin_settings.set_all(changes, context)
  return settings.set_all(changes, admin_trail.actor(context), context)
end

--- Change one setting; its trail is written with it.
--- @param version? string  of the form it comes from; nil: whatever is stored
function admin_settings.set(name, value, context, version)
  return settings.set_all({ { name = name, value = value } }, admin_trail.actor(context), context, version and function(tx)
    local row, problem = tx:one("SELECT updated_at FROM settings WHERE name = $1", name)
    if problem then return nil, problem end
    if admin_settings.version(row) ~= version then return nil, failure "changed_meanwhile" end
    return true
  end)
end

-- ---- flags ----

local COLUMNS = [[name, enabled, rollout_percent, array_to_string(allow_list, ' ') AS allow_list, requires_subscription,
  description, updated_at, updated_by]]

--- All flags: those of the rule, overridden and completed by the database's, sorted by name.
function admin_settings.flags()
  local rows, problem = host.pg.query("SELECT " .. COLUMNS .. " FROM feature_flags")
  if not rows then return unavailable(problem) end
  local known, list = {}, {}
  for _, row in ipairs(rows) do
    known[row.name], list[#list + 1] = true, row
  end
  for name, enabled in pairs(rules.flags.defaults) do
    if not known[name] then
      list[#list + 1] = { name = name, enabled = enabled, rollout_percent = 100, allow_list = "",
        requires_subscription = false, description = "" }
    end
  end
  for _, flag in ipairs(list) do flag.version = admin_settings.version(flag) end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

local UPSERT = [[
  INSERT INTO feature_flags (name, enabled, rollout_percent, allow_list, requires_subscription, updated_by)
  VALUES ($1, $2, $3, string_to_array($4, ' ')::bigint[], $5, $6)
  ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled, rollout_percent = excluded.rollout_percent,
    allow_list = excluded.allow_list, requires_subscription = excluded.requires_subscription,
    updated_by = excluded.updated_by, updated_at = now()]]

local function shown(flag)
  return { enabled = flag.enabled, rollout_percent = flag.rollout_percent, allow_list = flag.allow_list,
    requires_subscription = flag.requires_subscription }
end

--- @param flag {name: string, enabled: boolean, rollout_percent: integer, allow_list: string, requires_subscription: boolean,
---   version: string?}  version: of the form it comes from
function admin_settings.set_flag(flag, context)
  local done, problem = host.pg.transaction(function(tx)
    local row = tx:one("SELECT " .. COLUMNS .. " FROM feature_flags WHERE name = $1 FOR UPDATE", flag.name)
    if flag.version and flag.version ~= admin_settings.version(row) then return nil, failure "changed_meanwhile" end
    local before = row
      or { enabled = rules.flags.defaults[flag.name], rollout_percent = 100, allow_list = "", requires_subscription = false }
    local ok, why = tx:query(UPSERT, flag.name, flag.enabled, flag.rollout_percent, flag.allow_list,
      flag.requires_subscription, context.admin.login)
    if not ok then return nil, why end
    return admin_trail.write(context, { action = "flag.changed", target_type = "flag", target_id = flag.name,
      details = { before = shown(before), after = shown(flag) } }, tx)
  end)
  if done then return true end
  if problem.code == "changed_meanwhile" then return nil, problem end
  return unavailable(problem)
end

return admin_settings
