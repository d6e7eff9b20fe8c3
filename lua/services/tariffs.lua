--- What is sold: the list of the panel when there is a usable one, else that of lua/rules/tariffs.lua.
local host = host
local rules = require "kit.rules"
local settings = require "services.settings"

local tariffs = {}

local checked, usable -- the last list of the panel and what became of it

local function of_panel()
  local list = settings.get "tariffs"
  if list == nil then return nil end
  if checked == list then return usable end
  local problem = rules.tariffs.problem(list)
  if problem ~= "" then host.log.error("tariffs of the panel are not usable", { problem = problem }) end
  checked, usable = list, problem == "" and list or nil
  return usable
end

local function is_on_sale(tariff)
  return tariff.on_sale ~= false
end

--- Tariffs on sale, in order: {name, title = {ru, en?}, days, price_kopecks, badge?}.
function tariffs.on_sale()
  local list = {}
  for _, tariff in ipairs(of_panel() or rules.tariffs.list) do
    if is_on_sale(tariff) then list[#list + 1] = tariff end
  end
  return list
end

--- The tariff on sale of this name; nil when there is none.
function tariffs.find(name)
  for _, tariff in ipairs(tariffs.on_sale()) do
    if tariff.name == name then return tariff end
  end
end

--- The title of a tariff that was sold once, or its name.
function tariffs.title(name, language)
  for _, list in ipairs { of_panel() or {}, rules.tariffs.list } do
    for _, tariff in ipairs(list) do
      if tariff.name == name then return tariff.title[language] or tariff.title.ru end
    end
  end
  return name
end

return tariffs
