--- The journal: who did what to which object, with the values before and after.
local host = host
local journal_words = require "web.admin.journal_words"
local list_audit = require "contracts.admin.list_audit"
local lists = require "web.admin.list"
local page = require "web.admin.page"
local show = require "web.admin.show"
local view = require "kit.view"

local audit = {}

local SHOWN_CHANGES = 6 -- more are folded

local WHO = { driver = "водитель", admin = "панель", system = "система", gateway = "ЮKassa", telegram = "Telegram",
  command = "команда" }

-- A value as people read it; `path` names it.
local function text(value, path)
  if value == nil or value == host.json.null then return nil end
  if value == true then return "да" end
  if value == false then return "нет" end
  if type(value) == "table" then return host.json.encode(value, { sorted = true }) end
  if type(value) == "number" and path:find "_kopecks$" then return show.roubles(value) end
  local known = journal_words.values[path:match "[^.]*$"]
  if known and known[value] then return known[value] end
  local seconds = type(value) == "string" and value:find "^%d%d%d%d%-%d%d%-%d%dT" and host.time.parse_iso8601(value)
  return seconds and show.time_text(seconds) or tostring(value)
end

-- The leaves of a value by their path: a list of named records (tariffs) by those names, one of plain values as it is.
local function flatten(value, path, into)
  if type(value) ~= "table" or type(value[1]) == "string" then
    into[path] = type(value) == "table" and table.concat(value, ", ") or text(value, path)
    return into
  end
  if next(value) == nil then into[path] = "пусто" end
  for key, member in pairs(value) do
    local name = type(member) == "table" and type(member.name) == "string" and member.name or tostring(key)
    flatten(member, path == "" and name or path .. "." .. name, into)
  end
  return into
end

-- Rows of the difference: {path, before, after}.
local function changes(before, after)
  local was, is = flatten(before, "", {}), flatten(after, "", {})
  local names, rows = {}, {}
  for name, value in pairs(was) do
    if is[name] ~= value then names[#names + 1] = name end
  end
  for name in pairs(is) do
    if was[name] == nil then names[#names + 1] = name end
  end
  table.sort(names)
  for i, name in ipairs(names) do rows[i] = { journal_words.path(name), was[name], is[name] } end
  return rows
end

-- What is beside before and after: {name, value}, sorted by name.
local function rest_of(details)
  local rest = {}
  for name, value in pairs(details) do
    local shown = name ~= "before" and name ~= "after" and text(value, name)
    if shown and shown ~= "" then rest[#rest + 1] = { journal_words.path(name), shown } end
  end
  table.sort(rest, function(a, b) return a[1] < b[1] end)
  return rest
end

--- What an entry says, as HTML: the difference, and what is beside it; much of it folded.
function audit.details(row)
  local details = row.details or {}
  local has_diff = details.before ~= nil or details.after ~= nil
  local all, rest = has_diff and changes(details.before, details.after) or {}, rest_of(details)
  if #all + #rest == 0 then return view.html '<span class="muted">—</span>' end
  local markup = page.part("parts/diff", { changes = all, rest = #rest > 0 and rest or nil })
  if #all <= SHOWN_CHANGES then return markup end
  return view.html(('<details class="more"><summary>Изменений: %d</summary>%s</details>'):format(#all, view.escape(markup)))
end

local LINKS = { payment = "/admin/payments/%s", driver = "/admin/drivers/%s", promo_code = "/admin/promo-codes/%s",
  flag = "/admin/flags", job = "/admin/jobs", outbox = "/admin/outbox" }

local function place_of(row)
  local plugin = row.target_type == "setting" and row.target_id:match "^plugins%.([%w_]+)"
  return plugin and "/admin/plugins/" .. plugin or LINKS[row.target_type]
end

function audit.object(row)
  if not row.target_type then return "—" end
  local name, id = journal_words.object(row.target_type), row.target_id
  if not id then return name end
  local href = place_of(row)
  local short = id:find "^%x+%-%x+%-[%x%-]+$" and id:sub(1, 8) .. "…" .. id:sub(-4) or id
  if href and not id:find "[^%w%-_.]" then return show.link(href:format(id), name .. " " .. short) end
  return view.html(("%s <span class=\"muted\">%s</span>"):format(view.escape(name), view.escape(short)))
end

--- What was done: in words, its code small beside.
function audit.action(row)
  local word = journal_words.action(row.action)
  if not word then return view.html(("<code>%s</code>"):format(view.escape(row.action))) end
  return view.html(('%s <small class="muted"><code>%s</code></small>'):format(word, view.escape(row.action)))
end

local function who(row)
  return (WHO[row.actor_type] or row.actor_type) .. (row.actor_id and " " .. row.actor_id or "")
end
audit.who = who

audit.list = lists.page {
  path = "/admin/audit", nav = "audit", title = "Журнал", contract = list_audit,
  filters = {
    { name = "type", label = "Кто", options = { { "", "Все" }, { "admin", "Панель" }, { "command", "Команды" },
      { "driver", "Водители" }, { "gateway", "ЮKassa" }, { "telegram", "Telegram" }, { "system", "Система" } } },
    { name = "actor", label = "Имя или id" },
    { name = "action", label = "Что", options = journal_words.options(journal_words.actions, "Любое действие") },
    { name = "object", label = "Над чем", options = journal_words.options(journal_words.objects, "Над чем угодно") },
    { name = "q", label = "Объект (id целиком)" },
    { name = "from", label = "С", type = "date" }, { name = "to", label = "По", type = "date" },
  },
  columns = {
    { title = "Когда", sort = "created", value = function(row) return show.time(row.created_at) end },
    { title = "Кто", value = who },
    { title = "Что", value = audit.action },
    { title = "Объект", value = audit.object },
    { title = "Изменение", value = audit.details },
    { title = "Адрес", extra = true, value = function(row) return row.address or "—" end },
    { title = "Запрос", extra = true, value = function(row) return show.id(row.request_id) end },
  },
  empty = "Записей ещё нет.",
}

return audit
