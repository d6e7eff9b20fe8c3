--- Tells another system of events by signed POSTs, each delivered at least once, by way of the outbox.

local EVENTS = { "driver.authenticated", "cargo.viewed", "response.created", "response.status_changed", "payment.succeeded",
  "payment.refunded", "subscription.activated", "subscription.expiring", "promo.applied", "rule.failed", "reload.rejected" }

local function check_events(names)
  for _, name in ipairs(names) do
    if not table.concat(EVENTS, " "):find("%f[%w_.]" .. name:gsub("%.", "%%.") .. "%f[^%w_.]") then
      return ("names an unknown event (expected some of %s, got %s)"):format(table.concat(EVENTS, ", "), name)
    end
  end
end

local function wants(name, conf)
  for _, wanted in ipairs(conf.events) do
    if wanted == name then return true end
  end
  return false
end

-- The id is made here, so that the receiver knows a repetition by it.
local function on_event(_, payload, conf, name)
  if not wants(name, conf) then return end
  local id = host.crypto.uuid()
  local queued, problem = host.outbox.add {
    data = { id = id, event = name, at = host.time.iso8601(host.time.now()), payload = payload },
  }
  if not queued then error("an event could not be queued: " .. tostring(problem), 0) end
end

local listeners = {}
for _, name in ipairs(EVENTS) do listeners[name] = on_event end

local function sign(secret, stamp, body)
  return "v1=" .. host.crypto.hex(host.crypto.hmac_sha256(secret, stamp .. "." .. body))
end

-- 410 says that nobody wants it any more; everything else may pass.
local function judge(answer)
  if answer.status >= 200 and answer.status < 300 then return true end
  return nil, { code = "receiver_refused", text = "answered " .. answer.status, permanent = answer.status == 410 }
end

return {
  name = "webhook_out", version = "1.0.0", api = 1,
  about = "Tells another system of events by signed POSTs.",
  about_ru = "Сообщает другой системе о событиях подписанными POST-запросами.",
  stage = "observe",
  needs = { "http", "outbox" },
  config = {
    url = { type = "url", required = true, doc = "where to POST to",
      doc_ru = "куда слать" },
    secret = { type = "secret", required = true, min = 16, doc = "key of the signature",
      doc_ru = "ключ подписи" },
    events = { type = "list", required = true, min = 1, check = check_events, doc = "which events",
      doc_ru = "о каких событиях" },
    timeout_ms = { type = "integer", default = 5000, min = 100, max = 30000, doc = "of one attempt",
      doc_ru = "на одну попытку, миллисекунды" },
  },
  events = listeners,

  deliver = function(_, data, conf, attempt)
    local body, stamp = host.json.encode(data, { sorted = true }), ("%d"):format(host.time.now())
    local answer, problem = host.http.request {
      url = conf.url, method = "POST", timeout_ms = conf.timeout_ms, max_body_bytes = 65536, body = body,
      headers = {
        ["Content-Type"] = "application/json", ["User-Agent"] = "Fura-Webhook/1", ["X-Fura-Event"] = data.event,
        ["X-Fura-Delivery"] = data.id, ["X-Fura-Attempt"] = tostring(attempt.attempt), ["X-Fura-Timestamp"] = stamp,
        ["X-Fura-Signature"] = sign(conf.secret, stamp, body),
      },
    }
    if not answer then return nil, problem end
    return judge(answer)
  end,
}
