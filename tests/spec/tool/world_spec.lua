-- The world of specs, looked at from inside of one.
local failure = require "kit.failure"
local world = require "tool.world"

-- A plugin made up here. Gives its source a name that no other has.
local function made_up(name, members)
  world.runner.use_source(("plugins/%s/plugin.lua"):format(name),
    ("return { name = \"%s\", version = \"1.0.0\", api = 1, %s }"):format(name, members))
end

describe("the world of a spec", function()
  it("leaves nothing of the host that reaches outside, or sees the time", function()
    for module, harmless in pairs {
      http = { "address_in", "encode_query", "escape", "parse_query", "unescape" }, redis = {}, pg = {}, shared = {}, timer = {}, log = {},
      metrics = { "render" }, task = { "all", "single_flight", "spawn", "with_deadline" }, -- these are written over spawn_with
      time = { "from_parts", "iso8601", "parse_iso8601", "parts" },
    } do
      assert.same({ module, harmless }, { module, world.runner.untouched(module) })
    end
  end)
end)

describe("the clock of a spec", function()
  it("stands still until it is told to go on", function()
    local now = host.time.now()
    for _ = 1, 1000 do assert.equal(now, host.time.now()) end
    world.advance "1h"
    assert.equal(now + 3600, host.time.now())
    assert.equal(3600000, host.time.monotonic_ms())
    world.set_time "2026-03-08T09:00:00+03:00"
    assert.equal("2026-03-08T06:00:00Z", host.time.iso8601(host.time.now()))
    assert.equal(3600000, host.time.monotonic_ms())
  end)

  it("begins anew with each spec", function()
    assert.equal(0, host.time.monotonic_ms())
    assert.equal("2026-01-15T12:00:00+03:00", host.time.iso8601(host.time.now(), "Europe/Moscow"))
  end)

  it("runs what falls due in its order, at its time", function()
    local seen = {}
    local function note(what) seen[#seen + 1] = ("%s at %d"):format(what, host.time.monotonic_ms()) end
    local every = host.timer.every(1000, function() note "tick" end)
    host.timer.after(1500, function() note "once" end)
    host.task.spawn(function()
      host.task.sleep(2500)
      note "slept"
      every:cancel()
    end)
    world.advance(10)
    assert.same({ "tick at 1000", "once at 1500", "tick at 2000", "slept at 2500" }, seen)
  end)

  it("goes on by itself where the spec waits", function()
    local results = host.task.all {
      function() host.task.sleep(300) return "slow" end,
      function() host.task.sleep(100) return nil, failure "gone" end,
    }
    assert.equal("slow", results[1][1])
    assert.equal("gone", results[2][2].code)
    assert.equal(300, host.time.monotonic_ms())
  end)

  it("does not overlap the runs of a timer", function()
    local running, most = 0, 0
    host.timer.every(1000, function()
      running = running + 1
      most = math.max(most, running)
      host.task.sleep(2500)
      running = running - 1
    end)
    world.advance(10)
    assert.equal(1, most)
  end)

  it("ends what is late, and what belongs to it", function()
    local reached = false
    local result, problem = host.task.with_deadline(1000, function()
      host.task.spawn_with({ detached = false }, function()
        host.task.sleep(1500)
        reached = true
      end)
      host.task.sleep(2000)
      return true
    end)
    assert.is_nil(result)
    assert.equal("timeout", problem.code)
    world.advance(10)
    assert.is_false(reached)
  end)

  it("gives a permit to one after the other, also when one of them raises", function()
    local semaphore, order = host.task.semaphore(1), {}
    for index = 1, 3 do
      host.task.spawn(function()
        pcall(semaphore.with, semaphore, function()
          host.task.sleep(100)
          order[#order + 1] = index
          if index == 1 then error "it broke" end
        end)
      end)
    end
    world.advance(1)
    assert.same({ 1, 2, 3 }, order)
  end)

  it("gives a permit back when its holder is stopped", function()
    local semaphore, got = host.task.semaphore(1), false
    local holder = host.task.spawn(function() semaphore:with(function() host.task.sleep(1e9) end) end)
    host.task.spawn(function() semaphore:with(function() got = true end) end)
    holder:cancel()
    world.advance(0)
    assert.is_true(got)
  end)

  it("runs one of those that ask for the same at once", function()
    local runs = 0
    local function ask()
      return host.task.single_flight("spec", function()
        runs = runs + 1
        host.task.sleep(100)
        return runs
      end)
    end
    local results = host.task.all { ask, ask, ask }
    assert.same({ { 1 }, { 1 }, { 1 } }, results)
    assert.equal(2, ask())
  end)

  it("says when a wait can never end", function()
    local semaphore = host.task.semaphore(1)
    assert.has_error(function()
      semaphore:with(function() semaphore:with(function() end) end)
    end, "semaphore: nothing is left that could end this wait")
  end)
end)

describe("the network of a spec", function()
  it("answers as told, in the order told, and remembers what was asked", function()
    world.http:reply("GET", "https://a.example/x", { status = 503, times = 2 })
    world.http:reply("GET", "https://a.example/x", { json = { ok = true }, headers = { ["X-Y"] = "z" } })
    local function get() return host.http.request { url = "https://a.example/x", headers = { ["X-Asked"] = "1" } } end
    assert.equal(503, get().status)
    assert.equal(503, get().status)
    local answer = get()
    assert.same({ ok = true }, host.json.decode(answer.body))
    assert.equal("z", answer.headers["x-y"])
    assert.equal("application/json", answer.headers["content-type"])
    assert.equal(3, #world.http.asked)
    assert.equal("1", world.http.asked[1].headers["x-asked"])
    assert.equal("1", world.http.asked[1].headers["X-Asked"])
  end)

  it("answers with a fixture, and by a function of what was asked", function()
    world.http:reply("GET", "https://a.example/cargo", { file = "cargo/two_points.json" })
    world.http:reply("POST", "https://a.example/*", function(asked) return { json = { got = asked.json.n } } end)
    assert.equal(481516, host.json.decode(host.http.request({ url = "https://a.example/cargo" }).body).id)
    local answer = host.http.request { method = "POST", url = "https://a.example/any", body = '{"n":7}' }
    assert.equal('{"got":7}', answer.body)
  end)

  it("takes time to time out", function()
    world.http:reply("GET", "https://a.example/", { error = "timeout" })
    world.http:reply("GET", "https://b.example/", { status = 200, after_ms = 300 })
    local answer, problem = host.http.request { url = "https://a.example/", timeout_ms = 2000 }
    assert.is_nil(answer)
    assert.equal("http: timeout: timeout", tostring(problem))
    assert.equal(2000, host.time.monotonic_ms())
    assert.equal(300, host.http.request({ url = "https://b.example/", timeout_ms = 301 }).took_ms)
    assert.is_nil((host.http.request { url = "https://b.example/", timeout_ms = 300 }))
  end)

  it("keeps to max_body_bytes, and hands over pieces", function()
    world.http:reply("GET", "https://a.example/", { body = "12345" })
    local pieces = {}
    local answer = host.http.request { url = "https://a.example/", on_piece = function(piece) pieces[#pieces + 1] = piece end }
    assert.equal("", answer.body)
    assert.same({ "12345" }, pieces)
    local none, problem = host.http.request { url = "https://a.example/", max_body_bytes = 4 }
    assert.is_nil(none)
    assert.equal("too_big", problem.code)
  end)

  it("refuses an answer that says what it does not know", function()
    assert.has_error(function() world.http:reply("GET", "https://a.example/", { code = 200 }) end, "an answer has no 'code'")
  end)
end)

describe("the Postgres of a spec", function()
  it("answers statements by a piece of them", function()
    world.pg:reply("SELECT name FROM drivers WHERE … = $1", function(id) return { { name = "driver " .. id } } end)
    world.pg:reply("UPDATE drivers", 3)
    world.pg:reply("INSERT INTO drivers", { error = "sqlstate_23505", constraint = "drivers_pkey" })
    assert.same({ name = "driver 7" }, host.pg.one("SELECT name\n  FROM drivers\n  WHERE id = $1", 7))
    assert.equal(3, host.pg.query("UPDATE drivers SET name = 'x'").affected)
    local rows, problem = host.pg.query("INSERT INTO drivers VALUES ($1)", host.pg.json { a = 1 })
    assert.is_nil(rows)
    assert.equal("drivers_pkey", problem.constraint)
    assert.same({ { a = 1 } }, world.pg.asked[3].parameters)
  end)

  it("forgets what a transaction that failed wrote into the outbox", function()
    local outbox = require "services.outbox"
    local function write(result)
      return host.pg.transaction(function(tx)
        outbox.add(tx, { kind = "spec", chat_key = "1", payload = { data = { n = 1 } } })
        if result == "raise" then error "it broke" end
        return result, not result and failure "no_luck" or nil
      end)
    end
    write(nil)
    pcall(write, "raise")
    assert.same({}, world.outbox)
    assert.is_true(write(true))
    assert.equal(1, #world.outbox)
    assert.same({ n = 1 }, world.outbox[1].data)
    assert.equal("1", world.outbox[1].queue)
  end)

  it("can be away, as Redis can", function()
    world.pg:down()
    world.redis:down()
    assert.is_false(host.pg.is_up())
    assert.equal("unavailable", select(2, host.pg.query "SELECT 1").code)
    assert.equal("unavailable", select(2, host.pg.transaction(function() return true end)).code)
    assert.equal("unavailable", select(2, host.redis.command("GET", "a")).code)
    world.redis:up()
    assert.equal("OK", host.redis.command("SET", "a", 1))
  end)
end)

describe("plugins in a spec", function()
  it("share the way of a request in their order", function()
    local function marking(name, stage)
      made_up(name, ([[stage = "%s",
        on_request = function(self, req) req.ctx.way = (req.ctx.way or "") .. self.name .. " " end,
        on_response = function(self, req, res) res.headers["X-Way"] = (res.headers["X-Way"] or req.ctx.way) .. self.name .. " " end]])
        :format(stage))
    end
    marking("spec_last", "observe")
    marking("spec_first", "edge")
    local both = world.plugins { spec_last = {}, spec_first = {} }
    assert.same({ "spec_first", "spec_last" }, both:order())
    assert.equal("spec_first spec_last spec_last spec_first ", both:request().headers["X-Way"])
  end)

  it("have only what they asked for", function()
    made_up("spec_needs", 'stage = "rules", on_request = function() host.redis.command("GET", "x") end')
    local plugin = world.plugin "spec_needs"
    plugin:request()
    assert.matches('add "redis" to its needs', plugin:error())
    assert.equal(1, world.metric("plugin_errors_total", { plugin = "spec_needs", hook = "on_request" }))
  end)

  it("keep their keys and figures apart", function()
    made_up("spec_keys", [[stage = "rules", needs = { "redis", "shared" }, on_request = function()
      host.redis.command("SETEX", "k", 60, "v")
      host.shared.set("k", "v")
      host.metrics.count("seen_total")
    end]])
    world.plugin("spec_keys"):request()
    assert.equal("v", host.redis.command("GET", "plugin:spec_keys:k"))
    assert.equal("v", host.shared.get "plugin:spec_keys:k")
    assert.equal(1, world.metric "plugin_spec_keys_seen_total")
    world.advance "1m"
    assert.is_nil(host.redis.command("GET", "plugin:spec_keys:k"))
  end)

  it("are stopped when they compute for longer than their budget", function()
    made_up("spec_loop", 'stage = "rules", budget = { cpu_ms = 20 }, on_request = function() while true do end end')
    local plugin = world.plugin "spec_loop"
    assert.equal(200, plugin:request().status)
    assert.matches("plugins/spec_loop/plugin.lua:1: stopped after 20 ms", plugin:error())
  end)

  it("are stopped when they take more memory than their budget", function()
    made_up("spec_hoard", [[stage = "rules", budget = { mem_kb = 512 },
      on_request = function() local list = {} for i = 1, 1e6 do list[i] = i end end]])
    local plugin = world.plugin "spec_hoard"
    assert.equal(200, plugin:request().status)
    assert.matches("plugins/spec_hoard/plugin.lua:2: stopped after taking 512 kB", plugin:error())
  end)

  it("are stopped when they wait for longer than their budget", function()
    made_up("spec_wait", [[stage = "edge", needs = { "task" }, budget = { wall_ms = 500 },
      on_request = function() host.task.sleep(501) end]])
    local plugin = world.plugin "spec_wait"
    assert.equal(503, plugin:request().status)
    assert.matches("timeout", plugin:error())
  end)

  it("run their jobs by the clock and on demand", function()
    made_up("spec_jobs", [[stage = "observe", jobs = { { every = "5m", name = "look", run = function(self)
      self.runs = (self.runs or 0) + 1
      return { runs = self.runs }
    end } }, admin = { status = function(self) return { runs = self.runs } end }]])
    local plugin = world.plugin "spec_jobs"
    world.advance "14m"
    assert.same({ runs = 2 }, plugin:status())
    assert.same({ runs = 3 }, (plugin:job "look"))
  end)

  it("answer at their routes, to drivers where they say so", function()
    made_up("spec_routes", [[stage = "rules", routes = { { "GET", "/plugins/spec_routes/{what}", access = "driver",
      handle = function(self, req) return { body = { what = req.params.what, driver = req.driver_id } } end } }]])
    local plugin = world.plugin "spec_routes"
    assert.equal(401, plugin:request({ path = "/plugins/spec_routes/hello" }).status)
    local res, reached = plugin:request { path = "/plugins/spec_routes/hello%20you", driver_id = "7" }
    assert.is_true(reached)
    assert.same({ what = "hello you", driver = "7" }, res.json)
  end)

  it("end when a newer generation takes over, and begin anew", function()
    made_up("spec_ends", [[stage = "observe", needs = { "task" },
      start = function(self) self.begun = true host.log.info("begun") end,
      stop = function(self, reason) host.task.sleep(100) host.log.info("ended", { reason = reason }) end,
      events = { ["promo.applied"] = function() host.log.info("heard") end }]])
    local plugin = world.plugin "spec_ends"
    plugin:stop()
    assert.equal("retired", world.logged("ended").reason)
    plugin:event "promo.applied"
    plugin:start()
    plugin:event "promo.applied"
    local said = {}
    for index, line in ipairs(world.logs) do said[index] = line.message end
    assert.same({ "begun", "ended", "begun", "heard" }, said)
  end)

  it("hear of events that the application tells of", function()
    made_up("spec_hears", [[stage = "observe", events = { ["promo.applied"] = function(self, payload)
      host.log.info("heard", payload) end }]])
    world.plugin "spec_hears"
    require("services.events").emit("promo.applied", { code = "SUMMER2026" })
    assert.equal("SUMMER2026", world.logged("heard").code)
    assert.same({ name = "promo.applied", payload = { code = "SUMMER2026" } }, world.events[1])
  end)

  it("do not remember the plugins of the spec before", function()
    require("services.events").emit("promo.applied", { code = "SUMMER2026" })
    assert.is_nil(world.logged "heard")
  end)
end)

describe("a rule in a spec", function()
  it("is the one the server has, and raises what is wrong with its line", function()
    local card = world.rule "card"
    assert.equal("13 500 ₽", card.price(1350000))
    assert.has_error(function() return world.rule "no_such_rule" end)
    local ok, problem = pcall(world.rule("access").mask_phones, nil)
    assert.is_false(ok)
    assert.matches("^lua/rules/access.lua:%d+: ", problem)
  end)
end)

describe("the settings of a spec", function()
  it("are those of the file, with what the spec changes, and no secret of who runs it", function()
    assert.equal("1:spec-token", host.config.telegram.bot_token)
    world.setting("telegram.bot_token", "2:other")
    assert.equal("2:other", host.config.telegram.bot_token)
    assert.equal("number", type(host.config.cache.list_s))
  end)

  it("are forgotten after it", function()
    assert.equal("1:spec-token", host.config.telegram.bot_token)
  end)
end)
