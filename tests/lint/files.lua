-- Walking the repository for the lints: only files git knows or would take, so build folders stay out.
local files = {}

--- Paths with one of these endings under the given folders: files.list({ "core" }, { "c", "h" })
function files.list(folders, endings)
  local wanted = {}
  for _, ending in ipairs(endings) do wanted[ending] = true end
  local command = "git ls-files --cached --others --exclude-standard -- " .. table.concat(folders, " ")
  local found = {}
  local pipe = assert(io.popen(command))
  for path in pipe:lines() do
    if wanted[path:match("%.(%w+)$")] then found[#found + 1] = path end
  end
  pipe:close()
  return found
end

--- Calls visit(path, line_number, text) for each line; a file deleted from the work tree is passed over.
function files.each_line(paths, visit)
  for _, path in ipairs(paths) do
    local file = io.open(path)
    if file then
      local number = 0
      for text in file:lines() do
        number = number + 1
        visit(path, number, text)
      end
      file:close()
    end
  end
end

--- Collects problems as file:line: message; report() prints them and ends with a fitting status.
function files.problems()
  local lines = {}
  local self = {}
  function self.add(path, number, ...) lines[#lines + 1] = ("%s:%d: %s"):format(path, number, string.format(...)) end
  function self.report()
    for _, line in ipairs(lines) do io.stderr:write(line, "\n") end
    os.exit(#lines == 0 and 0 or 1)
  end
  return self
end

return files
