--- The smallest application that shows what a server does with its processes.
local host = host
local answers = require "answers"

local handlers = {}

function handlers.hello()
  return { body = answers.greeting }
end

-- Answers after a while, so that a test can act while it waits.
function handlers.slow(request)
  host.task.sleep(tonumber(request.query_string:match "ms=(%d+)"))
  return { body = "slow" }
end

local routes = {
  { "GET", "/hello", name = "hello" },
  { "GET", "/slow", name = "slow" },
}

return {
  routes = routes,
  dispatch = function(request, index)
    local route = routes[index]
    if not route then return { status = 404, body = "nothing here" } end
    return handlers[route.name](request)
  end,
  calls = {
    greet = function(input) return { text = answers.greeting .. ", " .. input.name } end,
    refuse = function() return nil, { code = "refused", text = "not today" } end,
  },
}
