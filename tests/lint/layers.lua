-- The floors of docs/ARCHITECTURE.md as a check: who may include or require whom, and who may touch which library.
package.path = "tests/lint/?.lua;" .. package.path
local files = require "files"
local problems = files.problems()

-- A floor of core/ may include headers of these floors, or exactly the listed headers.
local may_include = {
  base = { base = true },
  net = { base = true, net = true },
  script = { base = true, script = true, ["net/loop.h"] = true, ["net/http.h"] = true },
  bind = { base = true, net = true, script = true, bind = true },
}

-- A library's headers belong to the files whose path fits one of the patterns.
local homes = {
  ["event2/"] = { "^core/net/" },
  ["lua%.h"] = { "^core/script/", "^core/bind/", "^core/base/conf", "^core/[%w_]+%.[ch]$", "^core/command/", "^core/migrate/" },
  ["lauxlib%.h"] = { "^core/script/", "^core/bind/", "^core/base/conf", "^core/[%w_]+%.[ch]$", "^core/command/", "^core/migrate/" },
  ["libpq"] = { "^core/net/pgsql", "^core/migrate/" },
  ["hiredis/"] = { "^core/net/redis", "^core/bind/bind_redis" }, -- the binding reads replies
  ["curl/"] = { "^core/net/fetch" },
  ["llhttp"] = { "^core/net/http_parse" },
  ["openssl/"] = { "^core/base/crypto", "^core/net/tls" },
}

local function fits(path, patterns)
  for _, pattern in ipairs(patterns) do
    if path:match(pattern) then return true end
  end
  return false
end

local function check_system_header(path, number, header)
  for library, patterns in pairs(homes) do
    if header:match("^" .. library) and not fits(path, patterns) then
      problems.add(path, number, "<%s> may be included only by %s", header, table.concat(patterns, ", "):gsub("[%^%%]", ""))
    end
  end
end

local function check_own_header(path, number, header)
  local floor = path:match("^core/(%w+)/")
  local allowed = may_include[floor]
  local target = header:match("^(%w+)/")
  if allowed and not target and io.open("core/" .. floor .. "/" .. header) == nil and not header:match("%.lua%.h$") then
    problems.add(path, number, '"%s": %s may not include what wires it together', header, floor)
  elseif allowed and target and may_include[target] and not (allowed[target] or allowed[header]) then
    problems.add(path, number, '"%s": the floor %s may not know %s', header, floor, target)
  elseif allowed and (target == "command" or target == "migrate") then
    problems.add(path, number, '"%s": the floor %s may not know %s', header, floor, target)
  end
end

files.each_line(files.list({ "core" }, { "c", "h" }), function(path, number, text)
  local own = text:match('^%s*#%s*include%s+"([^"]+)"')
  local system = text:match("^%s*#%s*include%s+<([^>]+)>")
  if own then check_own_header(path, number, own) end
  if system then check_system_header(path, number, system) end
end)

-- The same table as core/script/vm_prelude.lua, which refuses at run time what is found here without running.
local may_require = {
  rules = {},
  kit = { kit = true },
  services = { services = true, rules = true, kit = true },
  contracts = { contracts = true, services = true, rules = true, kit = true },
  web = { web = true, contracts = true, rules = true, kit = true },
}
local worldly = { "host%.redis", "host%.pg%f[%W]", "host%.http%f[%W]", "host%.script" }

local function check_lua(path, number, text, floor, allowed)
  local code = text:gsub("%-%-.*$", "")
  for name in code:gmatch("%f[%w_]require%s*%(?%s*[\"']([%w_%.]+)[\"']") do
    local target = name:match("^([%w_]+)%.") or "root"
    if not allowed[target] then problems.add(path, number, "%s may not require %s", floor, name) end
  end
  if floor == "rules" and code:match("%f[%w_]host%.") then problems.add(path, number, "rules are pure: no host") end
  if floor == "contracts" or floor == "web" then
    for _, pattern in ipairs(worldly) do
      if code:match(pattern) then problems.add(path, number, "%s reaches the world only through services", floor) end
    end
  end
end

files.each_line(files.list({ "lua" }, { "lua" }), function(path, number, text)
  local floor = path:match("^lua/(%w+)/")
  if may_require[floor] then check_lua(path, number, text, floor, may_require[floor]) end
end)

files.each_line(files.list({ "plugins" }, { "lua" }), function(path, number, text)
  if path:match("_spec%.lua$") then return end
  local code = text:gsub("%-%-.*$", "")
  if code:match("%f[%w_]require%f[%W]") then problems.add(path, number, "a plugin requires nothing: it has its host argument") end
end)

problems.report()
