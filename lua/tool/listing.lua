--- A list as commands show it: JSON for programs, lines for people.
local host = host

--- @param context {json: boolean}
--- @param list table[]
--- @param shown {line: (fun(item: table, index: integer): string), head: string?, empty: string?}
--- @return string text
return function(context, list, shown)
  if context.json then return host.json.encode(host.json.array(list)) end
  if #list == 0 and shown.empty then return shown.empty end
  local lines = { shown.head }
  for index, item in ipairs(list) do lines[#lines + 1] = shown.line(item, index) end
  return table.concat(lines, "\n")
end
