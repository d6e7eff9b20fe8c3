--- @param members table<string, any>
--- @return string[] names  of the members, in their order
return function(members)
  local names = {}
  for name in pairs(members) do names[#names + 1] = name end
  table.sort(names)
  return names
end
