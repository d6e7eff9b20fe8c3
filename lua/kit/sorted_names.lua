--- @param members table
--- @return string[] names  of the members as text, in their order
return function(members)
  local names = {}
  for name in pairs(members) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return names
end
