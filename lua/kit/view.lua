--- HTML templates of lua/web/views: `<%= value %>` is always escaped, `<% code %>` is Lua. There is no raw tag: trusted
--- HTML is a value made by view.html(), which only helpers and includes make. Compiled once a generation; an error
--- names the template and its line.
local host = host
local cache = require "kit.cache"

local FOLDER = "lua/web/views/"

local view = {}

local Html = {}
Html.__tostring = function(self) return self[1] end

--- Mark text as HTML that must not be escaped again.
function view.html(markup)
  return setmetatable({ markup }, Html)
end

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

--- Escape for text and for quoted attributes.
function view.escape(value)
  if type(value) == "table" and getmetatable(value) == Html then return value[1] end
  if value == nil or value == host.json.null then return "" end
  return (tostring(value):gsub("[&<>\"']", ENTITIES))
end

-- ---- from template to Lua, line by line, so that line numbers agree ----

local function literal(piece)
  if piece == "" then return "" end
  local _, breaks = piece:gsub("\n", "\n")
  local quoted = ("%q"):format(piece):gsub("\\\n", "\\n"):gsub("\r", "\\r")
  return " _add(" .. quoted .. ")" .. ("\n"):rep(breaks)
end

local function translate(source, path)
  local out, at = {}, 1
  while true do
    local open, after = source:find("<%", at, true)
    out[#out + 1] = literal(source:sub(at, (open or 0) - 1))
    if not open then return table.concat(out) end
    local close = source:find("%>", after, true)
    local _, line = source:sub(1, open):gsub("\n", "")
    if not close then error(("%s:%d: <%% without %%>"):format(path, line + 1), 0) end
    local code = source:sub(after + 1, close - 1)
    if code:sub(1, 1) == "=" then
      out[#out + 1] = " _add(_escape(" .. code:sub(2) .. "))"
    elseif code:sub(1, 1) ~= "#" then
      out[#out + 1] = code .. " "
    else
      out[#out + 1] = ("\n"):rep(select(2, code:gsub("\n", "")))
    end
    at = close + 2
    if source:sub(at, at) == "\n" and code:sub(1, 1) ~= "=" then -- a line of code alone leaves no empty line
      out[#out + 1] = "\n"
      at = at + 1
    end
  end
end

-- ---- running ----

local helpers = {
  ipairs = ipairs, pairs = pairs, tostring = tostring, tonumber = tonumber, type = type,
  string = string, table = { concat = table.concat }, math = math,
}
local scope = {} -- names of the template that is running; views never wait, so one is enough
local buffer, size = {}, 0

local environment = setmetatable({
  _add = function(piece)
    size = size + 1
    buffer[size] = piece
  end,
  _escape = view.escape,
}, {
  __index = function(_, name)
    local value = scope[name]
    if value == nil then value = helpers[name] end
    return value
  end,
  __newindex = function(_, name) error("a view assigns '" .. tostring(name) .. "': write local", 2) end,
})

local compiled = {}

local function compile(path)
  local source = host.script.read(path)
  local chunk, problem = host.script.compile(translate(source, path), path, environment)
  if not chunk then error(problem, 0) end
  return chunk
end

local function load_all()
  local problems = {}
  for _, path in ipairs(host.script.list(FOLDER:sub(1, -2))) do
    local name = path:match("^" .. FOLDER .. "(.+)%.html$")
    if name then
      local ok, chunk = pcall(compile, path)
      if ok then compiled[name] = chunk else problems[#problems + 1] = tostring(chunk) end
    end
  end
  if #problems > 0 then error(table.concat(problems, "\n"), 0) end
end
load_all()

--- Render a template to trusted HTML. `values` are its names; helpers are there too.
function view.render(name, values)
  local chunk = compiled[name] or error(("there is no %s%s.html"):format(FOLDER, name), 2)
  local outer_scope, outer_buffer, outer_size = scope, buffer, size
  scope, buffer, size = values or {}, {}, 0
  local ok, problem = pcall(chunk)
  local result = ok and table.concat(buffer, "", 1, size)
  scope, buffer, size = outer_scope, outer_buffer, outer_size
  if not ok then error(problem, 0) end
  return view.html(result)
end

--- Give every template a helper: `t`, `static_url`, `icon`, ….
function view.add_helper(name, value)
  helpers[name] = value
end

--- Inside a template: another template with its own values (and the caller's `t` and language).
helpers.include = function(name, values)
  values = values or {}
  for _, inherited in ipairs { "t", "language" } do
    if values[inherited] == nil then values[inherited] = scope[inherited] end
  end
  return view.render(name, values)
end

-- ---- static files: immutable names ----

local static_urls = cache.new { max = 256 }

--- /static/app.1a2b3c4d.css for "app.css".
function view.static_url(name)
  local url = static_urls:get(name)
  if url then return url end
  local content = host.script.read("lua/web/static/" .. name) or host.script.read("build/static/" .. name)
  if not content then error("there is no static file " .. name, 2) end
  local stem, extension = name:match "^(.+)%.(%w+)$"
  local hash = host.crypto.hex(host.crypto.sha256(content)):sub(1, 8)
  url = ("/static/%s.%s.%s"):format(stem, hash, extension)
  static_urls:set(name, url)
  return url
end
helpers.static_url = view.static_url

local script_urls = cache.new { max = 16 }

local function find_script(name)
  local source = host.script.read("lua/web/static/" .. name .. ".js")
  local small = host.script.read("build/static/" .. name .. ".min.js")
  local hash = small and small:match "^/%*(%x+)%*/"
  local fits = hash and host.crypto.hex(host.crypto.sha256(source)):sub(1, #hash) == hash
  return view.static_url(name .. (fits and ".min.js" or ".js"))
end

--- The address of a script: of its small copy (tools/minify.js) while that was made of the script as it is now.
helpers.script_url = function(name)
  local url = script_urls:get(name)
  if not url then
    url = find_script(name)
    script_urls:set(name, url)
  end
  return url
end

return view
