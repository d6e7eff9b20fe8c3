-- Which names each part of the application may use; the run time enforces the same (core/script/vm_prelude.lua).
std = "luajit"
max_line_length = 140
codes = true
exclude_files = { "build", "node_modules", ".data", "lua/meta" }
ignore = { "212/self" }

-- Application code sees these instead of io, os, debug and package.
local sandbox = {
  read_globals = {
    "assert", "error", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawset", "select", "setmetatable",
    "getmetatable", "tonumber", "tostring", "type", "unpack", "xpcall", "print", "string", "table", "math", "coroutine",
    "bit", "require", "host",
  },
}
for _, folder in ipairs { "lua/init.lua", "lua/routes.lua", "lua/settings.lua", "lua/survey.lua", "lua/kit", "lua/services", "lua/contracts", "lua/web" } do
  files[folder] = { std = "none", read_globals = sandbox.read_globals }
end

-- The vocabulary of lua/kit/rules.lua: data and pure functions, nothing else.
files["lua/rules"] = {
  std = "none",
  read_globals = {
    "string", "table", "math", "ipairs", "pairs", "next", "type", "select", "unpack", "tostring", "tonumber", "error",
    "assert", "text", "decimal", "clock_text", "rub",
  },
}
-- The prelude builds that world, so it changes the libraries themselves.
files["core"] = { ignore = { "122" }, read_globals = { "host" } }

files["plugins/**/plugin.lua"] = { std = "none", read_globals = sandbox.read_globals }
files["conf"] = { read_globals = { "env", "file", "include" } }
files["lua/tool"] = { globals = { "host" } } -- tools of authors: tool.world takes the place of parts of host
files["lua/commands"] = { read_globals = { "host" } } -- they run as tools, with io and os
files["tests/integration/app/lua"] = { read_globals = { "host" } }
files["tests/integration/app/conf"] = { read_globals = { "env", "file", "include" } }
files["tests/spec"] = { std = "+busted", read_globals = { "host" } }
files["plugins/**/*_spec.lua"] = { std = "+busted", read_globals = { "host" } }
files["tests/bench/nginx"] = { globals = { "ngx" } }
files["tests/bench/report.lua"] = { globals = { "done" } }
