--- What the parts of the world do with their lists.
local lists = {}

--- Empty a list that specs hold.
function lists.clear(list)
  for index = #list, 1, -1 do list[index] = nil end
end

--- Take one item out; nothing when it is not there.
function lists.forget(list, item)
  for index, known in ipairs(list) do
    if known == item then return table.remove(list, index) end
  end
end

--- The first prepared reply that fits and is not used up; `left`, when it has that, says how often it may still be taken.
--- @param fits fun(reply: table): boolean
function lists.take(replies, fits)
  for _, reply in ipairs(replies) do
    if reply.left ~= 0 and fits(reply) then
      reply.left = reply.left and reply.left - 1
      return reply
    end
  end
end

return lists
