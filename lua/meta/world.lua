---@meta tool.world
-- What a spec gets from `require "tool.world"`. The guide is docs/plugins.md; docs/rules.md says it for rules.
-- A file that requires it runs without services; each of its specs begins with a fresh world.

---@class World
---@field http WorldHttp       the network
---@field redis WorldRedis
---@field pg WorldPg
---@field outbox WorldEntry[]  what was written to be sent, in order
---@field logs WorldLine[]     log lines
---@field events {name: PluginEvent, payload: table}[]  what was told of
local world = {}

---Let time pass: sleeps, timers and jobs that fall due run, in order. Where the spec itself waits, time passes by itself.
---@param time number|string   seconds, or "30s", "5m", "1h", "1d"
function world.advance(time) end

---Set what the clock shows: Unix seconds, or ISO 8601 with a zone. No time passes. A spec begins at 2026-01-15T12:00:00+03:00.
---@param time number|string
function world.set_time(time) end

---A plugin with these settings, loaded as the server loads it and started. Raises what `fura check` would say of it.
---@param name string
---@param conf? table
---@return WorldPlugin
function world.plugin(name, conf) end

---Several plugins, in their order around a request.
---@param wanted table<string, table>   name → settings
---@return WorldPlugin
function world.plugins(wanted) end

---A rule as the server loads it: its data and its functions, each call with the budget it has there.
---@param name string   like "card"
---@return table
function world.rule(name) end

---A file beside the spec, in fixtures/ there, or in tests/fixtures: JSON decoded, else text. Ready: cargo/two_points.json,
---cargo/no_price.json, cargo/no_points.json, cargo/detail.json.
---@param path string
---@return any
function world.fixture(path) end

---Change a setting of the conf file for this spec.
---@param path string   like "telegram.bot_token"
---@param value any
function world.setting(path, value) end

---The fields of the first log line with this message; nil when there is none.
---@param message string
---@return table?
function world.logged(message) end

---The sum of a counter or of what was observed, the last value of a gauge; 0 when there was nothing. The name is without
---`fura_`; those of a plugin begin with plugin_NAME_.
---@param name string
---@param labels? table<string, string>   only those with these
---@return number
function world.metric(name, labels) end

---@class WorldLine
---@field level "debug"|"info"|"warn"|"error"
---@field message string
---@field fields table

---@class WorldEntry
---@field kind string          "plugin:NAME" of a plugin
---@field queue string
---@field payload table
---@field data any             what a plugin gave to host.outbox.add
---@field attempts integer

---@class WorldHttp
---@field asked WorldAsked[]   what was asked, in order
local http = {}
---Prepare the answer to a method and an address; one that ends with * is for all that begin so. Without `times` it answers
---each time; what is used up makes way for what was prepared later. A call nobody prepared for fails the spec.
---@param method string
---@param url string
---@param answer WorldAnswer|fun(asked: WorldAsked): WorldAnswer
---@return WorldHttp self
function http:reply(method, url, answer) end

---@class WorldAnswer
---@field status? integer      200
---@field headers? table<string, string>
---@field body? string
---@field json? any            instead of body
---@field file? string         instead of body: a fixture
---@field error? string        no answer: "timeout", "connect_failed", … A timeout takes the time it takes
---@field after_ms? integer    it comes after so long
---@field times? integer       so often

---@class WorldAsked
---@field method string
---@field url string
---@field headers table<string, string>   by name in any case
---@field body string
---@field json table?          the body, when it is JSON
---@field timeout_ms integer?

---@class WorldRedis
---@field asked string[]       commands, each as one text
local redis = {}
---Redis is away from now on.
function redis:down() end
function redis:up() end

---@class WorldPg
---@field asked {sql: string, parameters: any[]}[]
local pg = {}
---Prepare the answer to every statement that contains this piece of SQL; … in it stands for anything, blanks do not count.
---The application's own outbox answers by itself. A statement nobody prepared for fails the spec.
---@param piece string
---@param answer table[]|integer|{error: string, text?: string, constraint?: string}|fun(...): any   rows, how many were changed, a failure, or a function of the parameters that gives one of these
---@param options? {times?: integer}
---@return WorldPg self
function pg:reply(piece, answer, options) end
---Postgres is away from now on.
function pg:down() end
function pg:up() end

---@class WorldPlugin
local plugin = {}
---Send a request through the hooks; behind them the application gives `answer`, after `takes_ms`. What the hooks began comes
---to its end, after_response too.
---@param request? WorldRequest
---@return {status: integer, headers: table, body: string?, json: any} response
---@return boolean reached   did it come to the application, or to a route of the plugin?
function plugin:request(request) end
---What becomes of an answer of the application.
---@param answer {status?: integer, headers?: table, body?: string, json?: any}
---@param request? WorldRequest
---@return {status: integer, headers: table, body: string?, json: any} response
function plugin:response(answer, request) end
---A request that is over, for what after_response does.
---@param request? WorldRequest
function plugin:after(request) end
---Tell of an event.
---@param name PluginEvent
---@param payload? table
function plugin:event(name, payload) end
---Run a job now. By the clock each runs after its `every`, too.
---@param name string
---@return any result
---@return Failure? failure
function plugin:job(name) end
---Deliver an entry of world.outbox (each time is one more attempt), or just its data.
---@param entry WorldEntry|any
---@return any result
---@return Failure? failure   `permanent`: it would not be tried again
function plugin:deliver(entry) end
---What admin.status shows.
---@return table?
function plugin:status() end
---Names, first to meet a request first.
---@return string[]
function plugin:order() end
---The last error raised in a hook that was not asked for yet. One that stays unasked fails the spec.
---@return string?
function plugin:error() end
---As when a newer generation has taken over: stop() runs, jobs end.
function plugin:stop() end
---As when a generation begins, with a new `self`. Loading did it already.
---@return WorldPlugin self
function plugin:start() end

---@class WorldRequest
---@field method? string       "GET"
---@field path? string         "/"
---@field query_string? string
---@field params? table<string, string>
---@field headers? table<string, string>
---@field body? string
---@field json? any            instead of body
---@field id? string
---@field address? string      "203.0.113.1"
---@field scheme? string
---@field host? string
---@field route? string
---@field is_local? boolean
---@field driver_id? string    who asks, known once the application was reached
---@field answer? {status?: integer, headers?: table, body?: string, json?: any}  of the application
---@field takes_ms? number     how long the application takes

return world
