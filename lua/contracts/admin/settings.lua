--- Tariffs, the gateway's shop and key (write-only), the selling switch, flags.
local admin_settings = require "services.admin_settings"
local failure = require "kit.failure"
local promise = require "contracts.admin.promise"
local rules = require "kit.rules"
local schema = require "kit.schema"

local settings = {}

local MAX_TARIFFS = 12

settings.show = promise {
  name = "admin.show_settings", about = "Tariffs in force and what is set.", role = "viewer",
  run = function() return admin_settings.show() end,
}

settings.list_flags = promise {
  name = "admin.list_flags", about = "Feature flags.", role = "viewer",
  run = function()
    local list, problem = admin_settings.flags()
    if not list then return nil, problem end
    return { flags = list }
  end,
}

-- ---- tariffs ----

local ROW = {
  name = { type = "string", required = true, pattern = "^[a-z0-9_]+$", max_length = 64 },
  title = { type = "string", required = true, max_length = 60 },
  title_en = { type = "string", max_length = 60 },
  days = { type = "integer", required = true, min = 1, max = 3660 },
  price = { type = "string", required = true, max_length = 20 },
  badge = { type = "string", max_length = 30 },
}
local LABELS = { name = "имя", title = "название", title_en = "название по-английски", days = "дней", price = "цена",
  badge = "ярлык" }

-- Row `i` of the form: name_1, title_1, …; nil when it is empty.
local function raw_row(form, i)
  local raw, is_empty = {}, true
  for name in pairs(ROW) do
    raw[name] = form[name .. "_" .. i]
    if type(raw[name]) == "string" and raw[name]:find "%S" then is_empty = false end
  end
  if not is_empty then return raw end
end

local function read_row(raw, i, problems)
  local row, wrong = schema.parse(ROW, raw)
  local kopecks = row and rules.tariffs.kopecks((row.price:gsub("[%s₽]", ""):gsub(",", ".")))
  if row and not kopecks then wrong = { { field = "price", code = "number" } } end
  for _, problem in ipairs(wrong or {}) do
    problem.label = ("Тариф %d, %s"):format(i, LABELS[problem.field])
    problems[#problems + 1] = problem
  end
  if wrong then return nil end
  return { name = row.name, title = { ru = row.title, en = row.title_en }, days = row.days, price_kopecks = kopecks,
    badge = row.badge }
end

local function read_tariffs(form)
  local list, problems = {}, {}
  for i = 1, MAX_TARIFFS do
    local raw = raw_row(form, i)
    local tariff = raw and read_row(raw, i, problems)
    if tariff then
      tariff.on_sale = form["on_sale_" .. i] ~= nil
      tariff.order = tonumber(form["order_" .. i]) or i
      list[#list + 1] = tariff
    end
  end
  if #problems > 0 then return nil, failure("invalid_input", { fields = problems }) end
  table.sort(list, function(a, b) return a.order < b.order end)
  for _, tariff in ipairs(list) do tariff.order = nil end
  local wrong = rules.tariffs.problem(list)
  if wrong ~= "" then
    return nil, failure("invalid_input", { fields = { { field = "tariffs", label = "Тарифы", code = "format",
      message = wrong } } })
  end
  return list
end

settings.preview_tariffs = promise {
  name = "admin.preview_tariffs", about = "Tariffs as they would be sold.", role = "admin", raw_input = true,
  run = function(form)
    local list, problem = read_tariffs(form)
    if not list then return nil, problem end
    local now
    now, problem = admin_settings.show()
    if not now then return nil, problem end
    return { tariffs = list, before = now.tariffs }
  end,
}

settings.save_tariffs = promise {
  name = "admin.save_tariffs", about = "Sell by these tariffs from now on.", role = "admin", raw_input = true,
  errors = { changed_meanwhile = 409 },
  run = function(form, context)
    local list, problem = read_tariffs(form)
    if not list then return nil, problem end
    local done
    done, problem = admin_settings.set("tariffs", list, context, type(form.version) == "string" and form.version or nil)
    if not done then return nil, problem end
    return {}
  end,
}

-- ---- the gateway ----

settings.save_gateway = promise {
  name = "admin.save_gateway", about = "Shop and key of YooKassa; the key is never shown again.", role = "admin",
  input = {
    shop_id = { type = "string", pattern = "^%d+$", max_length = 20 },
    secret_key = { type = "string", pattern = "^[%w_%-%.]+$", max_length = 200 },
  },
  errors = { encryption_key_missing = 503 },
  run = function(input, context)
    local changes = {}
    for _, name in ipairs { "shop_id", "secret_key" } do
      if input[name] then changes[#changes + 1] = { name = "yookassa." .. name, value = input[name] } end
    end
    local done, problem = admin_settings.set_all(changes, context)
    if not done then return nil, problem end
    return {}
  end,
}

-- ---- flags ----

local function check_ids(value)
  for id in value:gmatch "%S+" do
    if not id:find "^[1-9]%d*$" or #id > 18 then return "ids" end
  end
end

settings.save_flag = promise {
  name = "admin.save_flag", about = "Change a feature flag.", role = "admin",
  input = {
    name = { type = "string", required = true, pattern = "^[a-z][a-z0-9_]*$", max_length = 64 },
    enabled = { type = "boolean", default = false },
    rollout_percent = { type = "integer", default = 100, min = 0, max = 100 },
    allow_list = { type = "string", default = "", max_length = 20000, check = check_ids },
    requires_subscription = { type = "boolean", default = false },
    seen = { type = "string", max_length = 40 },
  },
  errors = { changed_meanwhile = 409 },
  run = function(input, context)
    input.allow_list = input.allow_list:gsub("%s+", " ")
    input.version = input.seen
    local done, problem = admin_settings.set_flag(input, context)
    if not done then return nil, problem end
    return {}
  end,
}

return settings
