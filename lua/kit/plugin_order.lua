--- The order of plugins: by stage, inside a stage by their `after` and `before`, else by name.

local plugin_order = {}

plugin_order.stages = { "edge", "auth", "limit", "rules", "transform", "observe" }

local rank = {}
for index, stage in ipairs(plugin_order.stages) do rank[stage] = index end

--- The number of a stage; nil for an unknown one.
function plugin_order.rank(stage)
  return rank[stage]
end

-- For each name, those that must come before it, with the reason.
local function requirements(plugins)
  local before = {}
  for name in pairs(plugins) do before[name] = {} end
  for name, plugin in pairs(plugins) do
    for other, its in pairs(plugins) do
      if rank[its.stage] < rank[plugin.stage] then
        before[name][other] = ("stage %s before %s"):format(its.stage, plugin.stage)
      end
    end
    for _, other in ipairs(plugin.after or {}) do
      if plugins[other] then before[name][other] = ("%s says after %s"):format(name, other) end
    end
    for _, other in ipairs(plugin.before or {}) do
      if plugins[other] then before[other][name] = ("%s says before %s"):format(name, other) end
    end
  end
  return before
end

-- Walk back from a plugin that cannot be placed until one comes twice.
local function describe_cycle(before, left)
  local name = next(left)
  local path, seen_at = {}, {}
  while not seen_at[name] do
    path[#path + 1], seen_at[name] = name, #path + 1
    for other in pairs(before[name]) do
      if left[other] then name = other break end
    end
  end
  local parts = {}
  for index = #path, seen_at[name], -1 do
    local later = path[index > seen_at[name] and index - 1 or #path]
    parts[#parts + 1] = ("%s → %s (%s)"):format(path[index], later, before[later][path[index]])
  end
  return table.concat(parts, ", ")
end

local function next_free(plugins, before, left)
  local best
  for name in pairs(left) do
    local is_free = true
    for other in pairs(before[name]) do
      if left[other] then is_free = false break end
    end
    local stage = rank[plugins[name].stage]
    if is_free and (not best or stage < rank[plugins[best].stage]
      or stage == rank[plugins[best].stage] and name < best) then
      best = name
    end
  end
  return best
end

--- @param plugins table<string, {stage: string, after: string[]?, before: string[]?}>
--- @return string[]? names  first to see a request first
--- @return string? cycle
function plugin_order.sort(plugins)
  local before, left, order = requirements(plugins), {}, {}
  for name in pairs(plugins) do left[name] = true end
  while next(left) do
    local name = next_free(plugins, before, left)
    if not name then return nil, describe_cycle(before, left) end
    order[#order + 1], left[name] = name, nil
  end
  return order
end

--- Why a plugin stands where it does, in a few words.
function plugin_order.why(plugins, name)
  local reasons = { "stage " .. plugins[name].stage }
  for _, reason in pairs(requirements(plugins)[name]) do
    if not reason:find "^stage" then reasons[#reasons + 1] = reason end
  end
  for other, its in pairs(requirements(plugins)) do
    local reason = its[name]
    if other ~= name and reason and not reason:find "^stage" then reasons[#reasons + 1] = reason end
  end
  table.sort(reasons, function(a, b)
    if a:find "^stage" or b:find "^stage" then return a:find "^stage" ~= nil and b:find "^stage" == nil end
    return a < b
  end)
  return table.concat(reasons, "; ")
end

return plugin_order
