--- One plugin as the panel shows it: its settings with where each comes from, and changing them.
local admin_settings = require "services.admin_settings"
local admin_trail = require "services.admin_trail"
local failure = require "kit.failure"
local host = host
local plugin_settings = require "services.plugin_settings"
local plugins = require "services.plugins"
local settings = require "services.settings"

local admin_plugins = {}

local function unavailable(problem)
  return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 })
end

-- ---- what is stored ----

local ROWS = [[
  SELECT name, kind, value, updated_at, updated_by FROM settings
  WHERE name = 'plugins.' || $1::text OR name LIKE 'plugins.' || replace($1::text, '_', '\_') || '.%' ORDER BY name]]

-- `query`: of a transaction, or host.pg.query.
local function rows_of(query, name)
  local rows, problem = query(ROWS, name)
  if not rows then return nil, problem end
  local by_name = {}
  for _, row in ipairs(rows) do by_name[row.name] = row end
  return by_name
end

-- What a form was made of: it changes with every change of what is stored.
local function version_of(rows)
  local parts = {}
  for name, row in pairs(rows) do parts[#parts + 1] = ("%s %.6f"):format(name, row.updated_at) end
  table.sort(parts)
  return host.crypto.hex(host.crypto.sha256(table.concat(parts, "\n"))):sub(1, 16)
end

local function row_of(rows, plugin, key)
  local name = plugin_settings.name(plugin.name, key)
  return name and rows[name]
end

-- Secrets come from this worker's copy: the rows do not show them.
local function overrides_of(plugin, rows)
  local overrides = {}
  for key, field in pairs(plugin.definition.config or {}) do
    local row = row_of(rows, plugin, key)
    if row and field.type == "secret" then overrides[key] = settings.get(row.name)
    elseif row then overrides[key] = row.value end
  end
  return overrides
end

-- ---- showing ----

local function place_of(plugin, key)
  return plugin.given[key] ~= nil and host.config(("plugins.%s.%s"):format(plugin.name, key)) or nil
end

local function field_of(plugin, key, by_file, row)
  local field = plugin.definition.config[key]
  local made = { key = key, type = field.type, one_of = field.one_of, min = field.min, max = field.max, required = field.required,
    doc = field.doc_ru or field.doc, place = place_of(plugin, key), is_stored = row ~= nil, updated_at = row and row.updated_at,
    updated_by = row and row.updated_by, can_change = plugin_settings.name(plugin.name, key) ~= nil }
  if field.type == "secret" then
    made.is_given = row ~= nil or by_file[key] ~= nil
    return made
  end
  made.by_file, made.value = by_file[key], by_file[key]
  if row then made.value = row.value end
  return made
end

local function fields_of(plugin, rows)
  local fields, by_file = {}, plugin_settings.read(plugin, {}) or {}
  for key in pairs(plugin.definition.config or {}) do
    fields[#fields + 1] = field_of(plugin, key, by_file, row_of(rows, plugin, key))
  end
  table.sort(fields, function(a, b) return a.key < b.key end)
  return fields
end

-- Stored for settings that the plugin has no more.
local function orphans_of(plugin, rows)
  local names = {}
  for name in pairs(rows) do
    if not settings.known[name] then names[#names + 1] = name:sub(#plugin.name + 10) end
  end
  table.sort(names)
  return names
end

local function about_of(name)
  for _, about in ipairs(plugins.about()) do
    if about.name == name then return about end
  end
end

--- @return table? plugin  {about, fields, orphans, is_off, version}; a secret's value is never in it
--- @return table? failure  not_found, database_unavailable
function admin_plugins.find(name)
  local plugin, problem = plugin_settings.find(name)
  if not plugin then return nil, problem end
  local rows
  rows, problem = rows_of(host.pg.query, name)
  if not rows then return unavailable(problem) end
  local switch = rows[plugin_settings.name(name)]
  return { name = name, about = about_of(name), fields = fields_of(plugin, rows), orphans = orphans_of(plugin, rows),
    is_off = switch ~= nil and switch.value == false, switch = switch, version = version_of(rows) }
end

--- Its fields as the schema has them: key → field.
--- @return table?
--- @return table? failure  not_found
function admin_plugins.schema(name)
  local plugin, problem = plugin_settings.find(name)
  if not plugin then return nil, problem end
  return plugin.definition.config or {}
end

-- ---- changing ----

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  return host.json.encode(a, { sorted = true }) == host.json.encode(b, { sorted = true })
end

-- Only what differs from what is in force; a value that the file gives too needs no override.
local function changes_of(plugin, wanted, rows)
  local by_file = plugin_settings.read(plugin, {}) or {}
  local changes, overrides = {}, overrides_of(plugin, rows)
  for key, item in pairs(wanted) do
    local now = by_file[key]
    if overrides[key] ~= nil then now = overrides[key] end
    local value = item.value
    if value ~= nil and same(value, by_file[key]) then value = nil end
    if item.value ~= nil and not same(item.value, now) or item.value == nil and row_of(rows, plugin, key) then
      changes[#changes + 1] = { name = plugin_settings.name(plugin.name, key), value = value }
      overrides[key] = value
    end
  end
  table.sort(changes, function(a, b) return a.name < b.name end)
  return changes, overrides
end

local function unchanged_since(name, version)
  return function(tx)
    local rows, problem = rows_of(function(...) return tx:query(...) end, name)
    if not rows then return nil, problem end
    if version_of(rows) ~= version then return nil, failure "changed_meanwhile" end
    return true
  end
end

--- Store settings. All of them are judged by the plugin's schema and tried by its start() before any is stored.
--- @param wanted table<string, {value: any}>  without a value: as in the file
--- @param version string   of the form they come from
--- @return {changed: integer}?
--- @return table? failure  not_found, changed_meanwhile, settings_refused (with `problems` of services/plugin_settings.lua), …
function admin_plugins.save(name, wanted, version, context)
  local plugin, problem = plugin_settings.find(name)
  if not plugin then return nil, problem end
  local rows
  rows, problem = rows_of(host.pg.query, name)
  if not rows then return unavailable(problem) end
  if version_of(rows) ~= version then return nil, failure "changed_meanwhile" end
  local changes, overrides = changes_of(plugin, wanted, rows)
  if #changes == 0 then return { changed = 0 } end
  local problems = plugin_settings.try(plugin, overrides)
  if #problems > 0 then return nil, failure("settings_refused", { problems = problems }) end
  local done
  done, problem = settings.set_all(changes, admin_trail.actor(context), context, unchanged_since(name, version))
  if not done then return nil, problem end
  return { changed = #changes }
end

--- Forget what is stored for a setting that the plugin has no more.
function admin_plugins.drop(name, key, context)
  return admin_settings.set(("plugins.%s.%s"):format(name, key), nil, context)
end

--- Switch a plugin off, or on again.
function admin_plugins.switch(name, enabled, context)
  local plugin, problem = plugin_settings.find(name)
  if not plugin then return nil, problem end
  local value
  if not enabled then value = false end
  return admin_settings.set(plugin_settings.name(name), value, context)
end

return admin_plugins
