---@meta host.script
-- For kit/ only: reading the bundle this generation was built from.

---@class HostScript
local script = {}
---@param path string   like "lua/web/views/cargo/card.html"
---@return string?
function script.read(path) end
---Paths of the bundle below a folder, sorted.
---@return string[]
function script.list(folder) end
---Compile text (never bytecode) with an environment.
---@return function? chunk
---@return string? problem   "file:line: message"
function script.compile(source, chunk_name, environment) end
---Generation number, bundle hash, role ("serve", "check", "test", …), version.
---@return {generation: integer, hash: string, role: string, version: string}
function script.info() end

return script
