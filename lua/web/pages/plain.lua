--- An answer as an HTML fragment when it has no screen of its own: its members by name, whatever they are.
local page = require "web.pages.page"

local plain = {}

-- Members in order: of a list by their place, of an object by their name.
local function members_of(value)
  local members = {}
  for name, member in pairs(value) do members[#members + 1] = { name = name, value = member } end
  table.sort(members, function(a, b)
    if type(a.name) == type(b.name) then return a.name < b.name end
    return type(a.name) == "number"
  end)
  return members
end

--- @param output table  of any contract
function plain.fragment(output, context)
  return page.render("parts/plain", { value = output, members_of = members_of, shown = page.plain_value }, context)
end

return plain
