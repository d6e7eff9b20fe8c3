-- Money given back takes days back: in proportion to the money, rounded in the driver's favour, and only days of the
-- paid period that are not used yet. A full refund takes every day that is left of it.

--- Days to take from the end of the access, now that `refunded_kopecks` of `amount_kopecks` are given back in all.
---   days         bought by the payment
---   taken_days   by earlier refunds of the same payment
---   unused_days  of the bought ones, begun days included
local function days_to_take(payment)
  local days = math.floor(payment.days * payment.refunded_kopecks / payment.amount_kopecks) -- one rounding: 29 % of 100 is 29
  return math.max(0, math.min(days - payment.taken_days, payment.unused_days))
end

local function bought(refunded, taken, unused)
  return { amount_kopecks = rub(499), days = 30, refunded_kopecks = refunded, taken_days = taken, unused_days = unused }
end

return {
  days_to_take = days_to_take,

  examples = {
    { "days_to_take", { bought(rub(499), 0, 30) }, 30 },
    { "days_to_take", { bought(rub(499), 0, 12) }, 12 },
    { "days_to_take", { bought(rub(499), 0, 0) }, 0 },
    { "days_to_take", { bought(rub(100), 0, 30) }, 6 },
    { "days_to_take", { bought(rub(499), 6, 24) }, 24 },
    { "days_to_take", { { amount_kopecks = rub(100), days = 100, refunded_kopecks = rub(29), taken_days = 0, unused_days = 100 } }, 29 },
  },
}
