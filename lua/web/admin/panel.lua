--- The way of every request to /admin/: whose session it is, whether the form is ours, the page, the answer.
local access = require "kit.access"
local check_session = require "contracts.admin.check_session"
local failure = require "kit.failure"
local host = host
local input = require "kit.input"
local page = require "web.admin.page"
local problems = require "kit.problem"
local respond = require "kit.respond"

local panel = {}

local COOKIE = "fura_admin"
local LOGIN = "/admin/login"

--- The panel's own cookie; a driver's session is another one.
function panel.cookie(token, max_age_s)
  local secure = host.config.env == "production" and "; Secure" or ""
  return ("%s=%s; Path=/admin; Max-Age=%d; HttpOnly; SameSite=Strict%s"):format(COOKIE, token, max_age_s, secure)
end

--- The token of the panel's session that comes with a request.
function panel.token(request)
  return request:cookie(COOKIE)
end

-- ---- answers ----

local function go(context, path, headers)
  headers = headers or {}
  headers[context.is_htmx and "HX-Redirect" or "Location"] = path
  return respond.empty(context, context.is_htmx and 204 or 303, headers)
end

local function encode(text)
  return (text:gsub("[^%w%-_%.~/]", function(char) return ("%%%02X"):format(char:byte()) end))
end

local function to_login(request, context)
  if request.method ~= "GET" or request.path == "/admin/" then return go(context, LOGIN) end
  local wanted = request.path .. (request.query_string ~= "" and "?" .. request.query_string or "")
  return go(context, LOGIN .. "?next=" .. encode(wanted))
end

local TITLES = { [403] = "Нельзя", [404] = "Не найдено", [405] = "Такой страницы нет", [409] = "Уже изменилось",
  [503] = "Сейчас не получается" }

local SENTENCES = {
  forbidden = "Это действие — для роли admin, а ваша роль только смотрит.",
  not_found = "Такого здесь нет: ссылка устарела, или в адресе опечатка.",
  method_not_allowed = "По этому адресу отправляют форму, открыть его нельзя. Вернитесь на страницу с формой.",
  database_unavailable = "База данных не отвечает. Ничего не изменилось; попробуйте через минуту.",
  not_ready = "Часть сервера сейчас не отвечает. Ничего не изменилось; попробуйте через минуту.",
}

local function retry_after(about)
  return about.retry_after_s and ("%d"):format(math.ceil(about.retry_after_s))
end

local function refuse(problem, context)
  local document, status = problems.document(problem, context)
  local title = TITLES[status] or "Не получилось"
  local text = problem.message or SENTENCES[document.code] or document.detail
  local whole = page.whole("problem", { title = title, text = text, code = document.code, request_id = context.request_id },
    { title = title }, context)
  local headers = problem.headers or {}
  headers["Retry-After"] = retry_after(problem)
  return respond.html(context, whole.html, { status = status, headers = headers, unframed = true })
end

local function answer(result, problem, context)
  if not result then return refuse(failure.of(problem), context) end
  local headers = {}
  if result.cookie then headers["Set-Cookie"] = panel.cookie(result.cookie, result.cookie == "" and 0 or 43200) end
  headers["Retry-After"] = retry_after(result)
  if result.redirect then return go(context, result.redirect, headers) end
  if result.stream then
    headers["Content-Type"], headers["Cache-Control"] = "text/csv; charset=utf-8", "no-store"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Content-Disposition"] = ('attachment; filename="%s"'):format(result.file_name)
    return { status = 200, headers = headers, stream = result.stream }
  end
  return respond.html(context, result.html, { status = result.status, headers = headers, unframed = true })
end

-- ---- who, and is it really them ----

-- Whose session it is: true, with `admin` in the context; or nil and the answer to who has none.
local function known(request, context)
  local problem
  context.admin, problem = check_session({ token = panel.token(request) }, context)
  if context.admin then return true end
  if failure.of(problem).code == "database_unavailable" then return nil, refuse(problem, context) end
  return nil, to_login(request, context)
end

local function is_ours(request, context)
  local form, problem = input.body(request)
  if not form then return nil, problem end
  context.form = form
  local sent = form.csrf or request:header "x-csrf-token"
  if type(sent) ~= "string" or not host.crypto.equal(sent, context.admin.csrf) then
    return nil, failure("forbidden", { message = "Форма устарела или пришла с чужой страницы. Откройте страницу заново." })
  end
  return access.check_origin(request, "cookie")
end

-- An address that no object can have is one that has none.
local function is_mistyped(request, context, problem)
  if request.method ~= "GET" or problem.code ~= "invalid_input" then return false end
  for _, field in ipairs(problem.fields or {}) do
    if not context.params[field.field] then return false end
  end
  return next(context.params) ~= nil
end

local function run(request, route, context)
  local result, problem = route.panel(context, request)
  if not result and is_mistyped(request, context, failure.of(problem)) then problem = failure "not_found" end
  return answer(result, problem, context)
end

-- Login itself: nobody is known yet, but the form must come from our page. Browsers say where a form comes from; a program that
-- says nothing acts for nobody but itself.
local function run_public(request, route, context)
  if request.method == "POST" then
    local ours, problem = access.check_origin(request, request:header "origin" and "cookie")
    if not ours then return refuse(problem, context) end
    context.form, problem = input.body(request)
    if not context.form then return refuse(problem, context) end
  end
  return run(request, route, context)
end

--- A path of the panel that is none, or a method it has not: a page of the panel all the same.
function panel.unmatched(request, context)
  context.language, context.query = "ru", input.query(request.query_string) or {}
  local ok, instead = known(request, context)
  if not ok then return instead end
  local problem = request.allow and failure("method_not_allowed", { headers = { Allow = request.allow } }) or failure "not_found"
  return refuse(problem, context)
end

--- @param request Request
--- @param route table  with `panel`, a function(context, request) giving a page, a redirect or nil and a failure
--- @return Response
function panel.answer(request, route, context)
  context.language, context.params = "ru", request.params
  context.query = input.query(request.query_string) or {}
  context.admin_token = panel.token(request)
  if route.access == "public" then return run_public(request, route, context) end
  local ok, instead = known(request, context)
  if not ok then return instead end
  if request.method == "POST" then
    local ours, problem = is_ours(request, context)
    if not ours then return refuse(problem, context) end
  end
  return run(request, route, context)
end

return panel
