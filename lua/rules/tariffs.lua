-- Tariffs of the subscription page until the panel saves its own. Order is the order on the page.
return {
  list = {
    { name = "1_month", title = { ru = "1 месяц", en = "1 month" }, days = 30, price_kopecks = rub(499) },
    { name = "3_months", title = { ru = "3 месяца", en = "3 months" }, days = 90, price_kopecks = rub(1299) },
    { name = "6_months", title = { ru = "6 месяцев", en = "6 months" }, days = 180, price_kopecks = rub(2399) },
    { name = "12_months", title = { ru = "12 месяцев", en = "12 months" }, days = 365, price_kopecks = rub(3999) },
  },
}
