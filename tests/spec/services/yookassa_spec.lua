-- What the answers of YooKassa mean, against the published vectors, given by the simulated gateway.
local payment_inbox = require "services.payment_inbox"
local vectors = require "spec.support.vectors"
local yookassa = require "services.yookassa"

local answers = {}
for _, one in ipairs(vectors.load("yookassa").api_responses) do answers[one.id] = one end

local BASE = host.config.yookassa.api_url:gsub("/v3$", "")

local function control(name, body)
  local answer = assert(host.http.request { method = body and "POST" or "GET", url = BASE .. "/__control/" .. name,
    headers = { ["Content-Type"] = "application/json" }, body = body and host.json.encode(body) })
  assert(answer.status == 200, answer.body)
  return host.json.decode(answer.body)
end

-- What we make of the vector as the answer to `call`.
local function answered(id, call, times)
  local one = answers[id]
  control("misbehave", { action = "status", status = one.http_status, body = one.body, times = times or 1 })
  return call()
end

local ORDER = { amount = { value = "499.00", currency = "RUB" }, capture = true }

local function create(key)
  return function() return yookassa.create_payment(ORDER, key or host.crypto.uuid()) end
end

describe("services.yookassa", function()
  it("gives the payment, with its page or still without one", function()
    assert.matches("^https://yoomoney.ru/checkout/", answered("create-pending", create()).confirmation.confirmation_url)
    local object = answered("create-pending-no-url", create())
    assert.equal("pending", object.status)
    assert.is_nil(object.confirmation)
  end)

  it("gives a refund, whatever else stands in it", function()
    local refund = answered("sdk-refund-fixture", function() return yookassa.refund "1ddd77af-0bd7-500d-895b-c475c55fdefc" end)
    assert.same({ "succeeded", "10.00" }, { refund.status, refund.amount.value })
  end)

  it("takes a 4xx for a definite no", function()
    for _, id in ipairs { "error-400", "error-401", "error-403" } do
      local object, problem = answered(id, create())
      assert.is_nil(object)
      assert.same({ "gateway_refused", answers[id].http_status }, { problem.code, problem.answered })
      assert.is_falsy(problem.unknown)
    end
  end)

  it("asks again under the same key after a 500, and then knows that it knows nothing", function()
    local key = host.crypto.uuid()
    local object, problem = answered("error-500", create(key), 2)
    assert.is_nil(object)
    assert.same({ "gateway_unavailable", true }, { problem.code, problem.unknown })
    local sent = {}
    for _, request in ipairs(control("log").requests) do
      if request.headers and request.headers["idempotence-key"] == key then
        sent[#sent + 1] = host.json.encode(request.body, { sorted = true })
      end
    end
    assert.equal(2, #sent)
    assert.equal(sent[1], sent[2])
    local limits = vectors.load("yookassa").idempotence_key
    assert.is_true(#key <= limits.max_length)
  end)
end)

describe("who may notify", function()
  it("is an address, not a list of them", function()
    for _, one in ipairs(vectors.load("yookassa").sender_ip_cases) do
      if one.ip == "" or one.ip:find(",", 1, true) then
        local admitted, problem = payment_inbox.admit({ body = "" }, { address = one.ip })
        assert.is_nil(admitted)
        assert.equal("forbidden_sender", problem.code)
      end
    end
    assert.is_nil((payment_inbox.admit({ body = "" }, { address = "127.0.0.1, 8.8.8.8" })))
  end)
end)
