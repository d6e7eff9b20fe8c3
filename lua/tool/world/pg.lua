--- The outside world of host.pg: answers to statements that a spec has prepared, and what was asked. A statement that
--- nothing was prepared for raises, and fails the spec. What the application writes into its outbox is kept by itself.
local failure = require "kit.failure"

local pg = {}

local function squeezed(sql)
  return (sql:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

-- A piece of SQL as written, blanks aside; … stands for anything.
local function pattern_of(piece)
  local escaped = squeezed(piece):gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0")
  return (escaped:gsub("…", ".-"))
end

local VALUE = {}

local function value_of(parameter)
  if type(parameter) == "table" and getmetatable(parameter) == VALUE then return parameter.value end
  return parameter
end

local function wrap(value)
  return setmetatable({ value = value }, VALUE)
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

--- @param world table  {unexpected, outbox}
function pg.new(world)
  local made = { asked = {} } -- what specs see
  local part = { public = made }
  local replies, is_down, last_id
  local pending -- entries of the outbox that the open transaction wrote

  --- Prepare the answer to every statement that contains this piece (… stands for anything): rows, a count, a failure as
  --- { error = "sqlstate_23505" }, or a function of the parameters that gives one of these.
  function made:reply(piece, answer, options)
    replies[#replies + 1] = { pattern = pattern_of(piece), answer = answer, left = options and options.times }
    return made
  end

  --- Postgres is away from now on; up() brings it back.
  function made:down()
    is_down = true
  end

  function made:up()
    is_down = false
  end

  local function take(sql)
    for _, reply in ipairs(replies) do
      if reply.left ~= 0 and sql:find(reply.pattern) then
        reply.left = reply.left and reply.left - 1
        return reply
      end
    end
  end

  local function add_to_outbox(kind, queue, payload)
    last_id = last_id + 1
    payload = value_of(payload)
    local entry = { id = last_id, kind = kind, queue = queue, payload = payload, data = payload.data, attempts = 0 }
    local list = pending or world.outbox
    list[#list + 1] = entry
    return { { id = last_id } }
  end

  -- What the application does by itself whenever it has something to send.
  local function know(sql, parameters)
    if sql:find "^INSERT INTO outbox" then return add_to_outbox(unpack(parameters, 1, parameters.n)) end
    if sql:find "^SELECT pg_notify" then return { {} } end
  end

  local function query(sql, ...)
    local parameters = { n = select("#", ...), ... }
    local shown = squeezed(sql)
    local values = {}
    for index = 1, parameters.n do values[index] = value_of(parameters[index]) end
    made.asked[#made.asked + 1] = { sql = shown, parameters = values }
    if is_down then return nil, failure("unavailable", { service = "pg", text = "Postgres is away" }) end
    local reply = take(shown)
    if reply then
      local answer = reply.answer
      if type(answer) == "function" then answer = answer(unpack(values, 1, parameters.n)) end
      return result_of(answer)
    end
    local known = know(shown, parameters)
    if known then return result_of(known) end
    return world.unexpected(("nobody expected the statement %s: prepare it with world.pg:reply(\"…\", { … })"):format(shown))
  end

  local function one(sql, ...)
    local rows, problem = query(sql, ...)
    if not rows then return nil, problem end
    return rows[1]
  end

  local Transaction = {}
  Transaction.__index = Transaction
  function Transaction:query(...) return query(...) end -- luacheck: ignore 212
  function Transaction:one(...) return one(...) end -- luacheck: ignore 212

  -- What a function wrote into the outbox counts when it ends well.
  local function keep_when_well(outer, written, ok, first, problem, ...)
    pending = outer
    if not ok then error(first, 0) end
    if first == nil and problem ~= nil then return nil, problem, ... end
    local list = pending or world.outbox
    for _, entry in ipairs(written) do list[#list + 1] = entry end
    return first, problem, ...
  end

  local function within(fn)
    local outer, written = pending, {}
    pending = written
    return keep_when_well(outer, written, pcall(fn, setmetatable({}, Transaction)))
  end

  function Transaction:savepoint(fn) return within(fn) end -- luacheck: ignore 212

  local function transaction(fn)
    if is_down then return nil, failure("unavailable", { service = "pg", text = "Postgres is away" }) end
    return within(fn)
  end

  function part.replacements()
    return { pg = {
      query = query, one = one, transaction = transaction, json = wrap, bytea = wrap, array = wrap,
      is_up = function() return not is_down end, listen = function() return { close = function() end } end,
    } }
  end

  function part.reset()
    replies, is_down, last_id, pending = {}, false, 0, nil
    for index = #made.asked, 1, -1 do made.asked[index] = nil end
  end

  part.reset()
  return part
end

return pg
