--- What only the database can tell of this installation: `fura check` calls it and prints what it reports. Silent when the
--- database cannot be asked: that is said elsewhere.
local key_rotation = require "services.key_rotation"

--- @param report fun(problem: string)
return function(report)
  for _, sentence in ipairs(key_rotation.missing() or {}) do report(sentence) end
end
