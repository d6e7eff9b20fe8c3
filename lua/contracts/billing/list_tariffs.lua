--- What can be bought.
local contract = require "kit.contract"
local rules = require "kit.rules"
local tariffs = require "services.tariffs"
local host = host

local function shown(tariff, language)
  return {
    name = tariff.name, title = tariff.title[language] or tariff.title.ru, days = tariff.days,
    price_kopecks = tariff.price_kopecks, price = rules.card.price(tariff.price_kopecks, "ru"), badge = tariff.badge,
  }
end

return contract {
  name = "billing.list_tariffs", access = "public",
  about = "Tariffs on sale, in the order of the page.",
  input = {},
  output = { data = { type = "list", items = { type = "object", fields = {
    name = { type = "string" }, title = { type = "string" }, days = { type = "integer" },
    price_kopecks = { type = "integer" }, price = { type = "string" }, badge = { type = "string", nullable = true },
  } } } },
  errors = {},

  run = function(_, context)
    local data = host.json.array {}
    for index, tariff in ipairs(tariffs.on_sale()) do data[index] = shown(tariff, context.language or "ru") end
    return { data = data }
  end,
}
