-- Settings of the application that the process tests run: what they vary comes from the environment.
return {
  drain_notice_s = env("TEST_DRAIN_NOTICE_S", "0") + 0,
  shutdown_timeout_s = env("TEST_SHUTDOWN_S", "20") + 0,
  drain_deadline_s = env("TEST_DRAIN_DEADLINE_S", "60") + 0,
  http = { max_requests = env("TEST_MAX_REQUESTS", "4096") + 0 },
  development = { watch = env("TEST_WATCH", "off") == "on" },
}
