-- The way of a request through the application, without a server; sessions are real.
local request = require "support.request"
local sessions = require "services.sessions"

local function problem_of(response)
  return host.json.decode(response.body)
end

describe("the application", function()
  local token

  setup(function()
    token = assert(sessions.begin({ id = "777000111", first_name = "Иван" }, {})).token
  end)

  it("answers an unknown path with a problem in the reader's language", function()
    local response = request.send("GET", "/api/v1/nothing")
    assert.equal(404, response.status)
    assert.equal("application/problem+json; charset=utf-8", response.headers["Content-Type"])
    local problem = problem_of(response)
    assert.equal("not_found", problem.code)
    assert.equal("spec-1", problem.request_id)
    assert.equal("about:blank", problem.type)
    assert.equal("Такой страницы нет.", problem.detail)
    local english = request.send("GET", "/api/v1/nothing", { headers = { ["accept-language"] = "en-US,en;q=0.9,ru;q=0.5" } })
    assert.equal("There is no such page.", problem_of(english).detail)
  end)

  it("wants a session where it says driver", function()
    for _, authorization in ipairs { "Bearer x", "Bearer", "Basic eDp5", "Bearer " .. token .. "x" } do
      local response = request.send("GET", "/api/v1/me", { headers = { authorization = authorization } })
      assert.equal(401, response.status)
      assert.equal("unauthorized", problem_of(response).code)
    end
    assert.equal(401, request.send("GET", "/api/v1/me").status)
  end)

  it("believes a cookie for reading, and for writing only from a page of ours", function()
    local cookie = "fura_session=" .. token
    assert.equal(200, request.send("GET", "/api/v1/me", { headers = { cookie = cookie } }).status)
    for _, origin in ipairs { false, "https://evil.example", "http://127.0.0.1:8080.evil.example", "null" } do
      local response = request.send("POST", "/api/v1/auth/logout", { headers = { cookie = cookie, origin = origin or nil } })
      assert.equal(403, response.status)
      assert.equal("forbidden_origin", problem_of(response).code)
    end
  end)

  it("names all wrong filters at once with 400", function()
    local response = request.send("GET", "/api/v1/cargos?limit=0&offset=x&price=5,1&unknown=1",
      { headers = { authorization = "Bearer " .. token } })
    assert.equal(400, response.status)
    local problem, fields = problem_of(response), {}
    for index, field in ipairs(problem.errors) do fields[index] = field.field .. ":" .. field.code end
    assert.equal("invalid_filter", problem.code)
    assert.same({ "limit:min", "offset:integer", "price:range_order" }, fields)
  end)

  it("tells malformed JSON, a wrong type and a missing field apart", function()
    local function login(body, kind)
      local response = request.send("POST", "/api/v1/auth/telegram", { body = body, headers = { ["content-type"] = kind } })
      return response.status, problem_of(response).code
    end
    assert.same({ 400, "invalid_json" }, { login('{"init_data":', "application/json") })
    assert.same({ 400, "invalid_json" }, { login("", "application/json") })
    assert.same({ 415, "unsupported_media_type" }, { login("x", "text/plain") })
    assert.same({ 422, "invalid_input" }, { login("{}", "application/json; charset=utf-8") })
    assert.same({ 422, "invalid_input" }, { login("[1]", "application/json") })
    assert.same({ 422, "invalid_input" }, { login('"x"', "application/json") })
    assert.same({ 422, "invalid_input" }, { login('{"init_data":7}', "application/json") })
    assert.same({ 401, "init_data_invalid" }, { login("init_data=a%3D1", "application/x-www-form-urlencoded") })
  end)

  it("puts a problem where it belongs when htmx asks", function()
    local response = request.send("GET", "/api/v1/cargos?limit=0",
      { headers = { authorization = "Bearer " .. token, ["hx-request"] = "true" } })
    assert.equal(400, response.status)
    assert.equal("text/html; charset=utf-8", response.headers["Content-Type"])
    assert.equal("#filters-problem", response.headers["HX-Retarget"])
    assert.truthy(response.headers["Content-Security-Policy"])
  end)

  it("refuses a malformed cargo id before anything is asked", function()
    for _, id in ipairs { "abc", "-5", "1%3Fx=1", "1234567890123456789", "1.5", "%D9%A1" } do
      local response = request.send("GET", "/api/v1/cargos/" .. id, { headers = { authorization = "Bearer " .. token } })
      assert.equal("invalid_cargo_id", problem_of(response).code)
      assert.equal(400, response.status)
    end
  end)

  it("gives no developer's login unless it is switched on", function()
    if host.config.dev_login then return end
    local response = request.send("POST", "/api/v1/auth/dev",
      { is_local = true, body = '{"id":7}', headers = { ["content-type"] = "application/json" } })
    assert.equal(404, response.status)
  end)

  it("shows the page to anyone, without caching it", function()
    local response = request.send("GET", "/")
    assert.equal("no-store", response.headers["Cache-Control"])
    assert.truthy(response.body:find("<html lang=\"ru\">", 1, true))
    assert.is_nil(response.body:find("dev-login", 1, true))
  end)
end)
