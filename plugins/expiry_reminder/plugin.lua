--- Tells drivers by the bot that their access ends soon, once for each end and each of the days.

local TEXT = { ru = "Доступ к грузам заканчивается {when}. Продлите его в приложении.",
  en = "Your access to cargos ends {when}. Renew it in the app." }

local function when(days_left, language)
  if language == "en" then return days_left == 1 and "within a day" or ("in %d days"):format(days_left) end
  if days_left == 1 then return "в ближайшие сутки" end
  local tail = days_left % 10 >= 2 and days_left % 10 <= 4 and math.floor(days_left / 10) % 10 ~= 1 and "дня"
    or days_left % 10 == 1 and days_left % 100 ~= 11 and "день" or "дней"
  return ("через %d %s"):format(days_left, tail)
end

local function check_days(days)
  for _, text in ipairs(days) do
    local number = tonumber(text)
    if not number or number < 1 or number > 60 or number ~= math.floor(number) then
      return ("holds no number of days (expected texts from \"1\" to \"60\", got %s)"):format(text)
    end
  end
end

-- Once for each driver, end and number of days: what was queued is found by its mark. The job runs alone.
local FIND = [[
  SELECT * FROM (
    SELECT subscriptions.driver_id::text AS driver_id, language_code,
      format('%s:%s:%s', subscriptions.driver_id, extract(epoch FROM expires_at)::bigint, $1::int) AS mark
    FROM subscriptions JOIN drivers ON drivers.id = subscriptions.driver_id
    WHERE expires_at > now() + ($1::int - 1) * interval '1 day' AND expires_at <= now() + $1::int * interval '1 day'
      AND drivers.unreachable_at IS NULL) AS ending
  WHERE NOT EXISTS (SELECT FROM outbox WHERE kind = 'plugin:expiry_reminder' AND payload -> 'data' ->> 'mark' = ending.mark)
  LIMIT 5000]]

local function remind(row, days_left, conf)
  local language = row.language_code == "en" and "en" or "ru"
  local text = (conf["text_" .. language] or TEXT[language]):gsub("{when}", when(days_left, language))
  return host.outbox.add { queue = row.driver_id, data = { chat_id = row.driver_id, text = text, mark = row.mark } }
end

local function run(_, conf)
  local queued = 0
  for _, text in ipairs(conf.days) do
    local days_left = tonumber(text)
    local rows, problem = host.pg.query(FIND, days_left)
    if not rows then error(tostring(problem), 0) end
    for _, row in ipairs(rows) do
      local done, why = remind(row, days_left, conf)
      if not done then error(tostring(why), 0) end
      queued = queued + 1
    end
  end
  return { queued = queued }
end

return {
  name = "expiry_reminder", version = "1.0.0", api = 1,
  about = "Tells drivers by the bot that their access ends soon.",
  about_ru = "Напоминает водителям через бота, что доступ кончается.",
  stage = "observe",
  needs = { "pg", "outbox", "telegram" },
  config = {
    days = { type = "list", default = { "3", "1" }, min = 1, max = 10, check = check_days, doc = "how many days before",
      doc_ru = "за сколько дней" },
    text_ru = { type = "string", max = 1000, doc = "instead of the shipped text; {when} is filled in",
      doc_ru = "вместо готового текста; {when} подставится" },
    text_en = { type = "string", max = 1000, doc = "the same in English",
      doc_ru = "то же по-английски" },
  },
  jobs = { { every = "1h", name = "look", about = "Remind drivers whose access ends soon.", run = run } },

  deliver = function(_, data)
    return host.telegram.call("sendMessage", { chat_id = tonumber(data.chat_id), text = data.text })
  end,
}
