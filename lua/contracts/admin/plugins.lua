--- One plugin: its settings by the schema it brings, changing them, switching it off and on.
local admin_plugins = require "services.admin_plugins"
local failure = require "kit.failure"
local host = host
local promise = require "contracts.admin.promise"
local schema = require "kit.schema"

local plugins = {}

local name = { type = "string", required = true, pattern = "^[%l][%l%d_]*$", max_length = 60 }

plugins.show = promise {
  name = "admin.show_plugin", about = "One plugin and its settings.", role = "viewer", input = { name = name },
  errors = { not_found = 404 },
  run = function(input) return admin_plugins.find(input.name) end,
}

-- ---- from the form ----

-- Each gives the value of a typed text; nil when it is none of that type.
local readers = {}

function readers.integer(text)
  return (schema.parse({ value = { type = "integer" } }, { value = text }) or {}).value
end

function readers.number(text)
  return (schema.parse({ value = { type = "number" } }, { value = (text:gsub(",", ".")) }) or {}).value
end

function readers.boolean(text)
  if text == "true" then return true end
  if text == "false" then return false end
end

function readers.list(text)
  local items = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do
    line = line:match "^%s*(.-)%s*$"
    if line ~= "" then items[#items + 1] = line end
  end
  return host.json.array(items)
end

function readers.string(text)
  return text
end
readers.secret, readers.url = readers.string, readers.string

-- What is typed as an empty text: a list without lines is one; a secret stays as it is; all else is as in the file.
local function read_one(field, text)
  text = text:gsub("\r", "")
  if field.type ~= "string" then text = text:match "^%s*(.-)%s*$" end
  if text == "" and field.type == "secret" then return nil end
  if text == "" and field.type ~= "list" then return {} end
  local value = readers[field.type](text)
  return value ~= nil and { value = value } or false
end

local function read_form(fields, form)
  local wanted, problems = {}, {}
  for key, field in pairs(fields) do
    local text = form["set_" .. key]
    local item
    if type(text) == "string" then item = read_one(field, text) end
    if item == false then
      problems[#problems + 1] = { field = key, code = "kind" }
    else
      wanted[key] = item
    end
  end
  return wanted, problems
end

local function by_field(a, b)
  return a.field < b.field
end

-- What the schema or start() refused, as fields of the form (the codes of kit/plugin_config.lua, `text` in the plugin's own
-- words); what concerns no field is the sentence of all.
local function refused(fields, problem)
  local list, sentence = {}, nil
  for _, one in ipairs(problem.problems) do
    if fields[one.key] then list[#list + 1] = { field = one.key, code = one.code, text = one.text } else sentence = one.text end
  end
  table.sort(list, by_field)
  return nil, failure("invalid_input", { fields = list, refused_by_plugin = sentence })
end

local ERRORS = { not_found = 404, changed_meanwhile = 409, encryption_key_missing = 503 }

local function save(input, wanted, fields, context)
  local done, problem = admin_plugins.save(input.name, wanted, type(input.version) == "string" and input.version or "", context)
  if done or problem.code ~= "settings_refused" then return done, problem end
  return refused(fields, problem)
end

plugins.save = promise {
  name = "admin.save_plugin", about = "Settings of a plugin instead of those of the conf file.", role = "admin", raw_input = true,
  errors = ERRORS,
  run = function(form, context)
    local fields, problem = admin_plugins.schema(form.name)
    if not fields then return nil, problem end
    local wanted, problems = read_form(fields, form)
    table.sort(problems, by_field)
    if #problems > 0 then return nil, failure("invalid_input", { fields = problems }) end
    return save(form, wanted, fields, context)
  end,
}

plugins.reset = promise {
  name = "admin.reset_plugin_setting", about = "One setting of a plugin as in the conf file again.", role = "admin",
  input = { name = name, key = { type = "string", required = true, max_length = 100 }, version = { type = "string", max_length = 64 } },
  errors = ERRORS,
  run = function(input, context)
    local fields, problem = admin_plugins.schema(input.name)
    if not fields then return nil, problem end
    if fields[input.key] then return save(input, { [input.key] = {} }, fields, context) end
    local done
    done, problem = admin_plugins.drop(input.name, input.key, context)
    if not done then return nil, problem end
    return { changed = 1 }
  end,
}

plugins.switch = promise {
  name = "admin.switch_plugin", about = "Switch a plugin off, or on again.", role = "admin",
  input = { name = name, enabled = { type = "boolean", required = true } },
  errors = ERRORS,
  run = function(input, context)
    local done, problem = admin_plugins.switch(input.name, input.enabled, context)
    if not done then return nil, problem end
    return {}
  end,
}

return plugins
