/* test_bind_pg.c: what host.pg owes a script whose task, generation or server ends in the middle. The value forms
 * and the rest of the API are in tests/spec/host/pg_spec.lua. */
#include "bind/bind.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/pgsql.h"
#include "script/generation.h"
#include "script/generation_tasks.h"
#include "support/patience.h"
#include "support/postgres_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct postgres_server *server;
static struct loop *loop;
static struct host host;
static struct generation *generation;
static char root[64];

/* ---- a generation with host.pg, host.json and host.task ---- */

static void open_host(lua_State *L, void *owner)
{
    lua_newtable(L);
    bind_json_open(L, owner);
    lua_setfield(L, -2, "json");
    bind_task_open(L, owner);
    lua_setfield(L, -2, "task");
    bind_pg_open(L, owner);
    lua_setfield(L, -2, "pg");
}

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static void make_folder(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", root, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static struct bundle *read_bundle(void)
{
    struct conf_source source = {.root = root};
    struct bundle *bundle = NULL;
    struct conf *conf = NULL;
    struct buf problems = {0};
    assert_int_equal(conf_load(&source, &conf, &problems), R_OK);
    assert_int_equal(bundle_read(&source, conf, &bundle, &problems), R_OK);
    conf_free(conf);
    buf_free(&problems);
    return bundle;
}

static void on_built(void *owner, struct generation *built, enum result rc, struct slice problems)
{
    (void)owner;
    if (rc != R_OK)
        print_error("%.*s\n", (int)problems.len, problems.data);
    generation = built;
    loop_stop(loop);
}

static void build_generation(void)
{
    struct generation_recipe recipe = {.number = 1,
                                       .bundle = read_bundle(),
                                       .loop = loop,
                                       .open_host = open_host,
                                       .open_host_owner = &host,
                                       .tooling = true,
                                       .build_timeout_ms = 5000};
    generation_build(&recipe, on_built, NULL);
    loop_run(loop);
    assert_non_null(generation);
}

/* ---- running Lua and waiting for things ---- */

struct run {
    bool ended;
    enum result rc;
    char text[512]; /* what it returned, or its error */
    struct task *task;
};

static void on_end(void *owner, struct task *task, const struct task_end *end)
{
    struct run *run = owner;
    (void)task;
    run->ended = true;
    run->rc = end->rc;
    const char *text = end->rc == R_REJECTED                 ? end->error
                       : end->rc == R_OK && end->results > 0 ? lua_tostring(end->co, 1)
                                                             : NULL;
    snprintf(run->text, sizeof run->text, "%s", text ? text : "");
}

static void start(struct run *run, const char *code)
{
    lua_State *L = generation_lua(generation);
    struct task_spec spec = {.label = "test", .on_end = on_end, .owner = run};
    *run = (struct run){0};
    if (luaL_loadbuffer(L, code, strlen(code), "=test") != 0)
        fail_msg("%s", lua_tostring(L, -1));
    run->task = task_spawn(generation, L, 0, &spec);
}

static bool has_ended(const void *of)
{
    return ((const struct run *)of)->ended;
}

static bool is_gone(const void *of)
{
    return *(const bool *)of;
}

static bool is_down(const void *of)
{
    return !pgsql_is_up(of);
}

static bool is_up(const void *of)
{
    return pgsql_is_up(of);
}

static bool is_quiet(const void *of)
{
    unsigned idle, busy, waiting;
    pgsql_stats(of, &idle, &busy, &waiting);
    return idle > 0 && busy == 0 && waiting == 0;
}

static bool server_says_true(const void *of)
{
    return postgres_server_ask(server, of)[0] == 't';
}

static const char *finish(struct run *run, const char *code)
{
    start(run, code);
    patience_until(loop, has_ended, run);
    if (run->rc != R_OK)
        print_error("%s\n", run->text);
    assert_int_equal(run->rc, R_OK);
    return run->text;
}

static void on_closed(void *owner)
{
    *(bool *)owner = true;
}

static void retire(int64_t within_ms)
{
    bool closed = false;
    generation_retire(generation, clock_monotonic_ms() + within_ms, on_closed, &closed);
    patience_until(loop, is_gone, &closed);
    generation = NULL;
}

/* ---- tests ---- */

#define SLEEPING                                                                                   \
    "SELECT count(*) = 1 FROM pg_stat_activity WHERE state = 'active'"                             \
    " AND query LIKE '%pg_sleep(25)%' AND pid <> pg_backend_pid()"
#define NOT_SLEEPING                                                                               \
    "SELECT count(*) = 0 FROM pg_stat_activity WHERE state = 'active'"                             \
    " AND query LIKE '%pg_sleep(25)%' AND pid <> pg_backend_pid()"

static void a_cancelled_task_gives_its_transaction_back_rolled_back(void **state)
{
    (void)state;
    struct run run, next;
    postgres_server_ask(server, "CREATE TABLE kept (id int)");
    start(&run, "host.pg.transaction(function(tx)"
                "  assert(tx:query('INSERT INTO kept VALUES (1)'))"
                "  tx:query('SELECT pg_sleep(25)')"
                "end)");
    patience_until(loop, server_says_true, SLEEPING);
    task_cancel(run.task, R_CANCELLED);
    assert_true(run.ended);
    patience_until(loop, server_says_true, NOT_SLEEPING);
    patience_until(loop, is_quiet, host.pgsql);
    assert_string_equal(finish(&next, "return host.pg.one('SELECT count(*) AS n FROM kept').n"),
                        "0");
}

static void a_task_cancelled_while_it_waits_for_a_connection_leaks_none(void **state)
{
    (void)state;
    struct run holders[2], waiting;
    for (int i = 0; i < 2; i++)
        start(&holders[i],
              "host.pg.transaction(function(tx) tx:query('SELECT pg_sleep(0.2)') end)");
    start(&waiting, "host.pg.transaction(function(tx) end)");
    task_cancel(waiting.task, R_CANCELLED);
    patience_until(loop, has_ended, &holders[0]);
    patience_until(loop, has_ended, &holders[1]);
    patience_until(loop, is_quiet, host.pgsql);
}

static void a_closing_generation_takes_its_statements_along(void **state)
{
    (void)state;
    struct run query, transaction;
    start(&query, "host.pg.query('SELECT pg_sleep(25)')");
    start(&transaction, "host.pg.transaction(function(tx) host.task.sleep(60000) end)");
    patience_until(loop, server_says_true, SLEEPING);
    retire(10);
    assert_int_equal(query.rc, R_CANCELLED);
    assert_int_equal(transaction.rc, R_CANCELLED);
}

static void a_retired_generation_hears_nothing_more(void **state)
{
    (void)state;
    struct run run;
    finish(&run, "heard = 0;"
                 "host.pg.listen('retired', function() heard = heard + 1 end);"
                 "while heard == 0 do host.task.sleep(5) end");
    retire(1000);
    patience_until(loop, server_says_true,
                   "SELECT count(*) = 1 FROM pg_stat_activity"
                   " WHERE query LIKE 'UNLISTEN%' AND pid <> pg_backend_pid()");
}

static void a_server_that_went_away_is_a_failure_and_comes_back(void **state)
{
    (void)state;
    struct run lost, refused, after;
    start(&lost, "local ok, failure = host.pg.transaction(function(tx)"
                 "  local rows, why = tx:query('SELECT pg_sleep(25)')"
                 "  assert(rows == nil and why.code == 'closed', why.code)"
                 "  rows, why = tx:query('SELECT 1')"
                 "  assert(rows == nil and why.code == 'closed', why.code)"
                 "  return 'done'"
                 "end)"
                 "assert(ok == nil and failure.code == 'closed', failure and failure.code)");
    patience_until(loop, server_says_true, SLEEPING);
    postgres_server_kill(server);
    patience_until(loop, has_ended, &lost);
    assert_string_equal(lost.text, "");
    assert_int_equal(lost.rc, R_OK);
    patience_until(loop, is_down, host.pgsql);
    finish(&refused, "local row, failure = host.pg.one('SELECT 1 AS n')"
                     "assert(row == nil and failure.service == 'pg', 'no failure')"
                     "assert(failure.code == 'unavailable', failure.code)");
    postgres_server_resume(server);
    patience_until(loop, is_up, host.pgsql);
    assert_string_equal(finish(&after, "return host.pg.one('SELECT 1 AS n').n"), "1");
}

static void waiting_calls_outside_a_task_raise(void **state)
{
    (void)state;
    lua_State *L = generation_lua(generation);
    assert_int_equal(luaL_dostring(L, "host.pg.query('SELECT 1')"), 1);
    assert_non_null(strstr(lua_tostring(L, -1), "needs a task"));
    lua_pop(L, 1);
}

/* ---- frame ---- */

static int set_up(void **state)
{
    struct failure why;
    (void)state;
    loop = loop_new();
    struct pgsql_options options = {.url = postgres_server_url(server),
                                    .pool_size = 2,
                                    .max_waiting = 100,
                                    .connect_timeout_ms = 3000,
                                    .application_name = "fura-test"};
    host = (struct host){.loop = loop, .role = "test", .query_timeout_ms = 5000};
    assert_int_equal(pgsql_open(loop, &options, &host.pgsql, &why), R_OK);
    build_generation();
    patience_until(loop, is_up, host.pgsql);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (generation)
        retire(1000);
    pgsql_close(host.pgsql);
    task_drop_pool();
    loop_free(loop);
    return 0;
}

static int start_all(void **state)
{
    (void)state;
    log_open(NULL, LOG_ERROR, "test");
    server = postgres_server_start(NULL);
    snprintf(root, sizeof root, "/tmp/fura-bind-XXXXXX");
    assert_non_null(mkdtemp(root));
    make_folder("conf");
    make_folder("lua");
    put("conf/default.lua", "return { timezone = 'UTC' }");
    put("lua/init.lua", "return {}");
    return 0;
}

static int end_all(void **state)
{
    char command[128];
    (void)state;
    postgres_server_end(server);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cancelled_task_gives_its_transaction_back_rolled_back),
        TEST(a_task_cancelled_while_it_waits_for_a_connection_leaks_none),
        TEST(a_closing_generation_takes_its_statements_along),
        TEST(a_retired_generation_hears_nothing_more),
        TEST(a_server_that_went_away_is_a_failure_and_comes_back),
        TEST(waiting_calls_outside_a_task_raise),
    };
    return cmocka_run_group_tests(tests, start_all, end_all);
}
