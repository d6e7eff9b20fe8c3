-- The body of every request's task. Arguments of the chunk: begin(request, response) sends the head of a streamed
-- answer, write(request, piece) a piece of it (and waits while the client is slow).
local begin, write = ...
local type = type

return function(dispatch, request, route_index)
  local response = dispatch(request, route_index)
  if type(response) == "table" and response.stream then
    begin(request, response)
    response.stream(function(piece) return write(request, piece) end)
    return nil
  end
  return response
end
