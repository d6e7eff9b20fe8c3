describe("host.task", function()
  local task = host.task

  it("joins a spawned function and gives all it returned", function()
    local handle = task.spawn(function(a, b) task.sleep(1) return a + b, nil, "third" end, 2, 3)
    local sum, gap, third = handle:join()
    assert.same({ 5, "third" }, { sum, third })
    assert.is_nil(gap)
    assert.equal(5, (handle:join())) -- joining again gives the same
  end)

  it("turns a raise of the spawned function into a failure of join", function()
    local value, failure = task.spawn(function() error("boom") end):join()
    assert.is_nil(value)
    assert.equal("script_error", failure.code)
    assert.truthy(failure.text:find("boom", 1, true))
  end)

  it("fails to join more results than fit, and keeps running", function()
    local many = {}
    for i = 1, 8000 do many[i] = i end
    local refused
    for count = 7980, 7999 do
      local ok, value, failure = pcall(function()
        return task.spawn(function() task.sleep(0) return unpack(many, 1, count) end):join()
      end)
      if ok and not value then refused = failure.text end
    end
    assert.truthy(refused:find("too many results", 1, true))
  end)

  it("runs functions side by side", function()
    local order = {}
    local results = task.all({
      function() task.sleep(20) order[#order + 1] = "slow" return 1 end,
      function() order[#order + 1] = "fast" return 2 end,
    })
    assert.same({ "fast", "slow" }, order)
    assert.same({ 1, 2 }, { results[1][1], results[2][1] })
  end)

  it("ends what outlasts its deadline, and keeps the caller", function()
    local value, failure = task.with_deadline(5, function() task.sleep(10000) return "late" end)
    assert.is_nil(value)
    assert.equal("timeout", failure.code)
    assert.equal("in time", (task.with_deadline(5000, function() return "in time" end)))
  end)

  it("raises in the caller what the function under a deadline raised", function()
    assert.has_error(function() task.with_deadline(1000, function() error("inner") end) end)
  end)

  it("cancels a spawned task, and its attached children with it", function()
    local child
    local parent = task.spawn(function()
      child = task.spawn_with({ detached = false }, function() task.sleep(10000) end)
      task.sleep(10000)
    end)
    parent:cancel()
    local _, failure = parent:join()
    assert.equal("cancelled", failure.code)
    _, failure = child:join()
    assert.equal("cancelled", failure.code)
  end)

  it("runs one function for all who ask for the same key at once", function()
    local runs = 0
    local function ask()
      return task.single_flight("key", function() runs = runs + 1 task.sleep(5) return "answer" end)
    end
    local results = task.all({ ask, ask, ask })
    assert.equal(1, runs)
    for _, result in ipairs(results) do assert.equal("answer", result[1]) end
    ask()
    assert.equal(2, runs)
  end)

  it("keeps a single flight going when the one who started it is gone", function()
    local starter = task.spawn(function()
      return task.single_flight("orphan", function() task.sleep(10) return "landed" end)
    end)
    local second = task.spawn(function()
      return task.single_flight("orphan", function() return "flown twice" end)
    end)
    starter:cancel()
    assert.equal("landed", (second:join()))
  end)

  it("lets no more run at once than the semaphore has permits, first come first served", function()
    local semaphore, running, most, order = task.semaphore(2), 0, 0, {}
    local function work(name)
      return function()
        semaphore:with(function()
          running = running + 1
          most = math.max(most, running)
          order[#order + 1] = name
          task.sleep(2)
          running = running - 1
        end)
      end
    end
    task.all({ work(1), work(2), work(3), work(4), work(5) })
    assert.equal(2, most)
    assert.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("gives a permit back when its holder raises or is cancelled", function()
    local semaphore = task.semaphore(1)
    pcall(function() semaphore:with(function() error("boom") end) end)
    local holder = task.spawn(function() semaphore:with(function() task.sleep(10000) end) end)
    local waiting = task.spawn(function() return semaphore:with(function() return "mine" end) end)
    holder:cancel()
    assert.equal("mine", (waiting:join()))
  end)

  it("can wait inside a coroutine of the script's own", function()
    local collected = {}
    local generator = coroutine.wrap(function()
      for i = 1, 3 do
        task.sleep(1)
        coroutine.yield(i)
      end
    end)
    for i in generator do collected[#collected + 1] = i end
    assert.same({ 1, 2, 3 }, collected)
  end)

  it("can wait inside pcall, and the error after it is caught", function()
    local ok, message = pcall(function() task.sleep(1) error("after the wait", 0) end)
    assert.is_false(ok)
    assert.equal("after the wait", message)
  end)

  it("names the trap when asked to wait inside a C callback", function()
    local ok, message = pcall(function() table.sort({ 2, 1 }, function() task.sleep(1) return true end) end)
    assert.is_false(ok)
    assert.truthy(message:find("table.sort", 1, true))
  end)

  it("tells how much of a deadline is left", function()
    task.with_deadline(1000, function()
      local left = task.remaining_ms()
      assert.is_true(left > 0 and left <= 1000)
    end)
  end)
end)

describe("host.timer", function()
  local timer, task = host.timer, host.task

  local function wait_until(condition)
    for _ = 1, 2000 do
      if condition() then return end
      task.sleep(1)
    end
    error("the condition never came true", 2)
  end

  it("runs a function once, later", function()
    local runs = 0
    timer.after(1, function() runs = runs + 1 end)
    assert.equal(0, runs)
    wait_until(function() return runs == 1 end)
  end)

  it("lets a run end whose timer was cancelled and collected meanwhile", function()
    local ended, handle
    handle = timer.every(1, function()
      handle:cancel()
      handle = nil
      task.sleep(5)
      collectgarbage()
      collectgarbage()
      task.sleep(5)
      ended = true
    end)
    while not ended do task.sleep(1) end
  end)

  it("runs a function again and again until cancelled, never two at once", function()
    local runs, inside, most = 0, 0, 0
    local handle = timer.every(1, function()
      inside = inside + 1
      most = math.max(most, inside)
      task.sleep(2)
      inside = inside - 1
      runs = runs + 1
    end)
    wait_until(function() return runs >= 3 end)
    handle:cancel()
    wait_until(function() return inside == 0 end)
    local seen = runs
    task.sleep(10)
    assert.equal(seen, runs)
    assert.equal(1, most)
  end)

  it("goes on after a run that raised", function()
    local runs = 0
    local handle = timer.every(1, function()
      runs = runs + 1
      error("a job that fails")
    end)
    wait_until(function() return runs >= 2 end)
    handle:cancel()
  end)
end)
