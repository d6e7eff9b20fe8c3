--- Questions about tables as lists.
local lists = {}

function lists.contains(list, value)
  for _, known in ipairs(list) do
    if known == value then return true end
  end
  return false
end

--- Is every member an item, with no gap and no name of its own? Others would be passed over in silence.
function lists.is_plain(list)
  local count = 0
  for _ in pairs(list) do count = count + 1 end
  return count == #list
end

return lists
