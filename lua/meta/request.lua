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
---@field allow? string       without a route (index 0): the methods this path takes, when it is the method that is wrong
---@field driver_id? string   set it: the access log then says who it was; at most 23 bytes
---@field replay_of? string   the driver on whose behalf `fura replay` answers a recorded request; nil for whatever a client sent
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
---@field routes {[1]: string, [2]: string, name: string, replay?: boolean, replay_hides?: string[], max_body_bytes?: integer, deadline_ms?: integer, listener?: string}[]
---@field dispatch fun(request: Request, route_index: integer): Response
---@field start? fun()          inside a task, before the generation is accepted; an error rejects it
---@field calls? table<string, fun(input: any): any, Failure?>  what `fura call NAME JSON` and commands reach in the running server
---@field replay? fun(asked: table, tools: ReplayTools): table  compares two generations for `fura replay`: see lua/kit/replay.lua
---@field audience? fun(request: Request, route_index: integer): string|false|nil  whose request it is, for `fura reload --canary`: a name, nil when nobody knows (then the address decides), false for what stays with the live generation. There is no body yet, and it may not wait
---@field failed? fun(about: {request_id: string, method: string, route: string, text: string, stack: string, stopped: boolean})  told of each script error, in a task of its own

---What `fura replay` gives to Application.replay, which runs in a task.
---@class ReplayTools
---@field answer fun(side: "before"|"after", recorded: string): ReplayAnswer  answers a recorded request (JSON) with what runs or with the sources on disk; waits
---@field errors fun(side: "before"|"after"): {text: string, count: integer}[]  what that side logged as errors so far

---@class ReplayAnswer
---@field status? integer       nil: it did not answer
---@field type string           Content-Type
---@field location string
---@field body string
---@field route boolean         is there a route for it?
---@field error? string         it raised, was stopped, was too late or streamed
---@field needs? string         what it asked for that a replay does not do
