--- The audit trail as the panel reads it, and its own entries in it.
local admin_list = require "services.admin_list"
local audit = require "services.audit"
local failure = require "kit.failure"
local host = host

local admin_trail = {}

local LIST = {
  columns = [[id::text, created_at, actor_type, actor_id, action, target_type, target_id, details,
    host(address) AS address, agent, request_id]],
  from = "audit_log", key = { "audit_log.id", "bigint" },
  sorts = { created = { "created_at", "timestamptz" } }, sort = "created", descending = true,
}

-- The indexes begin with a type: naming all of them lets an id alone be found.
local ANY_ACTOR = "actor_type IN ('driver', 'admin', 'system', 'gateway', 'telegram', 'command')"
local ANY_TARGET = [[target_type IN ('admin', 'cargo_token', 'driver', 'flag', 'gateway', 'job', 'outbox', 'payment',
  'promo_code', 'response', 'server', 'session', 'setting', 'upstream')]]

--- @param asked {actor: string?, type: string?, action: string?, object: string?, from: number?, to: number?, q: string?}
function admin_trail.list(asked)
  local filter = admin_list.filter()
    :add("actor_type = ?", asked.type):add("actor_id = ?", asked.actor)
    :add("target_type = ?", asked.object):add("target_id = ?", asked.q):add("action = ?", asked.action)
    :add("created_at >= to_timestamp(?)", asked.from):add("created_at < to_timestamp(?)", asked.to)
  if asked.actor and not asked.type then filter:also(ANY_ACTOR) end
  if asked.q and not asked.object then filter:also(ANY_TARGET) end
  return admin_list.page(LIST, filter, asked)
end

--- The slice of one object, newest first.
function admin_trail.of(target_type, target_id)
  return host.pg.query([[
    SELECT created_at, actor_type, actor_id, action, details, request_id FROM audit_log
    WHERE target_type = $1 AND target_id = $2 ORDER BY created_at DESC LIMIT 20]], target_type, target_id)
end

--- Who an admin is to a service: `context` is that of the request.
function admin_trail.actor(context)
  return { type = "admin", id = context.admin.login }
end

--- What an admin did: `actor` is the context of the request.
--- @param db? PgTransaction
function admin_trail.write(actor, entry, db)
  entry.actor_type, entry.actor_id = "admin", actor.admin.login
  local ok, problem = audit.write_in(db or host.pg, entry, actor)
  if not ok then return nil, failure("database_unavailable", { text = tostring(problem) }) end
  return true
end

return admin_trail
