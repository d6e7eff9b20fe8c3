--- The smallest application: what the server costs by itself.
local HELLO = { headers = { ["Content-Type"] = "text/plain; charset=utf-8" }, body = "hello\n" }

local handlers = {
  function() return HELLO end,
  function()
    while true do end
  end,
}

return {
  routes = {
    { "GET", "/hello", name = "hello" },
    { "GET", "/runaway", name = "runaway" },
  },
  dispatch = function(request, index)
    local handler = handlers[index]
    if not handler then return { status = 404, body = "" } end
    return handler(request)
  end,
}
