---@meta host.shared
-- Memory shared by all workers of this node. A cache: anything may be evicted. Values: string, number, boolean.

---@class HostShared
local shared = {}
---@param key string
---@return string|number|boolean? value
---@return number? ttl_ms   nil when it never expires
function shared.get(key) end
---@param ttl_ms? integer  nil: for ever; less than 1 counts as 1
---@return boolean ok
---@return Failure? failure  code "too_big"
function shared.set(key, value, ttl_ms) end
---Only when absent.
---@return boolean added
function shared.add(key, value, ttl_ms) end
---@param delta? number  1
---@param ttl_ms? integer  applied when it is new
---@return number? value
---@return Failure? failure  code "invalid": the key holds no number
function shared.increment(key, delta, ttl_ms) end
---Only when the present value is `expected` (nil: absent).
---@return boolean changed
function shared.compare_and_set(key, expected, value, ttl_ms) end
function shared.delete(key) end

return shared
