--- `fura admin add LOGIN [--role viewer|admin] [--totp]`, `list`, `disable LOGIN`: accounts of the panel. The password comes
--- from a prompt, or as the first line of stdin. One-time codes are for those who ask for them: `--no-totp` says the default.
local admins = require "services.admins"

local SHORTEST_PASSWORD = host.config.env == "production" and 12 or 8


local function read_password()
  local is_terminal = os.execute "test -t 0" == 0
  if is_terminal then
    io.stderr:write "Password: "
    os.execute "stty -echo"
  end
  local line = io.read "*l"
  if is_terminal then
    os.execute "stty echo"
    io.stderr:write "\n"
  end
  return line or ""
end

local function read_options(args)
  local options = { login = args[2] and args[2]:lower(), role = "admin", totp = false }
  local i = 3
  while i <= #args do
    if args[i] == "--role" and (args[i + 1] == "viewer" or args[i + 1] == "admin") then
      options.role = args[i + 1]
      i = i + 1
    elseif args[i] == "--totp" or args[i] == "--no-totp" then
      options.totp = args[i] == "--totp"
    else
      return nil
    end
    i = i + 1
  end
  return options.login and options.login:find "^[a-z0-9][a-z0-9._%-]+$" and #options.login <= 64 and options
end

local function add(args)
  local options = read_options(args)
  if not options then return nil, "usage" end
  options.password = read_password()
  if #options.password < SHORTEST_PASSWORD then
    return nil, ("the password is too short (expected at least %d characters, got %d)"):format(SHORTEST_PASSWORD,
      #options.password)
  end
  local added, problem = admins.add(options)
  if not added then
    if problem.code == "login_taken" then return nil, options.login .. " exists already" end
    return nil, tostring(problem)
  end
  local sentence = ("added %s with the role %s"):format(added.login, added.role)
  if not added.totp_url then return sentence end
  return sentence .. "\none-time codes, for an authenticator app (shown once):\n" .. added.totp_url
end

local function moment(seconds)
  return seconds and host.time.iso8601(seconds) or "-"
end

local function list(_, context)
  local rows, problem = admins.list()
  if not rows then return nil, tostring(problem) end
  if context.json then return host.json.encode(host.json.array(rows)) end
  local lines = {}
  for _, row in ipairs(rows) do
    lines[#lines + 1] = ("%-24s %-7s %-9s last login %s%s"):format(row.login, row.role, row.totp and "with code" or "-",
      moment(row.last_login_at), row.disabled_at and "  disabled " .. moment(row.disabled_at) or "")
  end
  return #lines > 0 and table.concat(lines, "\n") or "no accounts: fura admin add LOGIN"
end

local function disable(args)
  if not args[2] or args[3] then return nil, "usage" end
  local done, problem = admins.disable(args[2])
  if done then return args[2] .. " is disabled, its sessions are ended" end
  return nil, problem.code == "not_found" and "there is no " .. args[2] or tostring(problem)
end

local ACTIONS = { add = add, list = list, disable = disable }

return {
  about = "Accounts of the admin panel: add, list, disable.",
  usage = "admin add LOGIN [--role viewer|admin] [--totp] | admin list | admin disable LOGIN",

  --- @param args string[]
  --- @param context {json: boolean}
  --- @return integer? exit_status
  run = function(args, context)
    local action = ACTIONS[args[1]]
    local sentence, problem
    if action then sentence, problem = action(args, context) end
    if not action or problem == "usage" then
      return 2
    end
    if not sentence then return nil, problem end
    print(sentence)
    return 0
  end,
}
