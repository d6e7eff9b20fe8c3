-- host.pg against the real server: values both ways, failures, transactions, notifications.
describe("host.pg", function()
  local pg, task = host.pg, host.task

  local function value(sql, ...)
    local row, failure = pg.one("SELECT " .. sql .. " AS value", ...)
    assert.is_nil(failure)
    return row.value
  end

  local function count(table_name)
    return assert(pg.one("SELECT count(*) AS n FROM " .. table_name)).n
  end

  local function await(condition)
    for _ = 1, 500 do
      if condition() then return end
      task.sleep(10)
    end
    error("it did not happen within 5 s", 2)
  end

  setup(function()
    assert(pg.query("DROP TABLE IF EXISTS pg_spec"))
    assert(pg.query("CREATE TABLE pg_spec (id int CONSTRAINT pg_spec_once PRIMARY KEY, note text, data jsonb, "
      .. "later int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
  end)

  teardown(function() pg.query("DROP TABLE pg_spec") end)
  before_each(function() assert(pg.query("TRUNCATE pg_spec")) end)

  describe("values from the database", function()
    it("gives booleans and small numbers as they are", function()
      assert.is_true(value("true"))
      assert.is_false(value("false"))
      assert.equal(-7, value("(-7)::int2"))
      assert.equal(2147483647, value("2147483647"))
      assert.equal(0.1, value("0.1::float8"))
      assert.equal(math.huge, value("'infinity'::float8"))
    end)

    it("gives int8 as a number while that is exact, else as text", function()
      assert.equal(9007199254740992, value("9007199254740992::int8"))
      assert.equal("9007199254740993", value("9007199254740993::int8"))
      assert.equal("-9223372036854775808", value("(-9223372036854775808)::int8"))
    end)

    it("gives numeric, uuid, date and timestamp as text", function()
      assert.equal("499.00", value("499.00::numeric"))
      assert.equal("6f1c2a54-0d1e-4c55-9b1a-0a4f5f0c7d11", value("'6F1C2A54-0d1e-4c55-9b1a-0a4f5f0c7d11'::uuid"))
      assert.equal("2026-03-01", value("'2026-03-01'::date"))
      assert.equal("2026-03-01 12:30:00", value("'2026-03-01 12:30'::timestamp"))
    end)

    it("gives timestamptz as Unix seconds", function()
      assert.equal(0, value("'1970-01-01 00:00:00+00'::timestamptz"))
      assert.equal(1772355600.25, value("'2026-03-01 12:00:00.25+03'::timestamptz"))
      assert.near(1772355600.123456, value("'2026-03-01 09:00:00.123456+00'::timestamptz"), 1e-6)
      assert.equal(-2208988800, value("'1900-01-01 00:00:00+00'::timestamptz"))
      assert.equal(253402300800, value("'10000-01-01 00:00:00+00'::timestamptz"))
      assert.equal(math.huge, value("'infinity'::timestamptz"))
      assert.equal(-math.huge, value("'-infinity'::timestamptz"))
      for _, text in ipairs { "0044-03-15 12:00:00+00 BC", "1582-10-15 00:00:00+00", "2024-02-29 23:59:59.999999+00" } do
        assert.equal(value("extract(epoch FROM $1::timestamptz)::float8", text), value("$1::timestamptz", text))
      end
    end)

    it("gives bytes, JSON and NULL", function()
      assert.equal("\0\1\255", value("'\\x0001ff'::bytea"))
      assert.equal("", value("''::bytea"))
      assert.same({ a = { 1, 2.5, "x" }, b = { c = true } }, value([['{"a":[1,2.5,"x"],"b":{"c":true}}'::jsonb]]))
      assert.equal(host.json.null, value("'null'::json"))
      assert.is_nil(value("NULL"))
    end)

    it("gives arrays as lists, with pg.null for NULL", function()
      assert.same({ 1, 2, 3 }, value("ARRAY[1,2,3]"))
      assert.same({ true, false }, value("ARRAY[true,false]"))
      assert.same({ 'a "b"', "c\\d", "e,f", "{g}", "", "NULL", "ё" },
        value([[ARRAY['a "b"', E'c\\d', 'e,f', '{g}', '', 'NULL', 'ё'] ]]))
      assert.same({ { 1, 2 }, { 3, 4 } }, value("ARRAY[[1,2],[3,4]]"))
      assert.same({ 5, 6 }, value("'[0:1]={5,6}'::int[]"))
      assert.same({ { a = 1 }, { b = "x,y" } }, value([[ARRAY['{"a":1}', '{"b":"x,y"}']::jsonb[] ]]))
      local holes = value("ARRAY[1,NULL,3]")
      assert.equal(pg.null, holes[2])
      assert.equal(3, #holes)
      assert.equal("[]", host.json.encode(value("'{}'::text[]")))
    end)
  end)

  describe("parameters", function()
    it("arrive unchanged", function()
      for _, text in ipairs { "", "O'Brien", 'say "hi"', "back\\slash", "$1; DROP TABLE pg_spec", "ёж 🚚", "\n\t" } do
        assert.equal(text, value("$1::text", text))
      end
      assert.is_true(value("$1::boolean", true))
      assert.is_false(value("$1::boolean", false))
      assert.is_true(value("$1::text IS NULL AND $2::int IS NULL AND $3::text IS NULL", nil, pg.null, nil))
    end)

    it("write integers without exponent and fractions exactly", function()
      assert.equal("100000000000000000", value("$1::text", 1e17))
      assert.equal("-5", value("$1::int4::text", -5))
      assert.equal(0.1 + 0.2, value("$1::float8", 0.1 + 0.2))
      assert.equal(1e300, value("$1::float8", 1e300))
      assert.equal(-math.huge, value("$1::float8", -math.huge))
    end)

    it("carry JSON, bytes and lists", function()
      assert.same({ name = "ё\"'", list = { 1 } }, value("$1", pg.json { name = "ё\"'", list = { 1 } }))
      assert.equal("\0'\\\255", value("$1", pg.bytea "\0'\\\255"))
      local list = { "a", 'b "c"', "d\\e", "f,g", "NULL", "" }
      assert.same(list, value("$1::text[]", pg.array(list)))
      assert.is_true(value("2 = ANY($1::int[])", pg.array { 1, 2, 3 }))
      assert.equal(pg.null, value("$1::int[]", pg.array { 1, pg.null })[2])
      assert.same({}, value("$1::int[]", pg.array {}))
    end)

    it("that make no sense raise and say which", function()
      assert.error_matches(function() pg.query("SELECT $1", {}) end, "parameter %$1 is a table; tables go in pg.json")
      assert.error_matches(function() pg.query("SELECT $1, $2", 1, "a\0b") end, "parameter 2 has a NUL byte")
      assert.error_matches(function() pg.query("SELECT $1", print) end, "parameter %$1 is a function")
      assert.error_matches(function() pg.array { {} } end, "array element 1 is a table")
      assert.error_matches(function() pg.query() end, "string expected")
    end)
  end)

  describe("query and one", function()
    it("give rows in order and how many were touched", function()
      local rows = assert(pg.query("SELECT n, NULL AS nothing FROM generate_series(1, 3) n"))
      assert.equal(3, #rows)
      assert.equal(3, rows.affected)
      assert.same({ n = 2 }, rows[2])
      assert.equal(2, assert(pg.query("INSERT INTO pg_spec (id) VALUES (1), (2)")).affected)
      assert.equal(1, assert(pg.query("DELETE FROM pg_spec WHERE id = $1", 2)).affected)
      assert.equal(0, assert(pg.query("UPDATE pg_spec SET note = 'x' WHERE id = 99")).affected)
    end)

    it("tell an absent row from a failure", function()
      local row, failure = pg.one("SELECT 1 AS n WHERE false")
      assert.is_nil(row)
      assert.is_nil(failure)
      row, failure = pg.one("SELECT nonsense")
      assert.is_nil(row)
      assert.equal("sqlstate_42703", failure.code)
    end)

    it("carry ten thousand rows", function()
      local rows = assert(pg.query("SELECT n, repeat('x', 100) AS text FROM generate_series(1, 10000) n"))
      assert.equal(10000, #rows)
      assert.equal(10000, rows[10000].n)
    end)

    it("name the constraint that refused", function()
      assert(pg.query("INSERT INTO pg_spec (id) VALUES (1)"))
      local rows, failure = pg.query("INSERT INTO pg_spec (id) VALUES (1)")
      assert.is_nil(rows)
      assert.equal("sqlstate_23505", failure.code)
      assert.equal("pg_spec_once", failure.constraint)
      assert.equal("pg", failure.service)
    end)

    it("refuse what belongs elsewhere", function()
      for _, sql in ipairs { "BEGIN", " commit", "-- why\n ROLLBACK", "SAVEPOINT x", "LISTEN x", "COPY pg_spec TO STDOUT" } do
        assert.error_matches(function() pg.query(sql) end, "is not a statement for pg.query")
      end
    end)

    it("stop at the deadline of their task", function()
      local began = host.time.now()
      local done, failure = task.with_deadline(100, function() return pg.query("SELECT pg_sleep(20)") end)
      assert.is_nil(done)
      assert.equal("timeout", failure.code)
      assert.is_true(host.time.now() - began < 5)
    end)

    it("run side by side", function()
      local fns = {}
      for i = 1, 100 do fns[i] = function() return value("$1::int", i) end end
      for i, result in ipairs(task.all(fns)) do assert.equal(i, result[1]) end
    end)
  end)

  describe("transaction", function()
    it("commits and returns what the function returned", function()
      local a, b, c = pg.transaction(function(tx)
        assert(tx:query("INSERT INTO pg_spec (id) VALUES ($1)", 1))
        assert.equal(1, tx:one("SELECT count(*) AS n FROM pg_spec").n)
        assert.equal(0, count "pg_spec") -- others do not see it yet
        return "a", nil, "c"
      end)
      assert.same({ "a", nil, "c" }, { a, b, c })
      assert.equal(1, count "pg_spec")
      assert.is_nil((pg.transaction(function(tx) assert(tx:query("INSERT INTO pg_spec (id) VALUES (2)")) end)))
      assert.equal(2, count "pg_spec")
    end)

    it("rolls back when the function raises, and raises the same", function()
      assert.error_matches(function()
        pg.transaction(function(tx)
          assert(tx:query("INSERT INTO pg_spec (id) VALUES (1)"))
          error("boom 17")
        end)
      end, "boom 17")
      assert.equal(0, count "pg_spec")
    end)

    it("rolls back when the function returns nil and a failure", function()
      local result, failure = pg.transaction(function(tx)
        assert(tx:query("INSERT INTO pg_spec (id) VALUES (1)"))
        return nil, { code = "changed_my_mind" }
      end)
      assert.is_nil(result)
      assert.equal("changed_my_mind", failure.code)
      assert.equal(0, count "pg_spec")
    end)

    it("does not pretend to commit after a failed statement", function()
      local result, failure = pg.transaction(function(tx)
        assert(tx:query("INSERT INTO pg_spec (id) VALUES (1)"))
        tx:query("SELECT 1 / 0")
        return "fine"
      end)
      assert.is_nil(result)
      assert.equal("sqlstate_25P02", failure.code)
      assert.equal(0, count "pg_spec")
    end)

    it("reports what the server finds at commit", function()
      local result, failure = pg.transaction(function(tx)
        assert(tx:query("INSERT INTO pg_spec (id, later) VALUES (1, 5), (2, 5)"))
        return true
      end)
      assert.is_nil(result)
      assert.equal("sqlstate_23505", failure.code)
    end)

    it("knows isolation levels", function()
      for _, level in ipairs { "read committed", "repeatable read", "serializable" } do
        assert.equal(level, pg.transaction(function(tx)
          return tx:one("SELECT current_setting('transaction_isolation') AS level").level
        end, { isolation = level }))
      end
      assert.error_matches(function() pg.transaction(function() end, { isolation = "chaos" }) end, "'isolation' must be")
    end)

    it("writes nothing and tells nobody when it is read-only", function()
      local listening, heard
      local listener = pg.listen("pg_spec_read_only", function(message) listening, heard = true, message or heard end)
      await(function() return listening end)
      local result, failure = pg.transaction(function(tx)
        local rows, why = tx:query("INSERT INTO pg_spec (id) VALUES (1)")
        if not rows then return nil, why end
        return true
      end, { read_only = true })
      assert.is_nil(result)
      assert.equal("sqlstate_25006", failure.code)
      for _, level in ipairs { "read committed", "repeatable read", "serializable" } do
        local told = pg.transaction(function(tx)
          assert(tx:query("SELECT pg_notify('pg_spec_read_only', 'from a read-only one')"))
          return tx:one("SELECT current_setting('transaction_read_only') || ' ' || current_setting('transaction_isolation') AS told").told
        end, { read_only = true, isolation = level })
        assert.equal("on " .. level, told)
      end
      assert(pg.query("SELECT pg_notify('pg_spec_read_only', 'from another')"))
      await(function() return heard end)
      listener:close()
      assert.equal("from another", heard)
      assert.equal(0, count "pg_spec")
    end)

    it("runs on the direct connection when asked", function()
      assert.equal(1, pg.transaction(function(tx) return tx:one("SELECT 1 AS n").n end, { direct = true }))
    end)

    it("keeps its own time limit", function()
      local result, failure = pg.transaction(function(tx)
        local rows, why = tx:query("SELECT pg_sleep(20)")
        if not rows then return nil, why end
        return true
      end, { timeout_ms = 100 })
      assert.is_nil(result)
      assert.equal("timeout", failure.code)
    end)

    it("is over after its end", function()
      local kept
      assert.is_true(pg.transaction(function(tx) kept = tx return true end))
      assert.error_matches(function() kept:query("SELECT 1") end, "transaction has ended")
      assert.error_matches(function() kept:savepoint(function() end) end, "transaction has ended")
    end)

    it("is rolled back when its task dies", function()
      local inside
      local worker = task.spawn(function()
        pg.transaction(function(tx)
          assert(tx:query("INSERT INTO pg_spec (id) VALUES (1)"))
          inside = true
          tx:query("SELECT pg_sleep(20)")
        end)
      end)
      await(function() return inside end)
      task.sleep(20)
      worker:cancel()
      local began = host.time.now()
      assert(pg.query("INSERT INTO pg_spec (id) VALUES (1)")) -- waits for the row of the dead one, and gets it
      assert.is_true(host.time.now() - began < 5)
    end)
  end)

  describe("savepoint", function()
    it("undoes only its own part", function()
      assert.is_true(pg.transaction(function(tx)
        assert(tx:query("INSERT INTO pg_spec (id) VALUES (1)"))
        local ok, failure = tx:savepoint(function(inner)
          assert(inner:query("INSERT INTO pg_spec (id) VALUES (2)"))
          return inner:query("INSERT INTO pg_spec (id) VALUES (1)")
        end)
        assert.is_nil(ok)
        assert.equal("sqlstate_23505", failure.code)
        assert.error_matches(function()
          tx:savepoint(function(inner)
            assert(inner:query("INSERT INTO pg_spec (id) VALUES (3)"))
            error("inner boom")
          end)
        end, "inner boom")
        assert.equal("kept", tx:savepoint(function(inner)
          assert(inner:query("INSERT INTO pg_spec (id) VALUES (4)"))
          return "kept"
        end))
        return true
      end))
      assert.equal("1,4", value("(SELECT string_agg(id::text, ',' ORDER BY id) FROM pg_spec)"))
    end)

    it("nests", function()
      assert.is_true(pg.transaction(function(tx)
        return tx:savepoint(function(outer)
          assert(outer:query("INSERT INTO pg_spec (id) VALUES (1)"))
          outer:savepoint(function(inner)
            assert(inner:query("INSERT INTO pg_spec (id) VALUES (2)"))
            return nil, { code = "no" }
          end)
          return true
        end)
      end))
      assert.equal(1, count "pg_spec")
    end)

    it("saves a transaction whose inner failure went unnoticed", function()
      assert.is_true(pg.transaction(function(tx)
        local ok, failure = tx:savepoint(function(inner)
          inner:query("SELECT 1 / 0")
          return "fine"
        end)
        assert.is_nil(ok)
        assert.equal("sqlstate_25P02", failure.code)
        assert(tx:query("INSERT INTO pg_spec (id) VALUES (1)"))
        return true
      end))
      assert.equal(1, count "pg_spec")
    end)
  end)

  describe("listen", function()
    it("starts with nil, then gives payloads, until closed", function()
      local heard = {}
      local subscription = pg.listen("pg_spec", function(payload) heard[#heard + 1] = payload or "connected" end)
      await(function() return heard[1] == "connected" end)
      assert(pg.query("SELECT pg_notify('pg_spec', 'привет')"))
      await(function() return heard[2] end)
      assert.equal("привет", heard[2])
      subscription:close()
      subscription:close()
      assert(pg.query("SELECT pg_notify('pg_spec', 'late')"))
      task.sleep(50)
      assert.equal(2, #heard)
    end)

    it("tells when its connection was made again", function()
      local connected = 0
      local subscription = pg.listen("pg_spec", function(payload) if not payload then connected = connected + 1 end end)
      await(function() return connected == 1 end)
      pg.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()")
      await(function() return connected == 2 end)
      subscription:close()
    end)
  end)

  it("says whether it is up", function() assert.is_true(pg.is_up()) end)
end)
