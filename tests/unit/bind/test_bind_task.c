/* host.task inside a generation that is being built: what its start spawned, and what becomes of its verdict. */
#include "../base/unit.h"

#include "base/bundle.h"
#include "base/conf.h"
#include "bind/bind.h"
#include "net/loop.h"
#include "script/generation.h"

enum { PATIENCE_MS = 10000 };

struct build {
    struct loop *loop;
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

/* `b` is awaited by the start and by a task of its own: both go on in the same turn of the loop, the start first. */
static const char init_text[] =
    "return { routes = {}, dispatch = function() end, start = function()\n"
    "  local b = host.task.spawn(function() host.task.sleep(1) end)\n"
    "  host.task.spawn(function() b:join() error('too late to matter') end)\n"
    "  b:join()\n"
    "end }";

static void a_task_that_fails_as_the_start_ends_does_not_swallow_the_verdict(void **state)
{
    char *root = unit_folder();
    struct buf problems = {0};
    struct conf *conf = NULL;
    struct bundle *bundle = NULL;
    struct conf_source source = {.root = root};
    (void)state;
    free(unit_write(root, "conf/default.lua", "return {}"));
    free(unit_write(root, "lua/init.lua", init_text));
    assert_int_equal(conf_load(&source, &conf, &problems), R_OK);
    assert_int_equal(bundle_read(&source, conf, &bundle, &problems), R_OK);

    struct build build = {.loop = loop_new()};
    struct host host = {.loop = build.loop, .conf = conf, .role = "test"};
    struct loop_timer *patience = loop_timer_new(build.loop, stop, &build);
    loop_timer_start(patience, PATIENCE_MS);
    generation_build(&(struct generation_recipe){.number = 1,
                                                 .bundle = bundle,
                                                 .loop = build.loop,
                                                 .open_host = open_host,
                                                 .open_host_owner = &host,
                                                 .build_timeout_ms = 5000},
                     on_built, &build);
    loop_run(build.loop);
    assert_true(build.told);
    assert_non_null(build.generation);

    generation_retire(build.generation, 0, stop, &build);
    loop_run(build.loop);
    loop_timer_free(patience);
    loop_free(build.loop);
    conf_free(conf);
    buf_free(&problems);
    unit_remove_folder(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_that_fails_as_the_start_ends_does_not_swallow_the_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
