--- Domain events: what happened, for whoever wants to know. A subscriber runs in a task of its own, after the fact:
--- it can neither delay nor spoil what it hears of.
local host = host

local events = {}

local subscribers = {}

--- Call `fn(payload, name)` for every event of that name in this worker.
function events.subscribe(name, fn)
  local list = subscribers[name] or {}
  list[#list + 1], subscribers[name] = fn, list
end

--- Tell of something that is stored already. `payload` is data that JSON can say.
function events.emit(name, payload)
  host.metrics.count("events_total", { event = name })
  for _, fn in ipairs(subscribers[name] or {}) do
    host.task.spawn_with({ label = "event " .. name }, fn, payload, name)
  end
end

return events
