--- The journal: who did what to which object, with the values before and after.
local host = host
local list_audit = require "contracts.admin.list_audit"
local lists = require "web.admin.list"
local page = require "web.admin.page"
local show = require "web.admin.show"
local view = require "kit.view"

local audit = {}

local SHOWN_CHANGES = 6 -- more are folded

local WHO = { driver = "водитель", admin = "панель", system = "система", gateway = "ЮKassa", telegram = "Telegram",
  command = "команда" }

local function text(value)
  if value == nil or value == host.json.null then return nil end
  if type(value) == "table" then return host.json.encode(value, { sorted = true }) end
  return tostring(value)
end

-- The leaves of a value by their path: a list of named records (tariffs) by those names.
local function flatten(value, path, into)
  if type(value) ~= "table" then
    into[path] = text(value)
    return into
  end
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
  for i, name in ipairs(names) do rows[i] = { name, was[name], is[name] } end
  return rows
end

--- What an entry says, as HTML: the difference, and the rest folded.
function audit.details(row)
  local rest, has_rest = {}, false
  for name, value in pairs(row.details or {}) do
    if name ~= "before" and name ~= "after" then rest[name], has_rest = text(value), true end
  end
  local has_diff = row.details and (row.details.before ~= nil or row.details.after ~= nil)
  local all = has_diff and changes(row.details.before, row.details.after) or {}
  if #all <= SHOWN_CHANGES then return page.part("parts/diff", { changes = all, rest = has_rest and rest or nil }) end
  return view.html(('<details class="more"><summary>Изменений: %d</summary>%s</details>'):format(#all,
    view.escape(page.part("parts/diff", { changes = all, rest = has_rest and rest or nil }))))
end

local LINKS = { payment = "/admin/payments/%s", driver = "/admin/drivers/%s", promo_code = "/admin/promo-codes?q=%s" }

function audit.object(row)
  if not row.target_type then return "—" end
  local href = LINKS[row.target_type]
  local id = row.target_id or ""
  local words = row.target_type .. " " .. (#id > 30 and id:sub(1, 8) .. "…" .. id:sub(-4) or id)
  if not href or not row.target_id or row.target_id:find "[^%w%-]" then return words end
  return show.link(href:format(row.target_id), words)
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
    { name = "action", label = "Действие" },
    { name = "object", label = "Тип объекта" },
    { name = "q", label = "Объект" },
    { name = "from", label = "С", type = "date" }, { name = "to", label = "По", type = "date" },
  },
  columns = {
    { title = "Когда", sort = "created", value = function(row) return show.time(row.created_at) end },
    { title = "Кто", value = who },
    { title = "Что", value = function(row) return row.action end },
    { title = "Объект", value = audit.object },
    { title = "Изменение", value = audit.details },
    { title = "Адрес", extra = true, value = function(row) return row.address or "—" end },
    { title = "Запрос", extra = true, value = function(row) return show.id(row.request_id) end },
  },
  empty = "Записей ещё нет.",
}

return audit
