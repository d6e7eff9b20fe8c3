--- The driver's own responses, newest first.
local contract = require "kit.contract"
local host = host
local response_fields = require "contracts.bot.response_fields"
local responses = require "services.responses"

-- A cursor is the place of the last row shown: when it was made and its id.
local function write_cursor(row)
  return host.crypto.base64url(row.created_text .. "|" .. row.id)
end

local UUID = "%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x"

local function read_cursor(cursor)
  local created_at, id = (host.crypto.unbase64url(cursor) or ""):match(
    "^(%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d%.?%d*[+-]%d%d:?%d?%d?)|(" .. UUID .. ")$")
  if not created_at then return nil end
  return { created_at = created_at, id = id }
end

local function check_cursor(cursor)
  if not read_cursor(cursor) then return "format" end
end

return contract {
  name = "bot.list_responses", access = "driver",
  about = "Own responses, newest first; `cursor` is `next_cursor` of the page before.",
  input = {
    limit = { type = "integer", min = 1, max = 100, default = 20 },
    cursor = { type = "string", max_length = 200, check = check_cursor },
    filter = { type = "string", default = "all", one_of = { "all", "waiting", "accepted" } },
  },
  output = {
    data = { type = "list", items = { type = "object", fields = response_fields.fields } },
    next_cursor = { type = "string", nullable = true },
  },
  errors = { database_unavailable = 503 },

  run = function(input, context)
    if context.wants == "html" and not input.cursor then responses.mark_seen(context.driver_id) end -- the screen is opened
    local rows, problem = responses.page {
      driver_id = context.driver_id, filter = input.filter, limit = input.limit + 1,
      before = input.cursor and read_cursor(input.cursor),
    }
    if not rows then return nil, problem end
    local last = rows[input.limit + 1] and rows[input.limit]
    local data = host.json.array {}
    for index = 1, math.min(#rows, input.limit) do data[index] = response_fields.shown(rows[index]) end
    context.filter, context.is_next_page = input.filter, input.cursor ~= nil
    return { data = data, next_cursor = last and write_cursor(last) or nil }
  end,
}
