--- Sends errors of scripts to Sentry: what failed, where, for which request. Nothing of the request's content.

local CLIENT = "fura/1.0"

-- https://KEY@HOST/PROJECT
local function read_dsn(dsn)
  local scheme, key, place, project = dsn:match "^(https?)://(%w+)@([^/%s]+)/(%d+)$"
  return scheme and { key = key, url = ("%s://%s/api/%s/envelope/"):format(scheme, place, project) }
end

-- "lua/a.lua:12: in function 'f'" lines of a traceback, oldest first as Sentry wants them.
local function frames(stack)
  local list = host.json.array {}
  for line in (stack or ""):gmatch "[^\n]+" do
    local file, number, name = line:match "^%s*([%w_/%.%-]+%.lua):(%d+): in (.+)$"
    if file then table.insert(list, 1, { filename = file, lineno = tonumber(number), ["function"] = name, in_app = true }) end
  end
  return list
end

local function event_of(error_text, stack, tags, conf)
  return {
    event_id = host.crypto.uuid():gsub("-", ""), timestamp = host.time.now(), platform = "other", level = "error",
    environment = conf.environment or host.env, server_name = conf.server_name, tags = tags,
    exception = { values = { { type = "ScriptError", value = error_text:sub(1, 1000), stacktrace = { frames = frames(stack) } } } },
  }
end

-- So many a minute and worker: a storm of errors must not become a storm of calls.
local function within_rate(self, conf)
  local minute = math.floor(host.time.monotonic_ms() / 60000)
  if self.minute ~= minute then self.minute, self.sent = minute, 0 end
  self.sent = self.sent + 1
  return self.sent <= conf.max_per_minute
end

local function send(self, event, conf)
  if not within_rate(self, conf) then return host.metrics.count("dropped_total") end
  local dsn = read_dsn(conf.dsn)
  local body = host.json.encode({ event_id = event.event_id }) .. "\n" .. host.json.encode({ type = "event" }) .. "\n"
    .. host.json.encode(event) .. "\n"
  local answer, problem = host.http.request {
    url = dsn.url, method = "POST", timeout_ms = conf.timeout_ms, max_body_bytes = 65536, body = body,
    headers = { ["Content-Type"] = "application/x-sentry-envelope",
      ["X-Sentry-Auth"] = ("Sentry sentry_version=7, sentry_client=%s, sentry_key=%s"):format(CLIENT, dsn.key) },
  }
  if not answer then error("Sentry does not answer: " .. tostring(problem), 0) end
  if answer.status >= 300 then error("Sentry answered " .. answer.status, 0) end
  host.metrics.count("sent_total")
end

return {
  name = "sentry", version = "1.0.0", api = 1,
  about = "Sends errors of scripts to Sentry.",
  about_ru = "Шлёт ошибки скриптов в Sentry.",
  stage = "observe",
  needs = { "http" },
  config = {
    dsn = { type = "secret", required = true, doc = "https://KEY@HOST/PROJECT",
      doc_ru = "https://KEY@HOST/PROJECT", check = function(dsn)
      return not read_dsn(dsn) and "is no DSN (expected https://KEY@HOST/PROJECT)" or nil
    end },
    environment = { type = "string", doc = "instead of the setting env",
      doc_ru = "вместо настройки env" },
    server_name = { type = "string", doc = "the name of this node",
      doc_ru = "имя этого сервера" },
    max_per_minute = { type = "integer", default = 30, min = 1, max = 1000, doc = "of one worker; further ones are only counted",
      doc_ru = "от одного процесса; остальные только считаются" },
    timeout_ms = { type = "integer", default = 3000, min = 100, max = 30000,
      doc_ru = "сколько ждать ответа, миллисекунды" },
  },
  events = {
    ["request.failed"] = function(self, failed, conf)
      local tags = { route = failed.route, method = failed.method, request_id = failed.request_id, stopped = tostring(failed.stopped) }
      send(self, event_of(failed.text, failed.stack, tags, conf), conf)
    end,
    ["rule.failed"] = function(self, failed, conf)
      send(self, event_of(failed.text, failed.stack, { rule = failed.rule, ["function"] = failed["function"] }, conf), conf)
    end,
  },
}
