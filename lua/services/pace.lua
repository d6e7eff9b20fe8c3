--- How fast messages may follow each other at Telegram: 1 a second in a chat, 20 a minute in a group, 30 a second over
--- all. Keeps the times of what was sent; pure, the clock is the caller's.
local pace = {}
pace.__index = pace

local OVERALL = { most = 30, window_s = 1 }
local CHAT = { most = 1, window_s = 1 }
local GROUP = { most = 20, window_s = 60 }

--- As far back as anything matters.
pace.memory_s = 60

--- @param is_group fun(chat_key: string): boolean
function pace.new(is_group)
  return setmetatable({ is_group = is_group, times = {} }, pace)
end

local function times_of(self, key, now_s)
  local times = self.times[key] or {}
  while times[1] and times[1] <= now_s - pace.memory_s do table.remove(times, 1) end
  self.times[key] = times
  return times
end

-- Seconds until one more fits into the limit.
local function wait_of(times, limit, now_s)
  local nth = times[#times - limit.most + 1]
  return nth and math.max(0, nth + limit.window_s - now_s) or 0
end

--- Something is sent to a chat at that time (never before the last one noted).
function pace:note(chat_key, at_s)
  for _, key in ipairs { "", chat_key } do
    local times = times_of(self, key, at_s)
    times[#times + 1] = at_s
  end
end

--- Seconds until the chat may get its next message; 0 = now.
function pace:wait_s(chat_key, now_s)
  local own = times_of(self, chat_key, now_s)
  local wait_s = math.max(wait_of(times_of(self, "", now_s), OVERALL, now_s), wait_of(own, CHAT, now_s))
  if self.is_group(chat_key) then wait_s = math.max(wait_s, wait_of(own, GROUP, now_s)) end
  return wait_s
end

return pace
