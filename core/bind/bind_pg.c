/* bind_pg.c: host.pg: statements, and notifications. Transactions are in bind_pg_tx.c, value forms in
 * bind_pg_types.c. */
#include "bind/bind_pg.h"
#include "bind/bind_subscription.h"
#include "script/generation.h"
#include "script/task.h"
#include "script/wait.h"

#include <ctype.h>

/* ---- statements ---- */

int bind_pg_failure(lua_State *L, const struct failure *why)
{
    bind_failure_of(L, why, "pg");
    const char *constraint = pgsql_constraint(why);
    if (constraint[0]) {
        lua_pushstring(L, constraint);
        lua_setfield(L, -2, "constraint");
    }
    return 2;
}

static const struct {
    const char *word, *advice;
} refused[] = {
    {"begin", "use pg.transaction"},    {"start", "use pg.transaction"},
    {"commit", "use pg.transaction"},   {"end", "use pg.transaction"},
    {"rollback", "use pg.transaction"}, {"abort", "use pg.transaction"},
    {"savepoint", "use tx:savepoint"},  {"release", "use tx:savepoint"},
    {"listen", "use pg.listen"},        {"unlisten", "use pg.listen"},
    {"copy", "COPY is not available"},
};

static const char *skip_blank(const char *at)
{
    for (;;) {
        while (isspace((unsigned char)*at))
            at++;
        if (at[0] != '-' || at[1] != '-')
            return at;
        at += strcspn(at, "\n");
    }
}

struct slice bind_pg_check_sql(lua_State *L, int index)
{
    struct slice sql = bind_check_slice(L, index);
    const char *word = skip_blank(sql.data);
    size_t len = 0;
    while (isalpha((unsigned char)word[len]))
        len++;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (slice_ieq(slice_of(word, len), slice_cstr(refused[i].word)))
            luaL_error(L, "%s is not a statement for pg.query: %s", refused[i].word,
                       refused[i].advice);
    if (memchr(sql.data, '\0', sql.len))
        luaL_error(L, "the SQL text has a NUL byte");
    return sql;
}

struct conversion {
    const struct pgsql_result *result;
    void (*push)(lua_State *L, const struct pgsql_result *result);
};

static int l_convert(lua_State *L)
{
    const struct conversion *conversion = lua_touserdata(L, 1);
    conversion->push(L, conversion->result);
    return 1;
}

/* On the main state and protected: a parked coroutine is no place to call, or to raise. */
static int push_converted(lua_State *co, const struct task *task, struct conversion *conversion)
{
    lua_State *L = generation_lua(task_generation(task));
    lua_pushcfunction(L, l_convert);
    lua_pushlightuserdata(L, conversion);
    if (lua_pcall(L, 1, 1, 0) == 0) {
        lua_xmove(L, co, 1);
        return 1;
    }
    bind_failure_text(co, "invalid", "pg", lua_tostring(L, -1));
    lua_pop(L, 1);
    return 2;
}

static void finish(struct wait *wait, enum result rc, struct conversion *conversion,
                   const struct failure *why)
{
    lua_State *co = wait_lua(wait);
    int n = 0;
    if (co)
        n = rc == R_OK ? push_converted(co, wait_task(wait), conversion) : bind_pg_failure(co, why);
    wait_finish(wait, n);
}

void bind_pg_on_rows(void *owner, enum result rc, const struct pgsql_result *result,
                     const struct failure *why)
{
    struct conversion conversion = {result, bind_pg_push_rows};
    finish(owner, rc, &conversion, why);
}

void bind_pg_on_first(void *owner, enum result rc, const struct pgsql_result *result,
                      const struct failure *why)
{
    struct conversion conversion = {result, bind_pg_push_first};
    finish(owner, rc, &conversion, why);
}

static unsigned query_max_ms; /* one setting a process */

unsigned bind_pg_timeout_ms(const struct task *task)
{
    return task_timeout_ms(task, query_max_ms);
}

static int query(lua_State *L, pgsql_done *done)
{
    struct host *host = lua_touserdata(L, lua_upvalueindex(1));
    struct slice sql = bind_pg_check_sql(L, 1);
    unsigned count;
    struct pgsql_param *params = bind_pg_params(L, 2, &count);
    struct wait *wait = wait_begin(L, "pg");
    unsigned timeout_ms = bind_pg_timeout_ms(wait_task(wait));
    enum result rc = pgsql_query(host->pgsql, sql, params, count, timeout_ms, done, wait);
    if (rc != R_OK) {
        wait_abandon(wait);
        return bind_failure(L, rc, "pg");
    }
    return wait_yield(L, wait);
}

static int l_query(lua_State *L)
{
    return query(L, bind_pg_on_rows);
}

static int l_one(lua_State *L)
{
    return query(L, bind_pg_on_first);
}

static int l_is_up(lua_State *L)
{
    struct host *host = lua_touserdata(L, lua_upvalueindex(1));
    lua_pushboolean(L, pgsql_is_up(host->pgsql));
    return 1;
}

/* ---- notifications ---- */

static void stop_listening(void *listener)
{
    pgsql_unlisten(listener);
}

static const struct bind_subscription_kind notices = {
    .class_name = "fura.pg.subscription", .label = "pg.listen", .stop = stop_listening};

static int l_listen(lua_State *L)
{
    struct host *host = lua_touserdata(L, lua_upvalueindex(1));
    const char *channel = luaL_checkstring(L, 1);
    luaL_argcheck(L, channel[0] && strlen(channel) < 64, 1, "a channel name of 1 to 63 bytes");
    struct bind_subscription *subscription = bind_subscription_push(L, &notices);
    struct pgsql *pgsql = host->pgsql_direct ? host->pgsql_direct : host->pgsql;
    bind_subscription_from(subscription,
                           pgsql_listen(pgsql, channel, bind_subscription_message, subscription));
    return 1;
}

/* ---- opening ---- */

static const luaL_Reg functions[] = {
    {"query", l_query},  {"one", l_one},        {"listen", l_listen},  {"is_up", l_is_up},
    {"json", l_pg_json}, {"bytea", l_pg_bytea}, {"array", l_pg_array}, {NULL, NULL},
};

static int l_absent(lua_State *L)
{
    return bind_failure_text(L, "unavailable", "pg", "DATABASE_URL is not set");
}

static int l_absent_is_up(lua_State *L)
{
    lua_pushboolean(L, 0);
    return 1;
}

/* Without a database every call fails as if it were away, so that nobody needs a second way to ask. */
static void open_absent(lua_State *L)
{
    static const luaL_Reg absent[] = {
        {"query", l_absent},  {"one", l_absent},         {"transaction", l_absent},
        {"listen", l_absent}, {"is_up", l_absent_is_up}, {NULL, NULL},
    };
    bind_pg_types_open(L);
    bind_module(L, absent, NULL);
    bind_push_null(L);
    lua_setfield(L, -2, "null");
    lua_pushcfunction(L, l_pg_json);
    lua_setfield(L, -2, "json");
    lua_pushcfunction(L, l_pg_bytea);
    lua_setfield(L, -2, "bytea");
    lua_pushcfunction(L, l_pg_array);
    lua_setfield(L, -2, "array");
}

void bind_pg_open(lua_State *L, struct host *host)
{
    query_max_ms = host->query_timeout_ms;
    if (!host->pgsql) {
        open_absent(L);
        return;
    }
    bind_subscription_class(L, &notices);
    bind_pg_types_open(L);
    bind_module(L, functions, host);
    bind_push_null(L);
    lua_setfield(L, -2, "null");
    bind_pg_tx_open(L, host);
}
