--- A Redis in memory, whose keys expire by the clock of the spec: the commands that plugins may use, scripts of EVAL, and a
--- few more that the application needs. tests/spec/tool/redis_spec.lua compares it with the real one.
local host = host
local commands = require "tool.world.redis_commands"
local failure = require "kit.failure"

local redis = {}

local function refused(text)
  return nil, failure("redis_error", { service = "redis", text = text })
end

-- As host.redis gives them: nil inside a list is host.json.null.
local function shown(reply)
  if type(reply) ~= "table" then return reply end
  local list = {}
  for index = 1, reply.n or #reply do
    if reply[index] == nil then list[index] = host.json.null else list[index] = shown(reply[index]) end
  end
  return list
end

local function arguments_of(...)
  local list = { n = select("#", ...), ... }
  for index = 1, list.n do
    local kind = type(list[index])
    if kind ~= "string" and kind ~= "number" then
      error(("a Redis command takes strings and numbers, not a %s"):format(list[index] == nil and "nil" or kind), 4)
    end
    if kind == "number" then list[index] = ("%.17g"):format(list[index]) end
  end
  return list
end

-- What scripts of EVAL see of Lua.
local SCRIPT_WORDS = { "assert", "error", "ipairs", "next", "pairs", "pcall", "select", "tonumber", "tostring", "type", "unpack" }
local here = { assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall, select = select,
  tonumber = tonumber, tostring = tostring, type = type, unpack = unpack }

-- false stands for nil inside of scripts, as in Redis.
local function for_script(reply)
  if reply == nil then return false end
  if type(reply) ~= "table" then return reply end
  local list = {}
  for index = 1, reply.n or #reply do list[index] = reply[index] == nil and false or reply[index] end
  return list
end

local function from_script(value)
  if value == false or value == nil then return nil end
  if value == true then return 1 end
  if type(value) == "number" then return value < 0 and math.ceil(value) or math.floor(value) end
  if type(value) ~= "table" then return value end
  local list = { n = 0 }
  for _, item in ipairs(value) do
    list.n = list.n + 1
    list[list.n] = from_script(item)
  end
  return list
end

--- @param world table  {clock, unexpected}
function redis.new(world)
  local made = { asked = {} } -- what specs see
  local part = { public = made }
  local keys, subscribers, is_down

  local store = {}

  function store.now_ms()
    return world.clock.now() * 1000
  end

  --- The entry of a key, {kind, value, ends_ms}; nil when there is none any more.
  function store.get(key)
    local entry = keys[key]
    if entry and entry.ends_ms and entry.ends_ms <= store.now_ms() then
      keys[key] = nil
      return nil
    end
    return entry
  end

  function store.put(key, kind, value)
    keys[key] = { kind = kind, value = value }
    return keys[key]
  end

  function store.drop(key)
    keys[key] = nil
  end

  function store.publish(channel, message)
    local list = subscribers[channel] or {}
    for _, fn in ipairs({ unpack(list) }) do host.task.spawn_with({ label = "message of " .. channel }, fn, message) end
    return #list
  end

  -- nil and a text when Redis would refuse it.
  local function run(name, arguments)
    local command = commands[name:upper()]
    if not command then
      return world.unexpected(("the Redis of specs does not know %s: use another command, or the real services"):format(name:upper()))
    end
    if arguments.n < command.min or arguments.n > command.max then
      return nil, ("ERR wrong number of arguments for '%s' command"):format(name:lower())
    end
    return command.run(store, unpack(arguments, 1, arguments.n))
  end

  local function note(name, arguments)
    local line = { name:upper() }
    for index = 1, arguments.n do line[index + 1] = arguments[index] end
    made.asked[#made.asked + 1] = table.concat(line, " ")
  end

  local function away()
    return nil, failure("unavailable", { service = "redis", text = "Redis is away" })
  end

  local function command(name, ...)
    local arguments = arguments_of(...)
    note(name, arguments)
    if is_down then return away() end
    local reply, problem = run(name, arguments)
    if problem then return refused(problem) end
    return shown(reply)
  end

  local function script_environment(script_keys, arguments)
    local function call(name, ...)
      local reply, problem = run(name, arguments_of(...))
      if problem then error(problem, 0) end
      return for_script(reply)
    end
    local environment = { KEYS = script_keys, ARGV = arguments, string = string, table = table, math = math,
      redis = { call = call, error_reply = function(text) return error(text, 0) end, status_reply = tostring } }
    for _, word in ipairs(SCRIPT_WORDS) do environment[word] = here[word] end
    return environment
  end

  local function eval(script, script_keys, arguments)
    note("EVAL", arguments_of(unpack(script_keys)))
    if is_down then return away() end
    local chunk, problem = host.script.compile(script, "script of EVAL",
      script_environment(arguments_of(unpack(script_keys)), arguments_of(unpack(arguments))))
    if not chunk then return refused(problem) end
    local ok, value = pcall(chunk)
    if not ok then return refused(tostring(value)) end
    return shown(from_script(value))
  end

  local function subscribe(channel, fn)
    local list = subscribers[channel] or {}
    subscribers[channel], list[#list + 1] = list, fn
    return { close = function()
      for index, known in ipairs(list) do
        if known == fn then table.remove(list, index) break end
      end
    end }
  end

  --- Redis is away from now on; up() brings it back.
  function made:down()
    is_down = true
  end

  function made:up()
    is_down = false
  end

  function part.replacements()
    return { redis = {
      command = command, eval = eval, subscribe = subscribe, is_up = function() return not is_down end,
      dedicated = function(fn) return fn({ command = function(_, ...) return command(...) end }) end,
    } }
  end

  function part.reset()
    keys, subscribers, is_down = {}, {}, false
    for index = #made.asked, 1, -1 do made.asked[index] = nil end
  end

  part.reset()
  return part
end

return redis
