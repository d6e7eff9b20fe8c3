--- Delivers the outbox: the job outbox.send, which one process of the cluster runs at a time.
---
--- An attempt is written down before the world is asked, and its outcome after. A sender that dies in between leaves an
--- entry in `sending`; the next one cannot know what became of it and sends it once more, marked as a repeat.
---
--- Other kinds than the bot's come by `register`; they have the same shape without `build`: `deliver(entry)` gives a
--- result, or nil and a failure (with `permanent`, `uncertain` or `wait_s`).
local host = host
local alerts = require "services.alerts"
local bot_messages = require "services.bot_messages"
local chats = require "services.telegram_chats"
local failure = require "kit.failure"
local outbox = require "services.outbox"
local pace = require "services.pace"
local telegram_api = require "services.telegram_api"

local sender = {}

local PAUSES_S = { 2, 20, 300, 3600 } -- after the first, second, … attempt; then it is dead
local MOST_AT_ONCE = 10
local LINGER_S = 2          -- nearer work is waited for, without giving up the lease
local LOOK_AGAIN_MS = 500
local LONGEST_RUN_MS = 600000
local STEP_MS = 20
local MISCONFIGURED_PAUSE_S = 60
local PLUGIN_OFF_PAUSE_S = 30
local STORE_ATTEMPTS = 50
local STORE_PAUSE_MS = 200

local others = {}

--- Deliver entries of a kind that is not the bot's.
function sender.register(kind, about)
  others[kind] = about
end

-- ---- outcomes ----

-- Postgres may be away for a moment; a stored outcome saves a repeated message.
local function store(fn)
  local done, problem
  for _ = 1, STORE_ATTEMPTS do
    done, problem = host.pg.transaction(function(tx)
      local after = fn(tx)
      return { run = after or function() end }
    end)
    if done then return done.run() end
    host.task.sleep(STORE_PAUSE_MS)
  end
  error("the outcome of a delivery could not be stored: " .. tostring(problem), 0)
end

local function bury(entry, kind, problem)
  local reason = tostring(problem)
  host.log.warn("outbox entry given up", { id = entry.id, kind = entry.kind, failure = reason })
  if chats.is_group(entry.chat_key) then
    alerts.raise("outbox_dead", "a message cannot be delivered: see the dead letters in the panel",
      { kind = entry.kind, chat = entry.chat_key, failure = reason })
  end
  store(function(tx)
    outbox.bury(tx, entry, reason)
    return kind.dead and kind.dead(tx, entry, reason)
  end)
end

local function put_back(entry, problem, again)
  again.error = tostring(problem)
  store(function(tx) outbox.put_back(tx, entry, again) end)
end

local outcomes = {}

function outcomes.telegram_busy(entry, _, problem)
  put_back(entry, problem, { in_s = problem.wait_s })
end

function outcomes.telegram_moved(entry, kind, problem)
  local old_id = chats.resolve(entry.chat_key)
  if not old_id or not chats.is_ours(old_id) then return bury(entry, kind, problem) end
  store(function(tx)
    chats.moved(tx, old_id, problem.chat_id)
    outbox.put_back(tx, entry, { in_s = 0, error = tostring(problem), counts = true })
  end)
end

function outcomes.telegram_forbidden(entry, kind, problem)
  if not chats.is_group(entry.chat_key) then
    store(function(tx)
      tx:query("UPDATE drivers SET unreachable_at = coalesce(unreachable_at, now()) WHERE id = $1::bigint", entry.chat_key)
    end)
  end
  bury(entry, kind, problem)
end

outcomes.telegram_refused = bury

function outcomes.telegram_misconfigured(entry, _, problem)
  alerts.raise("telegram_misconfigured", "Telegram refuses the bot or a chat is not set: messages wait",
    { failure = tostring(problem) })
  put_back(entry, problem, { in_s = MISCONFIGURED_PAUSE_S })
end

-- Until somebody switches it on again.
function outcomes.plugin_off(entry, _, problem)
  put_back(entry, problem, { in_s = PLUGIN_OFF_PAUSE_S })
end

-- Whatever may pass by itself.
local function try_again(entry, kind, problem)
  local pause_s = PAUSES_S[entry.attempts]
  if problem.permanent or not pause_s then return bury(entry, kind, problem) end
  put_back(entry, problem, { in_s = problem.wait_s or pause_s, counts = true, uncertain = problem.uncertain })
end

-- ---- one delivery ----

local function settle(entry, kind, result)
  store(function(tx)
    outbox.settle(tx, entry)
    return kind.sent and type(result) == "table" and kind.sent(tx, entry, result)
  end)
end

local function send_by_bot(entry, kind)
  local call, problem = kind.build(entry)
  if problem then return nil, problem end
  if not call then return true end -- nothing to say any more
  return telegram_api.call(call.method, call.params)
end

local function deliver_claimed(entry)
  local kind = bot_messages[entry.kind] or others[entry.kind]
  if not kind then return try_again(entry, {}, failure("unknown_kind", { text = entry.kind })) end
  local result, problem
  if kind.build then result, problem = send_by_bot(entry, kind) else result, problem = kind.deliver(entry) end
  host.metrics.count("outbox_attempts_total", { kind = entry.kind, outcome = problem and problem.code or "sent" })
  if not problem then return settle(entry, kind, result) end
  return (outcomes[problem.code] or try_again)(entry, kind, problem)
end

-- ---- the run ----

local function new_run()
  local run = {
    busy = {}, in_flight = 0, delivered = 0, changed = true, pace = pace.new(chats.is_group),
    ends_ms = host.time.monotonic_ms() + LONGEST_RUN_MS,
  }
  local rows, problem = outbox.tried_lately(pace.memory_s)
  if not rows then return nil, problem end
  local now_s = host.time.monotonic_ms() / 1000
  for _, row in ipairs(rows) do run.pace:note(row.chat_key, now_s - row.age_s) end
  return run
end

local function try_delivery(head)
  local entry = outbox.claim(head.id)
  if not entry then return end -- gone meanwhile, or the database is
  local ok, problem = pcall(deliver_claimed, entry)
  if ok then return end
  host.log.error("delivery failed", { id = entry.id, kind = entry.kind, error = tostring(problem) })
  try_again(entry, {}, failure("script_error", { text = tostring(problem), uncertain = true }))
end

-- An outcome that could not be stored leaves its entry in `sending`, for the next run.
local function deliver(run, head)
  run.broken = not pcall(try_delivery, head) or run.broken
  run.busy[head.chat_key] = nil
  run.in_flight, run.delivered, run.changed = run.in_flight - 1, run.delivered + 1, true
end

local function start_delivery(run, head)
  run.busy[head.chat_key] = true
  run.in_flight = run.in_flight + 1
  run.pace:note(head.chat_key, host.time.monotonic_ms() / 1000)
  host.task.spawn_with({ label = ("outbox %.0f"):format(head.id), detached = false }, deliver, run, head)
end

-- Start what may go now. Gives the seconds until the next of the others may.
local function start_due(run)
  local heads, problem = outbox.heads()
  if not heads then return nil, problem end
  local nearest_s = math.huge
  for _, head in ipairs(heads) do
    if not run.busy[head.chat_key] then
      local wait_s = math.max(head.in_s, run.pace:wait_s(head.chat_key, host.time.monotonic_ms() / 1000))
      if wait_s <= 0 and run.in_flight < MOST_AT_ONCE then
        start_delivery(run, head)
      else
        nearest_s = math.min(nearest_s, math.max(wait_s, 0))
      end
    end
  end
  return nearest_s
end

-- Until something changed, or `for_s` passed.
local function wait(run, turn, for_s)
  local until_ms = host.time.monotonic_ms() + math.min(for_s * 1000, LOOK_AGAIN_MS)
  repeat
    host.task.sleep(STEP_MS)
    if turn.woken() then run.changed = true end
  until run.changed or host.time.monotonic_ms() >= until_ms
  run.changed = false
end

local function finish(run)
  while run.in_flight > 0 do host.task.sleep(STEP_MS) end
end

local function is_over(run)
  return run.broken or host.script.info().retired or host.time.monotonic_ms() > run.ends_ms
end

--- The job outbox.send: all that is due, and then how soon there is more. After a reload or at a drain it lets what is
--- under way come to its end.
function sender.run(turn)
  local recovered, problem = outbox.recover()
  if not recovered then return nil, problem end
  local run
  run, problem = new_run()
  if not run then return nil, problem end
  local nearest_s = 0
  while not is_over(run) do
    nearest_s, problem = start_due(run)
    if not nearest_s or run.in_flight == 0 and nearest_s > LINGER_S then break end
    wait(run, turn, nearest_s)
  end
  finish(run)
  if not nearest_s then return nil, problem end
  return { delivered = run.delivered, recovered = recovered.affected }, is_over(run) and 0 or nearest_s
end

return sender
