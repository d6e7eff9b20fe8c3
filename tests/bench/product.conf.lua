-- The product as shipped, but one worker, no line a request, and pages that stay fresh for the whole run.
return {
  workers = 1,
  http = { access_log = false },
  development = { watch = false },
  rate_limits = false,
  cache = { list_s = 86400 },
}
