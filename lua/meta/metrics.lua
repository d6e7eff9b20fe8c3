---@meta host.metrics

---@class HostMetrics
local metrics = {}
---@param name string          without the prefix `fura_`, which is added
---@param labels? table<string,string>
---@param delta? number
function metrics.count(name, labels, delta) end
function metrics.gauge(name, value, labels) end
function metrics.observe(name, seconds, labels) end
---Prometheus text of the whole node.
---@return string
function metrics.render() end

return metrics
