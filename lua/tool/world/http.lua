--- The outside world of host.http: answers that a spec has prepared, and what was asked. A call that nothing was prepared
--- for raises, and fails the spec with its method and address even when the code under test caught the error.
local host = host
local failure = require "kit.failure"
local headers_of = require "tool.world.headers"

local DEFAULT_TIMEOUT_MS = 10000
local DEFAULT_MAX_BODY_BYTES = 4 * 1024 * 1024

local http = {}

local function fits(wanted, url)
  if wanted:sub(-1) == "*" then return url:sub(1, #wanted - 1) == wanted:sub(1, -2) end
  return wanted == url
end

local function body_of(answer, fixture)
  if answer.json ~= nil then return host.json.encode(answer.json, { sorted = true }) end
  if answer.file then return fixture(answer.file, "text") end
  return answer.body or ""
end

local KNOWN = { status = true, headers = true, body = true, json = true, file = true, error = true, after_ms = true, times = true }

http.answer_members = KNOWN -- what the annotations are compared with

local function check_answer(answer)
  if type(answer) == "function" then return end
  if type(answer) ~= "table" then error("an answer is a table like { status = 200, json = { … } }, or a function", 3) end
  for key in pairs(answer) do
    if not KNOWN[key] then error(("an answer has no '%s'"):format(tostring(key)), 3) end
  end
end

--- @param world table  {clock, unexpected, fixture}
function http.new(world)
  local made = { asked = {} } -- what specs see
  local part = { public = made }
  local replies

  --- Prepare the answer to a method and an address; one that ends with * is for all that begin so.
  function made:reply(method, url, answer)
    check_answer(answer)
    replies[#replies + 1] = { method = method:upper(), url = url, answer = answer, left = type(answer) == "table" and answer.times }
    return made
  end

  local function take(method, url)
    for _, reply in ipairs(replies) do
      if reply.method == method and fits(reply.url, url) and reply.left ~= 0 then
        reply.left = reply.left and reply.left - 1
        return reply.answer
      end
    end
  end

  local function fail_after(answer, request)
    local timeout_ms = request.timeout_ms or DEFAULT_TIMEOUT_MS
    host.task.sleep(answer.error == "timeout" and timeout_ms or answer.after_ms or 0)
    return nil, failure(answer.error, { service = "http", text = answer.error })
  end

  local function hand_over(body, request)
    if not request.on_piece then return body end
    if #body > 0 then request.on_piece(body) end
    return ""
  end

  local function play(answer, request)
    local timeout_ms, began_ms = request.timeout_ms or DEFAULT_TIMEOUT_MS, host.time.monotonic_ms()
    if answer.error then return fail_after(answer, request) end
    if (answer.after_ms or 0) >= timeout_ms then return fail_after({ error = "timeout" }, request) end
    if answer.after_ms then host.task.sleep(answer.after_ms) end
    local body = body_of(answer, world.fixture)
    if #body > (request.max_body_bytes or DEFAULT_MAX_BODY_BYTES) then
      return nil, failure("too_big", { service = "http", text = "the answer is longer than max_body_bytes" })
    end
    local headers = headers_of(answer.headers)
    if answer.json ~= nil then headers["content-type"] = headers["content-type"] or "application/json" end
    return { status = answer.status or 200, headers = headers, body = hand_over(body, request),
      took_ms = host.time.monotonic_ms() - began_ms }
  end

  local function record(request, method)
    local entry = { method = method, url = request.url, headers = headers_of(request.headers), body = request.body or "",
      timeout_ms = request.timeout_ms }
    local ok, decoded = pcall(host.json.decode, entry.body)
    entry.json = ok and type(decoded) == "table" and decoded or nil
    made.asked[#made.asked + 1] = entry
    return entry
  end

  local function ask(request)
    if type(request) ~= "table" or type(request.url) ~= "string" then error("host.http.request takes a table with an url", 2) end
    local method = (request.method or "GET"):upper()
    local entry = record(request, method)
    if not request.url:find "^https?://[^/%s]" then
      return nil, failure("invalid_url", { service = "http", text = request.url })
    end
    local answer = take(method, request.url)
    if not answer then
      return world.unexpected(("nobody expected %s %s: prepare it with world.http:reply(\"%s\", \"%s\", { … })"):format(method,
        request.url, method, request.url))
    end
    if type(answer) == "function" then answer = answer(entry) end
    return play(answer, request)
  end

  function part.replacements()
    return { http = { request = ask } }
  end

  function part.reset()
    replies = {}
    for index = #made.asked, 1, -1 do made.asked[index] = nil end
  end

  part.reset()
  return part
end

return http
