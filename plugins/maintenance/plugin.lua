--- Answers 503 with a sentence while the product is being worked on. On and off by `enabled` and a reload.

local function is_open(path, conf)
  for _, prefix in ipairs(conf.open_paths) do
    if path:sub(1, #prefix) == prefix then return true end
  end
  return false
end

local function is_ours(address, conf)
  for _, known in ipairs(conf.open_addresses) do
    if known == address then return true end
  end
  return false
end

-- In the words of whoever asks.
local function sentence(conf)
  if conf.message then return conf.message end
  if not conf.back_at then return { ru = "Чиним. Скоро вернёмся.", en = "Repairs, back soon." } end
  return { ru = "Чиним. Вернёмся к " .. conf.back_at .. ".", en = "Repairs, back at " .. conf.back_at .. "." }
end

return {
  name = "maintenance", version = "1.1.0", api = 1,
  about = "Answers 503 while the product is being worked on.",
  about_ru = "Отвечает 503, пока идут работы.",
  stage = "edge", after = { "cors", "ip_filter" },
  on_error = "skip",
  config = {
    enabled = { type = "boolean", default = true, doc = "false: everybody passes",
      doc_ru = "нет: проходят все" },
    back_at = { type = "string", max = 40, doc = "when it is over, as drivers read it: \"15:30\"",
      doc_ru = "когда закончим, как это прочтут водители: «15:30»" },
    message = { type = "string", max = 300, doc = "what drivers read instead of «Чиним. Вернёмся к …»",
      doc_ru = "что прочтут водители вместо «Чиним. Вернёмся к …»" },
    retry_after_s = { type = "integer", default = 300, min = 1, max = 86400, doc = "when clients may ask again, seconds",
      doc_ru = "через сколько секунд программам спросить снова" },
    open_paths = { type = "list", default = { "/admin", "/webhooks/" }, doc = "paths that go on, by their beginning",
      doc_ru = "пути, которые работают, по их началу" },
    open_addresses = { type = "list", default = {}, doc = "addresses of people who may look",
      doc_ru = "адреса тех, кому можно смотреть" },
  },

  on_request = function(_, req, conf)
    if not conf.enabled or is_open(req.path, conf) or is_ours(req.address, conf) then return nil end
    return { problem = "maintenance", status = 503, detail = sentence(conf), retry_after_s = conf.retry_after_s }
  end,
}
