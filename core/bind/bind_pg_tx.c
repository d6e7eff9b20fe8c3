/* bind_pg_tx.c: transactions of host.pg: a leased connection held by the task that began it. The part that runs the
 * script's function is in bind_pg.lua. */
#include "bind/bind_pg.h"
#include "base/clock.h"
#include "base/mem.h"
#include "script/task.h"
#include "script/wait.h"
#include "bind_pg.lua.h"

#include <stdio.h>
#include <stdlib.h>

static const char transaction_meta[] = "fura.pg.transaction";

/* A userdata. */
struct transaction {
    struct pgsql_lease *lease; /* NULL once it ended */
    struct task_cleanup cleanup;
    int64_t deadline_ms; /* 0 = the task's alone */
    unsigned savepoints;
    bool read_only;
};

/* Whatever is open is rolled back: a committed transaction has nothing open. */
static void end_transaction(void *owner)
{
    struct transaction *tx = owner;
    if (!tx->lease)
        return;
    task_defer_remove(&tx->cleanup);
    pgsql_lease_end(tx->lease);
    tx->lease = NULL;
}

static struct transaction *check_transaction(lua_State *L)
{
    struct transaction *tx = luaL_checkudata(L, 1, transaction_meta);
    if (!tx->lease)
        luaL_error(L, "this transaction has ended");
    return tx;
}

/* ---- beginning ---- */

struct opening {
    struct wait *wait;
    struct pgsql_lease *lease;
    const char *sql;
    int64_t deadline_ms;
    bool read_only;
};

static unsigned timeout_ms(const struct task *task, int64_t deadline_ms)
{
    unsigned left = bind_pg_timeout_ms(task);
    int64_t own = deadline_ms - clock_monotonic_ms();
    if (deadline_ms == 0 || own >= left)
        return left;
    return own > 1 ? (unsigned)own : 1;
}

static void push_transaction(lua_State *L, const struct opening *opening)
{
    struct transaction *tx = lua_newuserdata(L, sizeof *tx);
    *tx = (struct transaction){.lease = opening->lease,
                               .deadline_ms = opening->deadline_ms,
                               .read_only = opening->read_only};
    tx->cleanup.undo = end_transaction;
    tx->cleanup.owner = tx;
    luaL_getmetatable(L, transaction_meta);
    lua_setmetatable(L, -2);
    task_defer(wait_task(opening->wait), &tx->cleanup);
}

static void end_opening(struct opening *opening, int results)
{
    struct wait *wait = opening->wait;
    free(opening);
    wait_finish(wait, results);
}

static void on_begun(void *owner, enum result rc, const struct pgsql_result *result,
                     const struct failure *why)
{
    struct opening *opening = owner;
    lua_State *L = wait_lua(opening->wait);
    int n = 0;
    (void)result;
    if (L && rc == R_OK) {
        push_transaction(L, opening);
        n = 1;
    } else {
        pgsql_lease_end(opening->lease);
        n = L ? bind_pg_failure(L, why) : 0;
    }
    end_opening(opening, n);
}

static void on_granted(void *owner, enum result rc, struct pgsql_lease *lease,
                       const struct failure *why)
{
    struct opening *opening = owner;
    lua_State *L = wait_lua(opening->wait);
    if (rc != R_OK) {
        end_opening(opening, L ? bind_pg_failure(L, why) : 0);
        return;
    }
    opening->lease = lease;
    if (L) {
        unsigned left = timeout_ms(wait_task(opening->wait), opening->deadline_ms);
        rc = pgsql_lease_query(lease, slice_cstr(opening->sql), NULL, 0, left, on_begun, opening);
        if (rc == R_OK)
            return;
    }
    pgsql_lease_end(lease);
    end_opening(opening, L ? bind_failure(L, rc, "pg") : 0);
}

static const struct {
    const char *name, *sql, *read_only_sql;
} isolations[] = {
    {"", "BEGIN", "BEGIN READ ONLY"},
    {"read committed", "BEGIN ISOLATION LEVEL READ COMMITTED",
     "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"},
    {"repeatable read", "BEGIN ISOLATION LEVEL REPEATABLE READ",
     "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
    {"serializable", "BEGIN ISOLATION LEVEL SERIALIZABLE",
     "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"},
};

static const char *check_isolation(lua_State *L, struct slice name, bool read_only)
{
    for (size_t i = 0; i < sizeof isolations / sizeof *isolations; i++)
        if (i == 0 ? !name.data : slice_eq(name, slice_cstr(isolations[i].name)))
            return read_only ? isolations[i].read_only_sql : isolations[i].sql;
    luaL_error(L, "option 'isolation' must be \"read committed\", \"repeatable read\" or"
                  " \"serializable\"");
    return NULL;
}

/* begin(options) -> transaction | nil, failure */
static int l_begin(lua_State *L)
{
    struct host *host = lua_touserdata(L, lua_upvalueindex(1));
    bool read_only = bind_opt_bool(L, 1, "read_only", false);
    const char *sql = check_isolation(L, bind_opt_slice(L, 1, "isolation"), read_only);
    double own_ms = bind_opt_number(L, 1, "timeout_ms", 0);
    bool direct = bind_opt_bool(L, 1, "direct", false) && host->pgsql_direct;
    struct wait *wait = wait_begin(L, "pg");
    struct opening *opening = mem_new(struct opening);
    opening->wait = wait;
    opening->sql = sql;
    opening->read_only = read_only;
    opening->deadline_ms = own_ms > 0 ? clock_monotonic_ms() + (int64_t)own_ms : 0;
    enum result rc =
        pgsql_lease(direct ? host->pgsql_direct : host->pgsql,
                    timeout_ms(wait_task(wait), opening->deadline_ms), on_granted, opening);
    if (rc != R_OK) {
        free(opening);
        wait_abandon(wait);
        return bind_failure(L, rc, "pg");
    }
    return wait_yield(L, wait);
}

/* ---- statements ---- */

static int run(lua_State *L, struct slice sql, pgsql_done *done)
{
    struct transaction *tx = check_transaction(L);
    unsigned count;
    struct pgsql_param *params = bind_pg_params(L, 3, &count);
    struct wait *wait = wait_begin(L, "pg");
    unsigned left = timeout_ms(wait_task(wait), tx->deadline_ms);
    enum result rc = pgsql_lease_query(tx->lease, sql, params, count, left, done, wait);
    if (rc != R_OK) {
        wait_abandon(wait);
        return bind_failure(L, rc, "pg");
    }
    return wait_yield(L, wait);
}

static int l_query(lua_State *L)
{
    return run(L, bind_pg_check_sql(L, 2), bind_pg_on_rows);
}

static int l_one(lua_State *L)
{
    return run(L, bind_pg_check_sql(L, 2), bind_pg_on_first);
}

/* control(tx, sql): SAVEPOINT and its kin. */
static int l_control(lua_State *L)
{
    return run(L, bind_check_slice(L, 2), bind_pg_on_rows);
}

/* savepoint_name(tx): a new one every time, since savepoints nest. */
static int l_savepoint_name(lua_State *L)
{
    struct transaction *tx = check_transaction(L);
    lua_pushfstring(L, "fura_%d", (int)++tx->savepoints);
    return 1;
}

/* ---- ending ---- */

struct closing {
    struct wait *wait;
    struct transaction *tx; /* on the task's stack, so valid while the task lives */
};

/* COMMIT of a transaction with a failed statement succeeds, and says ROLLBACK. */
static int push_commit(lua_State *L, const struct closing *closing, enum result rc,
                       const struct pgsql_result *result, const struct failure *why)
{
    if (rc != R_OK)
        return bind_pg_failure(L, why);
    if (!closing->tx->read_only && !slice_eq(pgsql_command(result), SLICE("COMMIT")))
        return bind_failure_text(
            L, "sqlstate_25P02", "pg",
            "a statement of the transaction failed, so all of it was rolled back");
    lua_pushboolean(L, 1);
    return 1;
}

static void on_committed(void *owner, enum result rc, const struct pgsql_result *result,
                         const struct failure *why)
{
    struct closing *closing = owner;
    struct wait *wait = closing->wait;
    lua_State *L = wait_lua(wait);
    int n = 0;
    if (L) {
        n = push_commit(L, closing, rc, result, why);
        end_transaction(closing->tx);
    }
    free(closing);
    wait_finish(wait, n);
}

static int l_commit(lua_State *L)
{
    struct transaction *tx = check_transaction(L);
    struct wait *wait = wait_begin(L, "pg");
    struct closing *closing = mem_new(struct closing);
    closing->wait = wait;
    closing->tx = tx;
    unsigned left = timeout_ms(wait_task(wait), tx->deadline_ms);
    /* What only reads may still have notified somebody. */
    struct slice sql = tx->read_only ? SLICE("ROLLBACK") : SLICE("COMMIT");
    enum result rc = pgsql_lease_query(tx->lease, sql, NULL, 0, left, on_committed, closing);
    if (rc == R_OK)
        return wait_yield(L, wait);
    free(closing);
    wait_abandon(wait);
    end_transaction(tx);
    return bind_failure(L, rc, "pg");
}

/* abandon(tx): at once; the driver rolls back behind us. */
static int l_abandon(lua_State *L)
{
    end_transaction(luaL_checkudata(L, 1, transaction_meta));
    return 0;
}

/* ---- opening ---- */

static const luaL_Reg primitives[] = {
    {"begin", l_begin},
    {"commit", l_commit},
    {"abandon", l_abandon},
    {"control", l_control},
    {"savepoint_name", l_savepoint_name},
    {NULL, NULL},
};

/* bind_pg.lua(module, methods of transactions, primitives) */
void bind_pg_tx_open(lua_State *L, struct host *host)
{
    int module = lua_gettop(L);
    if (luaL_loadbuffer(L, (const char *)bind_pg_lua, sizeof bind_pg_lua, "=host.pg") != 0)
        lua_error(L);
    lua_pushvalue(L, module);
    luaL_newmetatable(L, transaction_meta);
    lua_pushcfunction(L, l_abandon);
    lua_setfield(L, -2, "__gc");
    bind_hide_metatable(L);
    lua_newtable(L);
    lua_pushcfunction(L, l_query);
    lua_setfield(L, -2, "query");
    lua_pushcfunction(L, l_one);
    lua_setfield(L, -2, "one");
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__index");
    lua_remove(L, -2);
    bind_module(L, primitives, host);
    lua_call(L, 3, 0);
}
