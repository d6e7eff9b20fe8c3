--- The audit trail: who did what to which object, from where. Rows are never changed; the database forbids it.
local host = host

local audit = {}

local MONTHS_AHEAD = 12

local INSERT = [[
  INSERT INTO audit_log (actor_type, actor_id, action, target_type, target_id, details, address, agent, request_id)
  VALUES ($1, $2, $3, $4, $5, $6, $7::inet, $8, $9)]]

--- Write one entry with what the caller already holds: `db` is a transaction, or host.pg.
--- @param entry {action: string, actor_type?: string, actor_id?: string, target_type?: string, target_id?: string, details?: table}
--- @param context? {address?: string, agent?: string, request_id?: string}
function audit.write_in(db, entry, context)
  context = context or {}
  local query = db == host.pg and db.query or function(...) return db:query(...) end
  return query(INSERT, entry.actor_type or "system", entry.actor_id, entry.action, entry.target_type, entry.target_id,
    host.pg.json(entry.details or {}), context.address, context.agent, context.request_id)
end

--- Write one entry in the background: for what must not wait or fail because of the trail.
function audit.write_later(entry, context)
  context = context and { address = context.address, agent = context.agent, request_id = context.request_id }
  host.task.spawn(function()
    local ok, failure = audit.write_in(host.pg, entry, context)
    if not ok then host.log.warn("audit entry lost", { action = entry.action, failure = tostring(failure) }) end
  end)
end

--- The job audit.months: months are made before they begin, and go whole once they are older than their retention. Whoever may
--- migrate may do that, so it goes the way of migrations.
--- @return {dropped: string[]}?
--- @return table? failure
function audit.keep_months()
  return host.pg.transaction(function(tx)
    local ok, problem = tx:query "SET LOCAL lock_timeout = '5s'" -- a backup may hold the table; tomorrow will do
    if not ok then return nil, problem end
    local made
    made, problem = tx:query([[
      SELECT audit_log_add_month((now() + n * interval '1 month')::date) FROM generate_series(0, $1::int) AS n]], MONTHS_AHEAD)
    if not made then return nil, problem end
    local rows
    rows, problem = tx:query("SELECT * FROM audit_log_drop_months($1::int) AS month", host.config.retention.audit_months)
    if not rows then return nil, problem end
    local dropped = host.json.array {}
    for index, row in ipairs(rows) do dropped[index] = row.month end
    if #dropped == 0 then return { dropped = dropped } end
    ok, problem = audit.write_in(tx, { action = "audit.dropped", target_type = "server", details = { months = dropped } })
    if not ok then return nil, problem end
    return { dropped = dropped }
  end, { direct = true })
end

return audit
