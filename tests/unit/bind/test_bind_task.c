/* host.task inside a generation: what is spawned while it is built, and what nobody waits for. */
#include "../base/unit.h"

#include "base/bundle.h"
#include "base/conf.h"
#include "bind/bind.h"
#include "net/loop.h"
#include "script/generation.h"
#include "script/generation_tasks.h"

enum { PATIENCE_MS = 10000 };

struct build {
    char *root;
    struct conf *conf;
    struct host host;
    struct loop *loop;
    struct loop_timer *patience;
    struct generation *generation;
    bool told;
};

static void on_built(void *owner, struct generation *generation, enum result rc,
                     struct slice problems)
{
    struct build *build = owner;
    if (rc != R_OK)
        fprintf(stderr, "%.*s\n", (int)problems.len, problems.data);
    build->generation = generation;
    build->told = true;
    loop_stop(build->loop);
}

static void open_host(lua_State *L, void *host)
{
    bind_open_host(L, host);
}

static void stop(void *owner)
{
    loop_stop(((struct build *)owner)->loop);
}

/* The generation of this init.lua; it lasts until let_go(). */
static struct build *build(const char *init)
{
    struct build *build = mem_new(struct build);
    struct buf problems = {0};
    struct bundle *bundle = NULL;
    build->root = unit_folder();
    struct conf_source source = {.root = build->root};
    free(unit_write(build->root, "conf/default.lua", "return {}"));
    free(unit_write(build->root, "lua/init.lua", init));
    assert_int_equal(conf_load(&source, &build->conf, &problems), R_OK);
    assert_int_equal(bundle_read(&source, build->conf, &bundle, &problems), R_OK);
    buf_free(&problems);

    build->loop = loop_new();
    build->host = (struct host){.loop = build->loop, .conf = build->conf, .role = "test"};
    build->patience = loop_timer_new(build->loop, stop, build);
    loop_timer_start(build->patience, PATIENCE_MS);
    generation_build(&(struct generation_recipe){.number = 1,
                                                 .bundle = bundle,
                                                 .loop = build->loop,
                                                 .open_host = open_host,
                                                 .open_host_owner = &build->host,
                                                 .build_timeout_ms = 5000},
                     on_built, build);
    loop_run(build->loop);
    assert_true(build->told);
    assert_non_null(build->generation);
    return build;
}

static void let_go(struct build *build)
{
    generation_retire(build->generation, 0, stop, build);
    loop_run(build->loop);
    task_drop_pool();
    loop_timer_free(build->patience);
    loop_free(build->loop);
    conf_free(build->conf);
    unit_remove_folder(build->root);
    free(build);
}

/* `b` is awaited by the start and by a task of its own: both go on in the same turn of the loop, the start first. */
static void a_task_that_fails_as_the_start_ends_does_not_swallow_the_verdict(void **state)
{
    (void)state;
    let_go(build("return { routes = {}, dispatch = function() end, start = function()\n"
                 "  local b = host.task.spawn(function() host.task.sleep(1) end)\n"
                 "  host.task.spawn(function() b:join() error('too late to matter') end)\n"
                 "  b:join()\n"
                 "end }"));
}

static void on_counted(void *owner, struct task *task, const struct task_end *end)
{
    (void)task;
    assert_int_equal(end->rc, R_OK);
    *(int *)owner = (int)lua_tointeger(end->co, 1);
}

/* Clients leave and deadlines pass while upstream is slow: then nobody takes what the flight brings. */
static void what_a_flight_brings_is_not_kept_when_nobody_waits_any_more(void **state)
{
    int kept = -1;
    (void)state;
    struct build *built =
        build("local brought, ended = setmetatable({}, { __mode = 'k' }), false\n"
              "return { routes = {}, dispatch = function() end, start = function()\n"
              "  host.task.with_deadline(1, function()\n"
              "    host.task.single_flight('list', function()\n"
              "      host.task.sleep(20)\n"
              "      local list = {}\n"
              "      brought[list], ended = true, true\n"
              "      return list\n"
              "    end)\n"
              "  end)\n"
              "  while not ended do host.task.sleep(1) end\n"
              "end, count = function() local n = 0 for _ in pairs(brought) do n = n + 1 end return "
              "n end }");
    lua_State *L = generation_lua(built->generation);
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
    generation_push_member(built->generation, "count");
    task_spawn(built->generation, L, 0,
               &(struct task_spec){.label = "count", .on_end = on_counted, .owner = &kept});
    assert_int_equal(kept, 0);
    let_go(built);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_that_fails_as_the_start_ends_does_not_swallow_the_verdict),
        cmocka_unit_test(what_a_flight_brings_is_not_kept_when_nobody_waits_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
