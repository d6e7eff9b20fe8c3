--- A Redis in memory, whose keys expire by the clock of the spec: the commands that plugins may use, scripts of EVAL, and a
--- few more that the application needs. tests/spec/tool/redis_spec.lua compares it with the real one.
local host = host
local commands = require "tool.world.redis_commands"
local failure = require "kit.failure"
local lists = require "tool.world.lists"

local INSIDE = {} -- key of what specs do not see

-- ---- what specs see ----

local Redis = {}
Redis.__index = Redis

--- Redis is away from now on; up() brings it back.
function Redis:down()
  self[INSIDE].is_down = true
end

function Redis:up()
  self[INSIDE].is_down = false
end

-- ---- what commands work on ----

local Store = {}
Store.__index = Store

function Store:now_ms()
  return self.clock:now() * 1000
end

--- The entry of a key, {kind, value, ends_ms}; nil when there is none any more.
function Store:get(key)
  local entry = self.keys[key]
  if entry and entry.ends_ms and entry.ends_ms <= self:now_ms() then
    self.keys[key] = nil
    return nil
  end
  return entry
end

function Store:put(key, kind, value)
  self.keys[key] = { kind = kind, value = value }
  return self.keys[key]
end

function Store:drop(key)
  self.keys[key] = nil
end

function Store:publish(channel, message)
  local list = self.subscribers[channel] or {}
  for _, fn in ipairs({ unpack(list) }) do host.task.spawn_with({ label = "message of " .. channel }, fn, message) end
  return #list
end

-- ---- what goes in and out ----

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

-- ---- commands ----

-- nil and a text when Redis would refuse it.
local function run(inside, name, arguments)
  local command = commands[name:upper()]
  if not command then
    return inside.world.unexpected(("the Redis of specs does not know %s: use another command, or the real services"):format(name:upper()))
  end
  if arguments.n < command.min or arguments.n > command.max then
    return nil, ("ERR wrong number of arguments for '%s' command"):format(name:lower())
  end
  return command.run(inside.store, unpack(arguments, 1, arguments.n))
end

local function note(self, name, arguments)
  self.asked[#self.asked + 1] = table.concat({ name:upper(), unpack(arguments, 1, arguments.n) }, " ")
end

local function away()
  return nil, failure("unavailable", { service = "redis", text = "Redis is away" })
end

local function command(self, name, ...)
  local arguments = arguments_of(...)
  note(self, name, arguments)
  if self[INSIDE].is_down then return away() end
  local reply, problem = run(self[INSIDE], name, arguments)
  if problem then return refused(problem) end
  return shown(reply)
end

local function script_environment(inside, script_keys, arguments)
  local function call(name, ...)
    local reply, problem = run(inside, name, arguments_of(...))
    if problem then error(problem, 0) end
    return for_script(reply)
  end
  local environment = { KEYS = script_keys, ARGV = arguments, string = string, table = table, math = math,
    redis = { call = call, error_reply = function(text) return error(text, 0) end, status_reply = tostring } }
  for word, fn in pairs(here) do environment[word] = fn end
  return environment
end

local function eval(self, script, script_keys, arguments)
  local keys = arguments_of(unpack(script_keys))
  note(self, "EVAL", keys)
  if self[INSIDE].is_down then return away() end
  local chunk, problem = host.script.compile(script, "script of EVAL",
    script_environment(self[INSIDE], keys, arguments_of(unpack(arguments))))
  if not chunk then return refused(problem) end
  local ok, value = pcall(chunk)
  if not ok then return refused(tostring(value)) end
  return shown(from_script(value))
end

local function subscribe(self, channel, fn)
  local subscribers = self[INSIDE].store.subscribers
  local list = subscribers[channel] or {}
  subscribers[channel], list[#list + 1] = list, fn
  return { close = function() lists.forget(list, fn) end }
end

-- ---- for tool.world ----

local redis = {}

--- @param world table  {clock, unexpected}
function redis.new(world)
  local made = setmetatable({ asked = {}, [INSIDE] = { world = world } }, Redis)
  redis.reset(made)
  return made
end

function redis.replacements(self)
  local function plain(...) return command(self, ...) end
  return { redis = {
    command = plain, eval = function(...) return eval(self, ...) end, subscribe = function(...) return subscribe(self, ...) end,
    is_up = function() return not self[INSIDE].is_down end,
    dedicated = function(fn) return fn({ command = function(_, ...) return plain(...) end }) end,
  } }
end

function redis.reset(self)
  local inside = self[INSIDE]
  inside.is_down, inside.store = false, setmetatable({ clock = inside.world.clock, keys = {}, subscribers = {} }, Store)
  lists.clear(self.asked)
end

return redis
