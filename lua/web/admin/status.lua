--- Statuses in words and colours.
local show = require "web.admin.show"

local status = {}

local PAYMENT = {
  pending = { "Ждёт", "warn" }, waiting_for_capture = { "Удержан", "warn" }, succeeded = { "Оплачен", "ok" },
  canceled = { "Отменён", "fail" }, failed = { "Не создан", "fail" },
  partially_refunded = { "Возвращён частично", "info" }, refunded = { "Возвращён", "info" },
}
local RESPONSE = {
  queued = { "Отправляется", "warn" }, sent = { "Отправлен", "info" }, accepted = { "Принят", "ok" },
  rejected = { "Отказ", "fail" }, completed = { "Завершён", "ok" }, failed = { "Не доставлен", "fail" },
}
local SOURCE = { payment = "Оплата", promo = "Промокод", gift = "Подарок", trial = "Пробный период", refund = "Возврат",
  revoke = "Отзыв" }

local function badge(words, code)
  local known = words[code]
  return show.badge(known and known[1] or code, known and known[2] or "none")
end

function status.payment(code) return badge(PAYMENT, code) end
function status.response(code) return badge(RESPONSE, code) end
function status.source(code) return SOURCE[code] or code or "—" end

--- Choices of a filter.
status.payment_options = { { "", "Любой" }, { "succeeded", "Оплачен" }, { "pending", "Ждёт" }, { "canceled", "Отменён" },
  { "failed", "Не создан" }, { "partially_refunded", "Возвращён частично" }, { "refunded", "Возвращён" },
  { "waiting_for_capture", "Удержан" } }

return status
