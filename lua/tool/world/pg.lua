--- The outside world of host.pg: answers to statements that a spec has prepared, and what was asked. A statement that
--- nothing was prepared for raises, and fails the spec. What the application writes into its outbox is kept by itself.
local failure = require "kit.failure"
local lists = require "tool.world.lists"

local INSIDE = {} -- key of what specs do not see

-- ---- what specs see ----

local Pg = {}
Pg.__index = Pg

local function squeezed(sql)
  return (sql:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

-- A piece of SQL as written, blanks aside; … stands for anything.
local function pattern_of(piece)
  local escaped = squeezed(piece):gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0")
  return (escaped:gsub("…", ".-"))
end

--- Prepare the answer to every statement that contains this piece (… stands for anything): rows, a count, a failure as
--- { error = "sqlstate_23505" }, or a function of the parameters that gives one of these.
function Pg:reply(piece, answer, options)
  local replies = self[INSIDE].replies
  replies[#replies + 1] = { pattern = pattern_of(piece), answer = answer, left = options and options.times }
  return self
end

--- Postgres is away from now on; up() brings it back.
function Pg:down()
  self[INSIDE].is_down = true
end

function Pg:up()
  self[INSIDE].is_down = false
end

-- ---- values ----

local Value = {} -- what pg.json and the like make of a parameter

local function wrap(value)
  return setmetatable({ value = value }, Value)
end

local function value_of(parameter)
  if type(parameter) == "table" and getmetatable(parameter) == Value then return parameter.value end
  return parameter
end

-- Rows, a count, or a failure as host.pg gives them.
local function result_of(answer)
  if answer == nil then return error("an answer of world.pg gave nothing: rows, a count or { error = … } expected", 0) end
  if type(answer) == "number" then return { affected = answer } end
  if answer.error then
    return nil, failure(answer.error, { service = "pg", text = answer.text or answer.error, constraint = answer.constraint })
  end
  local rows = { affected = #answer }
  for index, row in ipairs(answer) do rows[index] = row end
  return rows
end

local function away()
  return nil, failure("unavailable", { service = "pg", text = "Postgres is away" })
end

-- ---- statements ----

local function add_to_outbox(inside, kind, queue, payload)
  inside.last_id = inside.last_id + 1
  local list = inside.pending or inside.world.outbox
  list[#list + 1] = { id = inside.last_id, kind = kind, queue = queue, payload = payload, data = payload.data, attempts = 0 }
  return { { id = inside.last_id } }
end

-- What the application says by itself whenever it has something to send.
local function know(inside, sql, values)
  if sql:find "^INSERT INTO outbox" then return add_to_outbox(inside, unpack(values, 1, values.n)) end
  if sql:find "^SELECT pg_notify" then return { {} } end
end

local UNEXPECTED = "nobody expected the statement %s: prepare it with world.pg:reply(\"…\", { … })"

local function query(self, sql, ...)
  local inside, shown, values = self[INSIDE], squeezed(sql), { n = select("#", ...) }
  for index = 1, values.n do values[index] = value_of((select(index, ...))) end
  self.asked[#self.asked + 1] = { sql = shown, parameters = { unpack(values, 1, values.n) } }
  if inside.is_down then return away() end
  local reply = lists.take(inside.replies, function(one) return shown:find(one.pattern) ~= nil end)
  if not reply then
    local known = know(inside, shown, values)
    return result_of(known or inside.world.unexpected(UNEXPECTED:format(shown)))
  end
  if type(reply.answer) ~= "function" then return result_of(reply.answer) end
  return result_of(reply.answer(unpack(values, 1, values.n)))
end

local function one(self, ...)
  local rows, problem = query(self, ...)
  if not rows then return nil, problem end
  return rows[1]
end

-- ---- transactions ----

-- What a function wrote into the outbox counts when it ends well.
local function keep_when_well(inside, outer, ok, first, problem, ...)
  local written = inside.pending
  inside.pending = outer
  if not ok then error(first, 0) end
  if first == nil and problem ~= nil then return nil, problem, ... end
  local list = outer or inside.world.outbox
  for _, entry in ipairs(written) do list[#list + 1] = entry end
  return first, problem, ...
end

local function within(self, fn)
  local inside = self[INSIDE]
  if inside.is_down then return away() end
  local outer = inside.pending
  inside.pending = {}
  return keep_when_well(inside, outer, pcall(fn, {
    query = function(_, ...) return query(self, ...) end,
    one = function(_, ...) return one(self, ...) end,
    savepoint = function(_, inner) return within(self, inner) end,
  }))
end

-- ---- for tool.world ----

local pg = {}

--- @param world table  {unexpected, outbox}
function pg.new(world)
  local made = setmetatable({ asked = {}, [INSIDE] = { world = world } }, Pg)
  pg.reset(made)
  return made
end

function pg.replacements(self)
  return { pg = {
    query = function(...) return query(self, ...) end, one = function(...) return one(self, ...) end,
    transaction = function(fn) return within(self, fn) end,
    json = wrap, bytea = wrap, array = wrap,
    is_up = function() return not self[INSIDE].is_down end, listen = function() return { close = function() end } end,
  } }
end

function pg.reset(self)
  local inside = self[INSIDE]
  inside.replies, inside.is_down, inside.last_id, inside.pending = {}, false, 0, nil
  lists.clear(self.asked)
end

return pg
