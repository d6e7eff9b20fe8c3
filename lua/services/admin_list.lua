--- Lists of the panel: filtered, sorted, paged by key, so that page 10 000 costs what page 1 does. Counting stops at
--- 10 000: nobody needs more, and a table of millions answers at once.
local failure = require "kit.failure"
local host = host

local admin_list = {}

local COUNT_LIMIT = 10000

-- ---- conditions ----

local Filter = {}
Filter.__index = Filter

--- Conditions with `?` for their values; nil values leave a condition out.
function admin_list.filter()
  return setmetatable({ conditions = {}, values = {} }, Filter)
end

--- @param condition string  "status = ?"; every ? stands for the same value
function Filter:add(condition, value)
  if value == nil then return self end
  local index = #self.values + 1
  self.values[index] = value
  self.conditions[#self.conditions + 1] = "(" .. condition:gsub("%?", "$" .. index) .. ")"
  return self
end

--- A condition without a value.
function Filter:also(condition)
  self.conditions[#self.conditions + 1] = "(" .. condition .. ")"
  return self
end

--- A search that can match nothing still is a search.
function Filter:none()
  return self:also "false"
end

function Filter:where()
  return #self.conditions > 0 and " WHERE " .. table.concat(self.conditions, " AND ") or ""
end

local function copy(filter)
  local made = admin_list.filter()
  for i = 1, #filter.values do made.values[i] = filter.values[i] end
  for i = 1, #filter.conditions do made.conditions[i] = filter.conditions[i] end
  return made
end

-- ---- cursors: where a page begins, and how many rows are before it ----

local function encode_cursor(row, first, backward)
  return host.crypto.base64url(host.json.encode { row.cursor_sort, row.cursor_key, first, backward or false })
end

local function decode_cursor(text)
  local bytes = text and host.crypto.unbase64url(text)
  local cursor = bytes and host.json.decode(bytes)
  if type(cursor) ~= "table" or type(cursor[1]) ~= "string" or type(cursor[2]) ~= "string"
    or type(cursor[3]) ~= "number" then
    return nil
  end
  return { sort = cursor[1], key = cursor[2], first = math.max(1, math.floor(cursor[3])), backward = cursor[4] == true }
end

-- ---- pages ----

local function read_sort(list, sort)
  local descending = sort == nil and list.descending or (sort or ""):sub(1, 1) == "-"
  local name = sort and sort:gsub("^-", "") or list.sort
  if not list.sorts[name] then return list.sort, list.descending end
  return name, descending
end

local function rows_of(list, filter, page)
  local sort, down = list.sorts[page.name], page.descending ~= page.backward
  local filtered = copy(filter)
  if page.cursor then
    local n = #filtered.values
    filtered.values[n + 1], filtered.values[n + 2] = page.cursor.sort, page.cursor.key
    filtered:also(("(%s, %s) %s ($%d::text::%s, $%d::text::%s)"):format(sort[1], list.key[1], down and "<" or ">", n + 1,
      sort[2], n + 2, list.key[2]))
  end
  local direction = down and "DESC" or "ASC"
  return host.pg.query(("SELECT %s, (%s)::text AS cursor_sort, (%s)::text AS cursor_key FROM %s%s ORDER BY %s %s, %s %s LIMIT %d")
    :format(list.columns, sort[1], list.key[1], list.from, filtered:where(), sort[1], direction, list.key[1], direction,
      page.limit + 1), unpack(filtered.values, 1, #filtered.values))
end

local function count(list, filter)
  local row, problem = host.pg.one(("SELECT count(*) AS n FROM (SELECT FROM %s%s LIMIT %d) AS counted"):format(
    list.count_from or list.from, filter:where(), COUNT_LIMIT + 1), unpack(filter.values, 1, #filter.values))
  return row and row.n, problem
end

local function reversed(rows)
  local result = {}
  for i = #rows, 1, -1 do result[#result + 1] = rows[i] end
  return result
end

-- What stands before and after the rows of this page.
local function describe(rows, page, total)
  local more = #rows > page.limit
  rows[page.limit + 1] = nil
  if page.backward then rows = reversed(rows) end
  local first = page.cursor and page.cursor.first or 1
  if page.backward then first = math.max(1, first - #rows) end
  local last = rows[#rows]
  local has_next, has_previous = page.backward or more, page.backward and more or not page.backward and first > 1
  return {
    rows = rows, first = #rows > 0 and first or 0, last = first + #rows - 1, total = math.min(total, COUNT_LIMIT),
    is_more = total > COUNT_LIMIT, sort = page.name, descending = page.descending,
    next = has_next and last and encode_cursor(last, first + #rows) or nil,
    previous = has_previous and rows[1] and encode_cursor(rows[1], first, true) or nil,
  }
end

local function failed(problem)
  if tostring(problem.code):find "^sqlstate_22" then -- a value that its column cannot hold
    return nil, failure("invalid_input", { fields = { { field = "cursor", code = "format" } } })
  end
  return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 })
end

--- One page of a list.
--- @param list {columns: string, from: string, key: string[], sorts: table<string, string[]>, sort: string, descending: boolean}
---   key and sorts are {expression, type}; the expressions must not be NULL and should have an index. They name their table:
---   ORDER BY takes a bare name for the column of the output, and "id" may be text there
--- @param filter table
--- @param asked {sort: string?, cursor: string?, limit: integer?}
--- @return {rows: table[], first: integer, last: integer, total: integer, is_more: boolean, next: string?, previous: string?}?
--- @return table? failure
function admin_list.page(list, filter, asked)
  local page = { limit = asked.limit or 50, cursor = decode_cursor(asked.cursor) }
  page.name, page.descending = read_sort(list, asked.sort)
  page.backward = page.cursor ~= nil and page.cursor.backward
  local results = host.task.all {
    function() return rows_of(list, filter, page) end,
    function()
      if asked.uncounted then return 0 end
      return count(list, filter)
    end,
  }
  local rows, total = results[1][1], results[2][1]
  if not rows or not total then return failed(results[1][2] or results[2][2]) end
  return describe(rows, page, total)
end

--- The same rows without pages, `limit` at a time: give(rows) until it says false.
function admin_list.each(list, filter, asked, give)
  local cursor
  repeat
    local page, problem = admin_list.page(list, filter,
      { sort = asked.sort, limit = 1000, cursor = cursor, uncounted = true })
    if not page then return nil, problem end
    cursor = page.next
    if #page.rows > 0 and give(page.rows) == false then return true end
  until not cursor
  return true
end

return admin_list
