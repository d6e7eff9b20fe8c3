-- The life of a response. The database enforces the same moves.

-- Which status may follow which.
local MOVES = {
  queued = { sent = true, failed = true },
  sent = { accepted = true, rejected = true },
  accepted = { completed = true },
  rejected = {},
  completed = {},
  failed = { queued = true, sent = true },
}

-- What dispatchers may do: letter in the button, what it makes of the response, key of its text.
local BUTTONS = {
  { letter = "a", status = "accepted", text = "button_accept" },
  { letter = "j", status = "rejected", text = "button_reject" },
  { letter = "c", status = "completed", text = "button_complete" },
}

local function can(from, to)
  return MOVES[from] ~= nil and MOVES[from][to] == true
end

-- May the status still change by itself?
local function is_open(status)
  return status == "queued" or status == "sent" or status == "accepted"
end

--- Buttons under a message: all at first, then those that still may be pressed.
local function buttons(status)
  if status == "queued" or status == "sent" or status == "failed" then return BUTTONS end
  local left = {}
  for _, button in ipairs(BUTTONS) do
    if can(status, button.status) then left[#left + 1] = button end
  end
  return left
end

local function status_of(letter)
  for _, button in ipairs(BUTTONS) do
    if button.letter == letter then return button.status end
  end
end

--- Seconds until the page asks again: soon at first, then seldom. nil: no more.
local function poll_s(status, age_s)
  if not is_open(status) then return nil end
  if age_s < 60 then return 5 end
  return age_s < 600 and 20 or 60
end

return {
  can = can, is_open = is_open, buttons = buttons, status_of = status_of, poll_s = poll_s,
  examples = {
    { "can", { "sent", "accepted" }, true },
    { "can", { "sent", "completed" }, false },
    { "can", { "accepted", "rejected" }, false },
    { "status_of", { "j" }, "rejected" },
    { "poll_s", { "queued", 3 }, 5 },
    { "poll_s", { "sent", 120 }, 20 },
    { "poll_s", { "accepted", 3600 }, 60 },
  },
}
