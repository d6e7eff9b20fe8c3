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

return {
  name = "maintenance", version = "1.0.0", api = 1,
  about = "Answers 503 while the product is being worked on.",
  stage = "edge", after = { "cors", "ip_filter" },
  on_error = "skip",
  config = {
    enabled = { type = "boolean", default = true, doc = "false: everybody passes" },
    message = { type = "string", default = "Ведутся работы. Попробуйте позже.", max = 300, doc = "what drivers read" },
    retry_after_s = { type = "integer", default = 300, min = 1, max = 86400, doc = "when clients may ask again, seconds" },
    open_paths = { type = "list", default = { "/admin", "/webhooks/" }, doc = "paths that go on, by their beginning" },
    open_addresses = { type = "list", default = {}, doc = "addresses of people who may look" },
  },

  on_request = function(_, req, conf)
    if not conf.enabled or is_open(req.path, conf) or is_ours(req.address, conf) then return nil end
    return { problem = "not_ready", status = 503, detail = conf.message, retry_after_s = conf.retry_after_s }
  end,
}
