-- The body of every request's task. Arguments of the chunk: begin(request, response) sends the head of a streamed
-- answer, write(request, piece) a piece of it (and waits while the client is slow).
local begin, write = ...
local type, getmetatable = type, getmetatable

-- The core reads raw fields and runs no metamethod, which could last; here the script's budget holds.
local function plain(response)
  if type(response) ~= "table" or getmetatable(response) == nil then return response end
  return { status = response.status, headers = response.headers, body = response.body, compress = response.compress,
    close = response.close, stream = response.stream }
end

return function(dispatch, request, route_index)
  local response = plain(dispatch(request, route_index))
  if type(response) == "table" and response.stream then
    begin(request, response)
    response.stream(function(piece) return write(request, piece) end)
    return nil
  end
  return response
end
