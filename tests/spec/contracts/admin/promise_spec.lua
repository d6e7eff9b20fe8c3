-- Who may ask what of the panel is decided by its contracts, not by its pages.
local OPEN = { ["admin.check_session"] = true, ["admin.log_in"] = true } -- nobody is known yet

-- All contracts of the panel: a file gives one, or several by name.
local function contracts()
  local list = {}
  local function collect(value)
    if type(value) ~= "table" then return end
    if value.name and value.run and not OPEN[value.name] then list[#list + 1] = value end
  end
  for _, path in ipairs(host.script.list "lua/contracts/admin") do
    local made = require(path:match("^lua/(.+)%.lua$"):gsub("/", "."))
    collect(made)
    for _, member in pairs(type(made) == "table" and made or {}) do collect(member) end
  end
  return list
end

local function refusal_of(contract, role)
  local output, problem = contract({ never = "read" }, { admin = role and { login = "olga", role = role } })
  assert.is_nil(output, contract.name)
  local _, of_run = contract:run_checked({}, { admin = role and { login = "olga", role = role } })
  assert.equal(problem.code, of_run.code, contract.name)
  return problem.code
end

describe("contracts.admin", function()
  it("refuse whom nobody knows, before anything is said of the input", function()
    assert.is_true(#contracts() > 35)
    for _, contract in ipairs(contracts()) do assert.equal("unauthorized", refusal_of(contract), contract.name) end
  end)

  it("refuse a viewer what changes anything, and an unknown role everything", function()
    local for_admins = 0
    for _, contract in ipairs(contracts()) do
      assert.equal("forbidden", refusal_of(contract, "stranger"), contract.name)
      if contract.role == "admin" then
        for_admins = for_admins + 1
        assert.equal("forbidden", refusal_of(contract, "viewer"), contract.name)
      end
    end
    assert.is_true(for_admins > 15)
  end)

  it("are called by the panel, which never runs one past its admission", function()
    local read = 0
    for _, path in ipairs(host.script.list "lua/web/admin") do
      local source = host.script.read(path)
      read = read + 1
      assert.is_nil(source:match "[%w_.]+%.run%s*[({][^\n]*", path)
      assert.is_nil(source:match "[^\n]*run_checked", path)
    end
    assert.is_true(read > 15)
  end)
end)
