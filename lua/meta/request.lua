---@meta request
-- What lua/init.lua's dispatch(request, route) gets, and what it returns.

---@class Request
---@field method string
---@field path string           percent-encoded, without the query
---@field query_string string
---@field params table<string,string>  of the route's pattern, decoded
---@field body string
---@field id string             X-Request-Id
---@field address string        client address after trusted proxies
---@field scheme string
---@field host string
---@field route string          the pattern, e.g. "/api/v1/cargos/{id}"
---@field is_local boolean      the peer is this machine and sent no forwarding header
---@field listener integer
---@field context table         scratch for this request
local request = {}
---@param name string
---@return string?
function request:header(name) end
---@return string?
function request:cookie(name) end

---@class Response
---@field status? integer       200
---@field headers? table<string, string|string[]>
---@field body? string
---@field stream? fun(write: fun(piece: string))  instead of body: sent as it is written; write yields while the client is slow
---@field close? boolean
---@field compress? boolean     default true for text-like types

-- lua/init.lua returns:
---@class Application
---@field routes {[1]: string, [2]: string, name: string, max_body_bytes?: integer, deadline_ms?: integer, listener?: string}[]
---@field dispatch fun(request: Request, route_index: integer): Response
---@field start? fun()          inside a task, before the generation is accepted; an error rejects it
