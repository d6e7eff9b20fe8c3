-- The parts of host.pg that run a script's function: transactions and savepoints over the primitives of bind_pg_tx.c.
-- Arguments: the module, the methods of transactions, the primitives.
local pg, methods, core = ...
local error, pcall, type = error, pcall, type

local function check_function(fn, name)
  if type(fn) ~= "function" then error(name .. " takes a function, not a " .. type(fn), 3) end
end

-- `ok, first, failure, …` is what pcall said of the script's function.
local function finish(tx, ok, first, failure, ...)
  if not ok then
    core.abandon(tx)
    error(first, 0)
  end
  if first == nil and failure ~= nil then
    core.abandon(tx)
    return nil, failure, ...
  end
  local committed, problem = core.commit(tx)
  if not committed then return nil, problem end
  return first, failure, ...
end

function pg.transaction(fn, options)
  check_function(fn, "pg.transaction")
  local tx, failure = core.begin(options)
  if not tx then return nil, failure end
  return finish(tx, pcall(fn, tx))
end

local function settle(tx, name, ok, first, failure, ...)
  if ok and (first ~= nil or failure == nil) then
    local released, problem = core.control(tx, "RELEASE SAVEPOINT " .. name)
    if released then return first, failure, ... end
    core.control(tx, "ROLLBACK TO SAVEPOINT " .. name) -- a failed statement went unnoticed in fn
    return nil, problem
  end
  local undone, problem = core.control(tx, "ROLLBACK TO SAVEPOINT " .. name)
  if not ok then error(first, 0) end
  if not undone then return nil, problem end
  return nil, failure, ...
end

function methods.savepoint(tx, fn)
  check_function(fn, "tx:savepoint")
  local name = core.savepoint_name(tx)
  local made, problem = core.control(tx, "SAVEPOINT " .. name)
  if not made then return nil, problem end
  return settle(tx, name, pcall(fn, tx))
end
