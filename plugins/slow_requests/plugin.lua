--- Logs every request that took longer than it should.

return {
  name = "slow_requests", version = "1.0.0", api = 1,
  about = "Logs requests that took too long.",
  about_ru = "Пишет в лог запросы, которые шли слишком долго.",
  stage = "observe",
  config = {
    threshold_ms = { type = "integer", default = 500, min = 1, max = 60000, doc = "from how many milliseconds on",
      doc_ru = "с какого времени запрос считается долгим, миллисекунды" },
  },

  after_response = function(self, req, res, conf)
    if req.took_ms < conf.threshold_ms then return end
    self.seen = (self.seen or 0) + 1
    host.metrics.count("total", { route = req.route or "unmatched" })
    host.log.warn("slow request", {
      request_id = req.id, method = req.method, path = req.path, route = req.route or "unmatched", status = res.status,
      took_ms = math.floor(req.took_ms * 10 + 0.5) / 10,
    })
  end,

  admin = { status = function(self) return { slow_requests = self.seen or 0 } end },
}
