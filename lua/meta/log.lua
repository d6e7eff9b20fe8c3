---@meta host.log

---@class HostLog
local log = {}
---Messages are constant English phrases; what varies is a field. The request id is added by itself.
---@param message string
---@param fields? table<string, string|number|boolean>
function log.debug(message, fields) end
function log.info(message, fields) end
function log.warn(message, fields) end
function log.error(message, fields) end

return log
