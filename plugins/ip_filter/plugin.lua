--- Lets only certain networks in, or keeps certain ones out.

local function check_networks(networks)
  for _, network in ipairs(networks) do
    if not network:find "^[%x%.:]+$" and not network:find "^[%x%.:]+/%d+$" then
      return ("holds no network (expected like 10.0.0.0/8 or 2001:db8::/32, got %s)"):format(network)
    end
  end
end

local function inside(address, networks)
  return #networks > 0 and host.http.address_in(address, table.concat(networks, ","))
end

local function applies(path, conf)
  if #conf.paths == 0 then return true end
  for _, prefix in ipairs(conf.paths) do
    if path:sub(1, #prefix) == prefix then return true end
  end
  return false
end

-- A peer on a unix socket has no address: it is this machine.
local function may_pass(address, conf)
  if not address or not address:find "^[%x%.:]+$" then return true end
  if inside(address, conf.deny) then return false end
  return #conf.allow == 0 or inside(address, conf.allow)
end

return {
  name = "ip_filter", version = "1.0.0", api = 1,
  about = "Lets only certain networks in, or keeps some out.",
  about_ru = "Пускает только некоторые сети или не пускает некоторые.",
  stage = "edge",
  on_error = "fail",
  needs = { "http" },
  config = {
    allow = { type = "list", default = {}, check = check_networks, doc = "only these networks; empty: all",
      doc_ru = "только эти сети; пусто — все" },
    deny = { type = "list", default = {}, check = check_networks, doc = "never these; wins over allow",
      doc_ru = "эти никогда; сильнее allow" },
    paths = { type = "list", default = {}, doc = "only for paths that begin so; empty: all",
      doc_ru = "только для путей, которые так начинаются; пусто — для всех" },
  },

  start = function(_, conf) -- a network that cannot be read refuses the reload
    inside("127.0.0.1", conf.allow)
    inside("127.0.0.1", conf.deny)
  end,

  on_request = function(_, req, conf)
    if not applies(req.path, conf) or may_pass(req.address, conf) then return nil end
    host.metrics.count("refused_total")
    return { problem = "forbidden", status = 403 }
  end,
}
