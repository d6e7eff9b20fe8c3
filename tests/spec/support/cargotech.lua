-- The simulated CargoTech of the run, told to misbehave and asked what it saw.
local cargotech = {}

local URL = host.config.cargotech.api_url .. "/__control/"

local function control(method, what, body)
  local answer = assert(host.http.request {
    method = method, url = URL .. what, headers = { ["Content-Type"] = "application/json" },
    body = body and host.json.encode(body), timeout_ms = 5000,
  })
  assert(answer.status == 200, answer.body)
  return host.json.decode(answer.body, { max_bytes = 8 * 1024 * 1024 })
end

function cargotech.tell(what, body)
  return control("POST", what, body or {})
end

--- How often it was asked since the last reset.
--- @param route string  like "GET /v1/me"
function cargotech.count(route)
  return control("GET", "log").counts[route] or 0
end

--- As if nothing had ever happened, for it and for us.
function cargotech.reset()
  control("POST", "reset", {})
  control("POST", "account", { password = host.config.cargotech.password })
  require("services.cargo_token").reset()
  host.redis.command("DEL", "cargotech:limiter")
  for _, key in ipairs { "breaker:cargotech:failures", "breaker:cargotech:open_until", "breaker:cargotech:probe",
    "cargotech:hold", "cargotech:login:troubled", "cargotech:login:refusals" } do
    host.shared.delete(key)
  end
end

return cargotech
