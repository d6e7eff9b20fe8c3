--- The source each rule had before the one in force, for calls in which the new one fails. Workers share it through the
--- node's shared memory, so a worker that starts later has it too; what was evicted or too big there is simply absent.
--- Only a live generation that answers requests remembers its sources: what a canary tried was never in force.
local host = host

local rule_history = {}

local function key(what, name, hash)
  return ("rules:%s:%s:%s"):format(what, name, hash)
end

local function previous_source(name, hash)
  local before = host.shared.get(key("before", name, hash))
  return before and host.shared.get(key("source", name, before))
end

--- Note the source in force; gives the one before it, nil when none is known.
--- @param name string
--- @param hash string
--- @param source string
--- @return string? source
function rule_history.remember(name, hash, source)
  local generation = host.script.info().generation
  local known = host.shared.get("rules:current:" .. name)
  local known_generation, known_hash = tostring(known or ""):match "^(%d+) (%x+)$"
  if known_hash ~= hash and generation >= (tonumber(known_generation) or 0) then
    host.shared.set(key("source", name, hash), source)
    if known_hash then host.shared.set(key("before", name, hash), known_hash) end
    host.shared.set("rules:current:" .. name, ("%.0f %s"):format(generation, hash))
  end
  return previous_source(name, hash)
end

--- What a canary falls back to: the source in force, or where that is its own the one before.
--- @return string? source
function rule_history.in_force(name, hash)
  local known = tostring(host.shared.get("rules:current:" .. name) or ""):match "^%d+ (%x+)$"
  if known and known ~= hash then return host.shared.get(key("source", name, known)) end
  return previous_source(name, hash)
end

return rule_history
