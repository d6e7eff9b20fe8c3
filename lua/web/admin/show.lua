--- How the panel writes values: money, moments, ids, statuses. Everything returns trusted HTML.
local decimal = require "kit.decimal"
local host = host
local view = require "kit.view"

local show = {}

local escape, html = view.escape, view.html
local MONTHS = { "янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек" }
local HALF_YEAR_S = 183 * 86400

--- «1 299 ₽», «12,50 ₽» as plain text.
function show.roubles(kopecks)
  kopecks = tonumber(kopecks) or 0
  local whole = kopecks % 100 == 0
  return decimal.grouped(whole and ("%.0f"):format(kopecks / 100) or ("%.2f"):format(kopecks / 100)) .. " ₽"
end

function show.money(kopecks)
  return html('<span class="num">' .. show.roubles(kopecks) .. "</span>")
end

--- «1 284» as plain text.
function show.count(number)
  return decimal.grouped(("%.0f"):format(tonumber(number) or 0))
end

local function parts(seconds)
  return host.time.parts(seconds, host.config.timezone)
end

local function day_text(at, seconds, now)
  local year = math.abs(now - seconds) > HALF_YEAR_S and " " .. at.year or ""
  return ("%d %s%s"):format(at.day, MONTHS[at.month], year)
end

--- «3 фев» as plain text; the year beyond half a year.
function show.day_text(seconds)
  return day_text(parts(seconds), seconds, host.time.now())
end

local function moment(seconds, text)
  local exact = host.time.iso8601(seconds, host.config.timezone)
  return html(('<time datetime="%s" title="%s">%s</time>'):format(exact, exact, text))
end

--- «26 янв 14:03:11» as plain text.
function show.time_text(seconds)
  local at = parts(seconds)
  return ("%s %02d:%02d:%02d"):format(show.day_text(seconds), at.hour, at.min, at.sec)
end

--- «26 янв 14:03:11».
function show.time(seconds)
  return seconds and moment(seconds, show.time_text(seconds)) or "—"
end

--- «3 фев».
function show.day(seconds)
  return seconds and moment(seconds, show.day_text(seconds)) or "—"
end

--- «5 мин назад».
function show.ago(seconds)
  if not seconds then return "ни разу" end
  local age = math.max(0, host.time.now() - seconds)
  local text
  if age < 60 then text = ("%d с назад"):format(age)
  elseif age < 3600 then text = ("%d мин назад"):format(age / 60)
  elseif age < 172800 then text = ("%d ч назад"):format(age / 3600)
  else text = ("%d дн назад"):format(age / 86400) end
  return moment(seconds, text)
end

local COPY = '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><rect x="9" y="9" width="11" height="11" rx="2"/>'
  .. '<path d="M15 9V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v7a2 2 0 0 0 2 2h3"/></svg>'

--- A button that copies a text.
function show.copy(text, label)
  return html(('<button type="button" class="copy" data-copy="%s" aria-label="%s">%s</button>'):format(escape(text),
    escape(label), COPY))
end

--- A long id, shortened in the middle, with a button that copies it whole.
function show.id(id)
  if not id or id == host.json.null then return "—" end
  local text = #id > 14 and id:sub(1, 8) .. "…" .. id:sub(-4) or id
  return html(('<span class="id"><code title="%s">%s</code>%s</span>'):format(escape(id), escape(text),
    show.copy(id, "Скопировать " .. id)[1]))
end

local MARKS = { ok = "✓", warn = "…", fail = "✕", info = "→", none = "–" }

--- A status: word, mark and colour. tone: ok, warn, fail, info, none.
function show.badge(text, tone)
  return html(('<span class="badge %s"><span aria-hidden="true">%s</span> %s</span>'):format(tone, MARKS[tone],
    escape(text)))
end

function show.link(href, text)
  return html(('<a href="%s">%s</a>'):format(escape(href), escape(text)))
end

--- «Иван П. @ivan», linked to the driver's page.
function show.driver(row)
  local name = row.first_name and row.first_name ~= "" and row.first_name or "Без имени"
  if row.last_name then name = name .. " " .. row.last_name end
  local handle = row.username and ' <span class="muted" dir="auto">@' .. escape(row.username) .. "</span>" or ""
  return html(('<a href="/admin/drivers/%s" dir="auto">%s</a>%s'):format(escape(row.driver_id), escape(name), handle))
end

--- 1 день, 2 дня, 5 дней as plain text.
function show.plural(number, one, few, many)
  local n = math.abs(number) % 100
  local word = many
  if n < 11 or n > 14 then
    local last = n % 10
    word = last == 1 and one or last >= 2 and last <= 4 and few or many
  end
  return show.count(number) .. " " .. word
end

--- «не меньше 1 строки, не больше 60 000» as plain text: what a typed setting may be. nil without limits.
function show.limits(field)
  local is_number, sentences = field.type == "integer" or field.type == "number", {}
  local function put(words, limit)
    if not limit then return end
    local one, many = "знака", "знаков"
    if field.type == "list" then one, many = "строки", "строк" end
    sentences[#sentences + 1] = words .. " " .. (is_number and decimal.grouped(tostring(limit)) or show.plural(limit, one, many, many))
  end
  put("не меньше", field.min)
  put("не больше", field.max)
  return #sentences > 0 and table.concat(sentences, ", ") or nil
end

function show.days(number)
  return show.plural(number, "день", "дня", "дней")
end

--- Lines of what a script said: {place = "lua/rules/card.lua:12" or nil, text}.
function show.places(text)
  local lines = {}
  for line in tostring(text):gmatch "[^\n]+" do
    local file, number, rest = line:match "^%s*([%w_%./%-]+):(%d+): ?(.*)$"
    lines[#lines + 1] = file and { place = file .. ":" .. number, text = rest } or { text = line }
  end
  return lines
end

--- «12 КБ» as plain text.
function show.bytes(number)
  if number < 1024 then return show.count(number) .. " Б" end
  if number < 1024 * 1024 then return show.count(math.floor(number / 1024 + 0.5)) .. " КБ" end
  return (("%.1f"):format(number / 1024 / 1024):gsub("%.", ",")) .. " МБ"
end

--- A time span as plain text: «45 с», «3 мин», «23 ч».
function show.span(seconds)
  seconds = tonumber(seconds) or 0
  if seconds < 0 then return "без срока" end
  if seconds < 120 then return ("%d с"):format(seconds) end
  if seconds < 7200 and seconds ~= 3600 then return ("%d мин"):format(seconds / 60) end
  return ("%d ч"):format(seconds / 3600)
end

--- Any value as indented JSON in a folded block.
function show.raw(title, value)
  return html(('<details class="raw"><summary>%s</summary><pre tabindex="0">%s</pre></details>'):format(escape(title),
    escape(host.json.encode(value, { sorted = true }):gsub(",\"", ",\n\""))))
end

return show
