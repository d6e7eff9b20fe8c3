---@meta host.pg
-- Types: bool → boolean; int2, int4, float → number; int8 → number up to 2^53, beyond it a decimal string; numeric → decimal string;
-- json, jsonb → decoded value; timestamptz → Unix seconds with microseconds (number); date, timestamp, uuid, text → string;
-- bytea → raw string; arrays of these → lists with pg.null for NULL elements; any other type → its text; NULL → nil.

---@class HostPg
---@field null userdata   SQL NULL where a Lua nil cannot be written
local pg = {}

---Run one statement on any connection; what opens or ends a transaction raises (use pg.transaction). Parameters are `$1`, `$2`, …: string, number, boolean, nil, pg.null, or a value of pg.json, pg.bytea,
---pg.array. Yields.
---@param sql string
---@param ... any
---@return PgRows? rows        a list of rows; `rows.affected` counts inserted, updated, deleted or selected rows
---@return Failure? failure    code "sqlstate_23505" and the like when the server refused; `failure.constraint` when it names one
function pg.query(sql, ...) end

---The first row, or nil when there is none. Yields.
---@return table? row
---@return Failure? failure
function pg.one(sql, ...) end

---Run `fn(tx)` in a transaction. Committed when fn returns without a failure; rolled back when it raises, returns nil
---and a failure, or its task dies. Returns what fn returned. Inside another transaction's function use
---tx:savepoint(fn). With `read_only` writing fails (`sqlstate_25006`), and it is always rolled back. Yields.
---@param fn fun(tx: PgTransaction): ...
---@param options? {isolation?: "read committed"|"repeatable read"|"serializable", read_only?: boolean, timeout_ms?: integer, direct?: boolean}
---@return any
---@return Failure? failure
function pg.transaction(fn, options) end

---@class PgTransaction
local tx = {}
function tx:query(sql, ...) end
function tx:one(sql, ...) end
---@param fn fun(tx: PgTransaction): ...
function tx:savepoint(fn) end

---Call `fn(payload)` in a new task for every notification; payload is nil after each (re)connect: read everything again.
---A canary leaves messages to the live generation; when it goes live it is told nil if it missed some. `standby`: it gets them
---too (a copy of its own must be kept fresh).
---@param channel string
---@param fn fun(payload: string?)
---@param options? {standby: boolean?}
---@return Subscription
function pg.listen(channel, fn, options) end

---A value as jsonb.
---@param value any
function pg.json(value) end
---A string of any bytes; plain strings may not hold a NUL byte.
---@param bytes string
function pg.bytea(bytes) end
---A list for an array parameter: `id = ANY($1)`. pg.null is a NULL element.
---@param list (string|number|boolean|userdata)[]
function pg.array(list) end

---@return boolean
function pg.is_up() end

---@class PgRows
---@field affected integer

return pg
