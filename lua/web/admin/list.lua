--- A list of the panel from its description: filters (a GET form: the address is the state), columns, pages, CSV.
---
---   path, nav, title     where it is and what it is called
---   contract             gives {rows, first, last, total, is_more, next, previous, sort, descending}
---   filters              { name, label, options = {{value, text}} | type = "date" | "number" | "search" }
---   columns              { title, value = function(row), sort?, number?, extra? (hidden on a phone), csv? = function(row) }
---   empty                sentence for a list that never had anything
---   above, below         function(output, context) → HTML
local page = require "web.admin.page"
local show = require "web.admin.show"
local view = require "kit.view"

local CSV_LIMIT = 50000

-- ---- addresses ----

local function encode(text)
  return (tostring(text):gsub("[^%w%-_%.~]", function(char) return ("%%%02X"):format(char:byte()) end))
end

-- The filters in force, in their order, with `changes` on top (false removes one).
local function address(list, query, changes)
  local pairs_list = {}
  local function put(name)
    local value = changes[name]
    if value == nil then value = query[name] end
    if type(value) == "string" and value ~= "" then pairs_list[#pairs_list + 1] = name .. "=" .. encode(value) end
  end
  for _, filter in ipairs(list.filters) do put(filter.name) end
  put "sort"
  put "cursor"
  return (changes.path or list.path) .. (#pairs_list > 0 and "?" .. table.concat(pairs_list, "&") or "")
end

local function text_of(value)
  return type(value) == "string" and value or ""
end

local function option_text(filter, value)
  for _, option in ipairs(filter.options or {}) do
    if option[1] == value then return option[2] end
  end
  return value
end

-- ---- the model of the view ----

local function filter_fields(list, query)
  local fields, active = {}, {}
  for i, filter in ipairs(list.filters) do
    local value = text_of(query[filter.name])
    fields[i] = { name = filter.name, label = filter.label, options = filter.options, type = filter.type or "search",
      value = value }
    if value ~= "" then
      active[#active + 1] = { text = filter.label .. ": " .. option_text(filter, value),
        without = address(list, query, { [filter.name] = false, cursor = false }) }
    end
  end
  return fields, active
end

local function headings(list, query, output)
  local heads = {}
  for i, column in ipairs(list.columns) do
    local is_current = column.sort and output.sort == column.sort
    local down = is_current and not output.descending
    heads[i] = {
      title = column.title, number = column.number, extra = column.extra,
      href = column.sort and address(list, query, { sort = (down and "-" or (is_current and "" or "-")) .. column.sort,
        cursor = false }),
      order = is_current and (output.descending and "descending" or "ascending"),
    }
  end
  return heads
end

local function table_rows(list, output)
  local rows = {}
  for i, row in ipairs(output.rows) do
    local cells = {}
    for j, column in ipairs(list.columns) do cells[j] = column.value(row) end
    rows[i] = cells
  end
  return rows
end

local function total_text(output)
  return (output.is_more and "больше " or "") .. show.count(output.total)
end

local function range_text(output)
  return ("%s–%s из %s"):format(show.count(output.first), show.count(output.last), total_text(output))
end

-- «1 284 строки», «больше 10 000 строк»
local function total_rows(output)
  if output.is_more then return total_text(output) .. " строк" end
  return show.plural(output.total, "строка", "строки", "строк")
end

local EMPTY = { rows = {}, first = 0, last = 0, total = 0 }

local function model(list, output, context)
  local query = context.query
  local fields, active = filter_fields(list, query)
  return {
    list = list, fields = fields, active = active, heads = headings(list, query, output), rows = table_rows(list, output),
    range = range_text(output), total_rows = total_rows(output),
    next = output.next and address(list, query, { cursor = output.next }),
    previous = output.previous and address(list, query, { cursor = output.previous }),
    csv = list.csv and address(list, query, { path = list.path .. ".csv", cursor = false }),
    csv_warning = list.csv and (output.is_more and "больше 10 000 строк, не более 50 000 войдёт в файл"),
    above = list.above and list.above(output, context), below = list.below and list.below(output, context),
  }
end

-- What is wrong with a filter is told by the name that stands beside its field.
local function labelled(list, problem)
  for _, field in ipairs(problem and problem.fields or {}) do
    for _, filter in ipairs(list.filters) do
      if filter.name == field.field then field.label = filter.label end
    end
  end
  return problem
end

local lists = {}

--- The page of a list.
function lists.page(list)
  return function(context, _, problem)
    local output, refused = list.contract(context.query, context)
    if not output and refused.code ~= "invalid_input" then return nil, refused end
    problem = problem or labelled(list, refused)
    local status = problem and (problem.status or 422) or nil
    return page.whole("list", model(list, output or EMPTY, context),
      { title = list.title, nav = list.nav, problem = problem, status = status }, context)
  end
end

-- ---- CSV ----

-- A cell that a spreadsheet would take for a formula gets an apostrophe.
local function cell(value)
  local text = value == nil and "" or tostring(value)
  if text:find "^[=+%-@\t\r]" then text = "'" .. text end
  if text:find '[;"\r\n]' then text = '"' .. text:gsub('"', '""') .. '"' end
  return text
end

local function line(list, get)
  local cells = {}
  for _, column in ipairs(list.columns) do cells[#cells + 1] = cell(get(column)) end
  return table.concat(cells, ";") .. "\r\n"
end

local function csv_value(column, row)
  if column.csv then return column.csv(row) end
  return (view.escape(column.value(row)):gsub("<[^>]*>", ""):gsub("&amp;", "&"))
end

--- The same rows as a file.
function lists.csv(list)
  return function(context)
    local allowed, problem = list.export(context.query, context) -- gives the function that walks the rows
    if not allowed then return nil, problem end
    return {
      file_name = list.nav .. ".csv",
      stream = function(write)
        write("\239\187\191" .. line(list, function(column) return column.title end))
        local written = 0
        allowed.each(function(rows)
          local lines = {}
          for i, row in ipairs(rows) do
            lines[i] = line(list, function(column) return csv_value(column, row) end)
          end
          write(table.concat(lines))
          written = written + #rows
          return written < CSV_LIMIT
        end)
      end,
    }
  end
end

return lists
