--- The door of the panel.
local host = host
local log_in = require "contracts.admin.log_in"
local log_out = require "contracts.admin.log_out"
local page = require "web.admin.page"

local login = {}

-- Only back into the panel.
local function wanted(path)
  if type(path) == "string" and path:find "^/admin/" and not path:find "[%c\\]" and not path:find "^/admin/log" then
    return path
  end
  return "/admin/"
end

local SENTENCES = {
  login_refused = "Логин, пароль или код не подошли.",
  invalid_input = "Заполните логин и пароль.",
  overloaded = "Сервер занят. Попробуйте через несколько секунд.",
  database_unavailable = "База данных не отвечает. Попробуйте через минуту.",
}

local function sentence(problem)
  if problem.code == "encryption_key_missing" then
    return ("Одноразовый код проверить нечем: его секрет зашифрован ключом %s. Верните этот ключ в SETTINGS_ENCRYPTION_KEY.")
      :format(problem.key_id or "")
  end
  if problem.code ~= "login_locked" then return SENTENCES[problem.code] or "Не получилось войти." end
  local at = host.time.parts(problem.open_at, host.config.timezone)
  return ("Слишком много попыток. Вход закрыт до %02d:%02d:%02d."):format(at.hour, at.min, at.sec)
end

local function form(values, problem, status)
  values.problem = problem
  return { html = page.part("login", values), status = status }
end

function login.form(context)
  return form({ next = wanted(context.query.next), login = "" })
end

function login.enter(context)
  local session, problem = log_in(context.form, context)
  local target = wanted(context.form.next)
  if session then return { redirect = target, cookie = session.token } end
  local status = problem.status or problem.code == "database_unavailable" and 503 or 422
  local shown = form({ next = target, login = type(context.form.login) == "string" and context.form.login or "" },
    sentence(problem), status)
  shown.retry_after_s = problem.retry_after_s
  return shown
end

function login.leave(context)
  local done, problem = log_out({}, context)
  if not done then return nil, problem end
  return { redirect = "/admin/login", cookie = "" }
end

return login
