--- The shape of a subscription wherever it is shown.
return {
  active = { type = "boolean" }, expires_at = { type = "string", nullable = true }, days_left = { type = "integer" },
  source = { type = "string", nullable = true, one_of = { "payment", "promo", "gift", "trial" } },
  features = { type = "object" },
}
