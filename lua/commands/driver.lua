--- `fura driver forget ID`: erases a driver's personal data and keeps the money trail. There is no way back.
local forgetting = require "services.forgetting"


local function is_id(text)
  return text ~= nil and text:find "^[1-9]%d*$" ~= nil and #text <= 16
end

local function describe(driver_id, erased)
  local kinds, parts = {}, {}
  for kind in pairs(erased) do kinds[#kinds + 1] = kind end
  table.sort(kinds)
  for index, kind in ipairs(kinds) do parts[index] = ("%s %d"):format(kind:gsub("_", " "), erased[kind]) end
  return ("driver %s is forgotten: %s; payments, grants and the audit log stay"):format(driver_id,
    table.concat(parts, ", "))
end

local function forget(driver_id, context)
  local erased, problem = forgetting.forget(driver_id, { type = "command", id = os.getenv "USER" })
  if not erased then
    return nil, problem.code == "not_found" and ("there is no driver " .. driver_id) or tostring(problem)
  end
  if context.json then return host.json.encode({ driver_id = driver_id, erased = erased }, { sorted = true }) end
  return describe(driver_id, erased)
end

return {
  about = "Erase a driver's personal data; the money trail stays.",
  usage = "driver forget ID",

  --- @param args string[]
  --- @param context {json: boolean}
  --- @return integer? exit_status
  run = function(args, context)
    if args[1] ~= "forget" or not is_id(args[2]) or args[3] then
      return 2
    end
    local sentence, problem = forget(args[2], context)
    if not sentence then return nil, problem end
    print(sentence)
    return 0
  end,
}
