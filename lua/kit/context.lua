--- What is known about a request before its contract runs.
local respond = require "kit.respond"

-- A user agent is free text of bytes; only what any log and column takes is kept.
local function clean_agent(agent)
  return agent and agent:sub(1, 300):gsub("[^\32-\126]", "?") or nil
end

-- A peer on a unix socket has no address.
local function clean_address(address)
  return address and address:find "^[%x%.:]+$" and address or nil
end

--- @return table context  {request_id, address, agent, is_local, language, wants, is_htmx}
return function(request)
  return {
    request_id = request.id, address = clean_address(request.address),
    agent = clean_agent(request:header "user-agent"), is_local = request.is_local,
    language = respond.language(request), wants = respond.wants(request),
    is_htmx = request:header "hx-request" == "true",
  }
end
