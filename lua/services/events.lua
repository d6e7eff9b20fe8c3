--- Domain events: what happened, for whoever wants to know. A subscriber runs in a task of its own, after the fact:
--- it can neither delay nor spoil what it hears of.
local host = host
local sorted_names = require "kit.sorted_names"

local events = {}

--- Every event that is told of, with what its payload holds.
events.about = {
  ["driver.authenticated"] = "driver_id, first_name: a driver logged in",
  ["cargo.viewed"] = "driver_id, cargo_id: a driver opened a cargo",
  ["response.created"] = "response_id, driver_id, cargo_id: a driver answered to a cargo",
  ["response.status_changed"] = "response_id, driver_id, cargo_id, status: a dispatcher decided",
  ["payment.succeeded"] = "payment_id, driver_id, amount: money arrived",
  ["payment.refunded"] = "payment_id, driver_id, amount: money went back",
  ["subscription.activated"] = "driver_id, expires_at: access was given or prolonged",
  ["subscription.expiring"] = "driver_id, expires_at, days_left: access ends soon",
  ["promo.applied"] = "driver_id, code: a promo code was used",
  ["rule.failed"] = "rule, function, text: a rule raised or computed for too long",
  ["reload.rejected"] = "generation, origin, hash, reason: an edit was refused; the old version serves on",
  ["request.failed"] = "request_id, method, route, text, stack, stopped: a request ended by an error in a script",
}

--- Their names, sorted.
function events.names()
  return sorted_names(events.about)
end

local subscribers = {}

--- Call `fn(payload, name)` for every event of that name in this worker. Gives a function that ends it.
function events.subscribe(name, fn)
  local list = subscribers[name] or {}
  list[#list + 1], subscribers[name] = fn, list
  return function()
    for index, known in ipairs(list) do
      if known == fn then return table.remove(list, index) end
    end
  end
end

--- For specs: from now on only who subscribes later hears anything. Gives a function that brings the others back.
function events.alone()
  local others = subscribers
  subscribers = {}
  return function() subscribers = others end
end

--- Tell of something that is stored already. `payload` is data that JSON can say.
function events.emit(name, payload)
  host.metrics.count("events_total", { event = name })
  for _, fn in ipairs({ unpack(subscribers[name] or {}) }) do
    host.task.spawn_with({ label = "event " .. name }, fn, payload, name)
  end
end

return events
