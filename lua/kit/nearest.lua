--- Of some names, the one that a misspelt one was most likely meant to be.

-- Edits between two words, neighbours swapped counted as one.
local function distance(a, b)
  local before, row = nil, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local next_row = { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      next_row[j] = math.min(row[j] + 1, next_row[j - 1] + 1, row[j - 1] + cost)
      if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        next_row[j] = math.min(next_row[j], before[j - 2] + 1)
      end
    end
    before, row = row, next_row
  end
  return row[#b]
end

--- @param wanted string
--- @param names string[]
--- @return string?  nil when none is near
return function(wanted, names)
  local best, best_distance
  for _, name in ipairs(names) do
    local edits = distance(wanted:lower(), name:lower())
    if edits <= math.max(1, math.floor(#wanted / 3)) and (not best or edits < best_distance) then
      best, best_distance = name, edits
    end
  end
  return best
end
