--- `fura token check|reset`: the shared account's access as ops need it. The token itself is never printed.
local cargo_api = require "services.cargo_api"
local cargo_token = require "services.cargo_token"


local function describe_age(age_s)
  if not age_s then return "age unknown" end
  if age_s < 120 then return ("age %d s"):format(age_s) end
  return ("age %d min"):format(math.floor(age_s / 60))
end

-- An action gives what programs want to know and what people read, or nil and what is wrong.

local function check()
  local token, problem = cargo_token.get()
  if not token then return nil, "no token: " .. tostring(problem) end
  local body
  body, problem = cargo_api.me()
  if not body then return nil, "CargoTech does not accept it: " .. tostring(problem) end
  local age_s = cargo_token.age_s()
  return { ok = true, age_s = age_s or host.json.null }, "ok, " .. describe_age(age_s)
end

local function reset()
  local reply, problem = cargo_token.reset()
  if reply == nil then return nil, "Redis: " .. tostring(problem) end
  return { ok = true }, "token dropped; the next call logs in"
end

local ACTIONS = { check = check, reset = reset }

return {
  about = "CargoTech access: log in if needed and ask who we are, or drop the token.",
  usage = "token check|reset [--json]",

  --- @param args string[]
  --- @param context {json: boolean}
  --- @return integer? exit_status  0 ok, 1 refused or failed, 2 usage
  run = function(args, context)
    local action = ACTIONS[args[1]]
    if not action or args[2] then
      return 2
    end
    local answer, sentence = action()
    if context.json then print(host.json.encode(answer or { ok = false, error = sentence }, { sorted = true })) end
    if not answer then return nil, sentence end
    if not context.json then print(sentence) end
    return 0
  end,
}
