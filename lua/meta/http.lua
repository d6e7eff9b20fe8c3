---@meta host.http

---@class HostHttp
local http = {}

---One HTTP call through pooled, verified connections. Yields.
---@param request HttpRequest
---@return HttpAnswer? answer
---@return Failure? failure   code: dns_failed, connect_failed, tls_failed (nothing was asked), timeout, closed (unknown
---whether it acted; a POST or PATCH is never repeated by itself), too_big, invalid_answer, bad_redirect, overloaded,
---cancelled, invalid_url, invalid_request, script_error (on_piece raised)
function http.request(request) end

---@class HttpRequest
---@field url string
---@field method? string           default GET
---@field headers? table<string,string>  X-Request-Id, and a traceparent when the request came with one, are added
---@field body? string
---@field timeout_ms? integer       whole call, default 10000, never beyond the task's deadline
---@field connect_timeout_ms? integer
---@field max_body_bytes? integer   default 4 MiB
---@field max_redirects? integer    default 0: a redirect is an answer
---@field on_piece? fun(piece: string): boolean?   body pieces as they come; return false to stop; must not wait

---@class HttpAnswer
---@field status integer
---@field headers table<string,string>   names in lower case, repeated ones joined by ", "
---@field body string
---@field took_ms number

---Percent-encode everything but A-Z a-z 0-9 - . _ ~
---@param text string
---@return string
function http.escape(text) end

---Percent-decode, `+` = space. nil on a bad escape.
---@param text string
---@return string?
function http.unescape(text) end

---Pairs of a query string or form in order: { {"key","value"}, … }; nil and a failure (code "invalid") on a bad escape.
---@param text string
---@return string[][]? pairs
---@return Failure? failure
function http.parse_query(text) end

---`a=1&b=2` from pairs { {"a",1}, … } or from a map (then sorted by key); both sides percent-encoded.
---@param values table
---@return string
function http.encode_query(values) end

---Is the address inside one of the CIDR blocks? IPv4-mapped IPv6 counts as IPv4. Raises on a bad block.
---@param address string
---@param cidrs string   comma list
---@return boolean
function http.address_in(address, cidrs) end

return http
