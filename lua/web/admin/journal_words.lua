--- The journal in Russian: what its codes, kinds of objects and fields are called. What has no word is shown as its code.
local words = {}

--- Actions, in the order of the filter.
words.actions = {
  { "admin.logged_in", "Вошёл в панель" }, { "admin.logged_out", "Вышел из панели" },
  { "admin.login_refused", "Не пущен в панель" }, { "admin.refused", "Не разрешено ролью" }, { "admin.added", "Учётная запись создана" },
  { "admin.disabled", "Учётная запись закрыта" },
  { "payment.created", "Платёж создан" }, { "payment.succeeded", "Платёж прошёл" },
  { "payment.waiting_for_capture", "Деньги удержаны" }, { "payment.canceled", "Платёж отменён" },
  { "payment.failed", "Платёж не создан" }, { "payment.asked", "Платёж сверен с ЮKassa" },
  { "payment.gateway_error", "ЮKassa ответила ошибкой" }, { "payment.unknown", "Неизвестный платёж" },
  { "payment.webhook_refused", "Уведомление не принято" }, { "payment.webhook_mismatch", "Уведомление не сошлось" },
  { "payment.webhook_dead", "Уведомление не разобрано" },
  { "payment.refunded", "Деньги возвращены" }, { "payment.partially_refunded", "Возвращена часть" },
  { "refund.requested", "Возврат запрошен" }, { "refund.canceled", "Возврат отменён" },
  { "refund.refused", "ЮKassa отказала в возврате" }, { "refund.failed", "Возврат не сделан" }, { "refund.denied", "Возврат не разрешён" },
  { "subscription.created", "Подписка начата" }, { "subscription.extended", "Подписка продлена" },
  { "subscription.revoked", "Подписка отозвана" },
  { "promo_code.created", "Промокод создан" }, { "promo_code.not_created", "Промокод не создан" },
  { "promo_code.deactivated", "Промокод отключён" }, { "promo_code.applied", "Промокод применён" },
  { "promo_code.refused", "Промокод не принят" },
  { "driver.login", "Водитель вошёл" }, { "driver.login_refused", "Водитель не пущен" },
  { "driver.logout", "Водитель вышел" }, { "driver.sessions_ended", "Сессии водителя закончены" },
  { "driver.forgotten", "Данные водителя стёрты" },
  { "response.created", "Отклик отправлен" }, { "response.status_changed", "Отклик изменил состояние" },
  { "setting.changed", "Настройка изменена" }, { "setting.refused", "Настройка не принята" },
  { "settings.rotated", "Секреты перешифрованы" }, { "flag.changed", "Флаг изменён" },
  { "server.reloaded", "Сервер перечитан" }, { "server.reload_rejected", "Перечитывание отказано" },
  { "server.canary_begun", "Пробное поколение начато" }, { "server.canary_promoted", "Пробное поколение включено всем" },
  { "server.canary_withdrawn", "Пробное поколение снято" },
  { "outbox.retried", "Сообщение отправлено заново" }, { "outbox.dropped", "Сообщение отброшено" },
  { "job.run", "Задание запущено" }, { "cache.cleared", "Списки очищены" },
  { "cargo_token.dropped", "Доступ к бирже сброшен" }, { "cargotech.login", "Вход на биржу" },
  { "audit.dropped", "Старые месяцы журнала убраны" },
}

--- Kinds of objects.
words.objects = {
  { "payment", "Платёж" }, { "driver", "Водитель" }, { "promo_code", "Промокод" }, { "response", "Отклик" },
  { "setting", "Настройка" }, { "flag", "Флаг" }, { "admin", "Учётная запись" }, { "session", "Сессия" },
  { "outbox", "Сообщение" }, { "job", "Задание" }, { "gateway", "ЮKassa" }, { "upstream", "Биржа" },
  { "cargo_token", "Доступ к бирже" }, { "server", "Сервер" },
}

--- Names of fields in details.
words.fields = {
  reason = "причина", days = "дней", amount_kopecks = "сумма", price_kopecks = "цена", expires_at = "до", status = "состояние",
  enabled = "включён", rollout_percent = "процент", allow_list = "список", requires_subscription = "только с подпиской",
  generation = "поколение", keys = "ключей", kind = "вид", chat_key = "кому", error = "ошибка", last_error = "ошибка",
  outcome = "итог", result = "результат", tariff = "тариф", payment_id = "платёж",
  refund_id = "возврат", gateway_id = "в ЮKassa",
  max_uses = "применений", action = "действие", role = "роль", totp = "код из приложения", sessions = "сессий", event = "событие",
  problem = "беда", problems = "ошибки", cargo_id = "груз", from = "было", to = "стало",
  days_taken = "снято дней", answered = "ответ", cause = "откуда известно",
  fetched = "на деле", said = "заявлено", final = "окончательно", key_id = "ключ", badge = "ярлык", on_sale = "в продаже",
  months = "месяцы", rest_kopecks = "остаток", refunded_kopecks = "возвращено", valid_from = "начало", valid_until = "конец",
  state = "состояние", attempts = "попыток",
  share = "доля", minutes = "минут", title = "название", ru = "по-русски", en = "по-английски", text = "текст", payload = "сообщение",
}

--- Values of fields that are codes.
words.values = {
  status = { pending = "ждёт", waiting_for_capture = "удержан", succeeded = "оплачен", canceled = "отменён", failed = "не создан",
    partially_refunded = "возвращён частично", refunded = "возвращён",
    queued = "отправляется", sent = "отправлен", accepted = "принят", rejected = "отказ", completed = "завершён" },
  state = { dead = "не доставлено", waiting = "ждёт", sending = "отправляется", sent = "отправлено" },
  cause = { created = "при создании", webhook = "по уведомлению", reconcile = "при сверке", compare = "при сверке со списком" },
  outcome = { ok = "успешно", failed = "неудача", job_failed = "неудача" },
}
words.values.from, words.values.to = words.values.status, words.values.status

--- Steps of a payment, as its history keeps them.
words.steps = {
  created = "Создан", gateway_created = "Создан в ЮKassa", gateway_error = "ЮKassa ответила ошибкой", superseded = "Заменён новым",
  webhook = "Уведомление ЮKassa", reconcile = "Сверка", compare = "Сверка со списком",
}

--- What asked for a reload.
words.origins = { start = "запуск", command = "команда", signal = "сигнал", watch = "изменён файл", canary = "проба на части" }

--- The server's jobs; those of plugins speak for themselves.
words.jobs = {
  ["outbox.send"] = "Отправляет то, что ждёт Telegram.", ["outbox.clean"] = "Забывает отправленное и старое.",
  ["payments.inbox"] = "Разбирает уведомления ЮKassa, которые ждут.", ["payments.reconcile"] = "Спрашивает ЮKassa о платежах без конца.",
  ["payments.compare"] = "Сверяет последние дни со списком ЮKassa.", ["payments.clean"] = "Стирает тела старых уведомлений.",
  ["payments.attempts"] = "Забывает ключи старых попыток оплаты.", ["sessions.clean"] = "Забывает старые законченные сессии.",
  ["audit.months"] = "Готовит будущие месяцы журнала и убирает те, чей срок хранения прошёл.",
  ["subscriptions.expiring"] = "Сообщает о доступе, который кончается через три дня или завтра.",
}

local function map_of(list)
  local map = {}
  for _, item in ipairs(list) do map[item[1]] = item[2] end
  return map
end

local actions, objects = map_of(words.actions), map_of(words.objects)

function words.action(code) return actions[code] end
function words.object(code) return objects[code] or code end

--- «week.price_kopecks» as «week · цена».
function words.path(path)
  local parts = {}
  for part in path:gmatch "[^.]+" do parts[#parts + 1] = words.fields[part] or part end
  return table.concat(parts, " · ")
end

--- Choices of a filter, the first for all.
function words.options(list, all)
  local options = { { "", all } }
  for _, item in ipairs(list) do options[#options + 1] = { item[1], item[2] } end
  return options
end

return words
