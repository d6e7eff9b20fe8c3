-- host.script.guard over bind_script.c: a guarded function that was interrupted to let others run goes on until it ends.
-- Arguments: the module, the mark of an interrupted call, go_on(label, budget, coroutine, used_ns, warned).
local script, sliced, go_on = ...
local select, begin = select, script.guard

local function settle(...)
  if (...) == sliced then return settle(go_on(select(2, ...))) end
  return ...
end

function script.guard(...)
  return settle(begin(...))
end
