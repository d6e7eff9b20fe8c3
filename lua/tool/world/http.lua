--- The outside world of host.http: answers that a spec has prepared, and what was asked. A call that nothing was prepared
--- for raises, and fails the spec with its method and address even when the code under test caught the error.
local host = host
local failure = require "kit.failure"
local headers_of = require "tool.world.headers"
local lists = require "tool.world.lists"

local DEFAULT_TIMEOUT_MS = 10000
local DEFAULT_MAX_BODY_BYTES = 4 * 1024 * 1024

local INSIDE = {} -- key of what specs do not see

local http = {}

-- ---- what specs see ----

local Http = {}
Http.__index = Http

local KNOWN = { status = true, headers = true, body = true, json = true, file = true, error = true, after_ms = true, times = true }
http.answer_members = KNOWN -- what the annotations are compared with

local function check_answer(answer)
  if type(answer) == "function" then return end
  if type(answer) ~= "table" then error("an answer is a table like { status = 200, json = { … } }, or a function", 3) end
  for key in pairs(answer) do
    if not KNOWN[key] then error(("an answer has no '%s'"):format(tostring(key)), 3) end
  end
end

--- Prepare the answer to a method and an address; one that ends with * is for all that begin so.
function Http:reply(method, url, answer)
  check_answer(answer)
  local replies = self[INSIDE].replies
  replies[#replies + 1] = { method = method:upper(), url = url, answer = answer, left = type(answer) == "table" and answer.times }
  return self
end

-- ---- the answer to a call ----

local function fits(wanted, url)
  if wanted:sub(-1) == "*" then return url:sub(1, #wanted - 1) == wanted:sub(1, -2) end
  return wanted == url
end

local function body_of(answer, fixture)
  if answer.json ~= nil then return host.json.encode(answer.json, { sorted = true }) end
  if answer.file then return fixture(answer.file, "text") end
  return answer.body or ""
end

local function hand_over(body, request)
  if not request.on_piece then return body end
  if #body > 0 then request.on_piece(body) end
  return ""
end

-- No answer: a timeout takes the time it takes.
local function fail(code, after_ms)
  host.task.sleep(after_ms)
  return nil, failure(code, { service = "http", text = code })
end

local function play(answer, request, fixture)
  local timeout_ms, began_ms = request.timeout_ms or DEFAULT_TIMEOUT_MS, host.time.monotonic_ms()
  local after_ms = answer.after_ms or 0
  if answer.error == "timeout" or after_ms >= timeout_ms then return fail("timeout", timeout_ms) end
  if answer.error then return fail(answer.error, after_ms) end
  if after_ms > 0 then host.task.sleep(after_ms) end
  local body = body_of(answer, fixture)
  if #body > (request.max_body_bytes or DEFAULT_MAX_BODY_BYTES) then
    return nil, failure("too_big", { service = "http", text = "the answer is longer than max_body_bytes" })
  end
  local headers = headers_of(answer.headers)
  if answer.json ~= nil then headers["content-type"] = headers["content-type"] or "application/json" end
  return { status = answer.status or 200, headers = headers, body = hand_over(body, request),
    took_ms = host.time.monotonic_ms() - began_ms }
end

-- ---- the call ----

local function entry_of(request, method)
  local entry = { method = method, url = request.url, headers = headers_of(request.headers), body = request.body or "",
    timeout_ms = request.timeout_ms }
  local decoded = host.json.decode(entry.body)
  entry.json = type(decoded) == "table" and decoded or nil
  return entry
end

local UNEXPECTED = "nobody expected %s %s: prepare it with world.http:reply(\"%s\", \"%s\", { … })"

local function ask(self, request)
  if type(request) ~= "table" or type(request.url) ~= "string" then error("host.http.request takes a table with an url", 3) end
  local method, url = (request.method or "GET"):upper(), request.url
  local entry, inside = entry_of(request, method), self[INSIDE]
  self.asked[#self.asked + 1] = entry
  if not url:find "^https?://[^/%s]" then return nil, failure("invalid_url", { service = "http", text = url }) end
  local reply = lists.take(inside.replies, function(one) return one.method == method and fits(one.url, url) end)
  if not reply then return inside.world.unexpected(UNEXPECTED:format(method, url, method, url)) end
  local answer = reply.answer
  if type(answer) == "function" then answer = answer(entry) end
  return play(answer, request, inside.world.fixture)
end

-- ---- for tool.world ----

--- @param world table  {unexpected, fixture}
function http.new(world)
  return setmetatable({ asked = {}, [INSIDE] = { world = world, replies = {} } }, Http)
end

function http.replacements(self)
  return { http = { request = function(request) return ask(self, request) end } }
end

function http.reset(self)
  self[INSIDE].replies = {}
  lists.clear(self.asked)
end

return http
