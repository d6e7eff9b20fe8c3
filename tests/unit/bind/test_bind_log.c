/* host.log as scripts see it, outside and inside of a task. */
#include "lua_state.h"

#include "base/bundle.h"
#include "base/conf.h"
#include "base/file.h"
#include "base/log.h"
#include "net/loop.h"
#include "script/generation.h"

static char *root, *log_path;

static int open_log(void **state)
{
    (void)state;
    root = unit_folder();
    log_path = unit_write(root, "fura.log", "");
    log_open(log_path, LOG_INFO, "test");
    lua_state_open(bind_log_open, &(struct host){0});
    return 0;
}

static int close_log(void **state)
{
    (void)state;
    lua_close(L);
    log_open(NULL, LOG_INFO, "test");
    free(log_path);
    unit_remove_folder(root);
    return 0;
}

static void assert_logged(const char *part)
{
    struct buf text = {0};
    assert_int_equal(file_read(log_path, 1 << 20, &text), R_OK);
    if (!strstr(buf_cstr(&text), part))
        fail_msg("no «%s» in:\n%s", part, text.data);
    buf_free(&text);
}

static void fields_come_sorted_with_their_types(void **state)
{
    (void)state;
    lua_state_run("m.warn('hello', { n = 3, f = 1.5, s = 'a\"', b = true })");
    assert_logged(
        "\"level\":\"warn\",\"message\":\"hello\",\"process\":\"test\",\"b\":true,\"f\":1.5,"
        "\"n\":3,\"s\":\"a\\\"\"}\n");
    lua_state_run("m.info('no fields')");
    assert_logged("\"message\":\"no fields\",\"process\":\"test\"}\n");
}

static void members_of_the_line_are_not_given_twice(void **state)
{
    (void)state;
    lua_state_run("m.info('x', { level = 'mine', message = 'mine' })");
    assert_logged(
        "\"message\":\"x\",\"process\":\"test\",\"level_\":\"mine\",\"message_\":\"mine\"}\n");
}

static void no_field_value_raises(void **state)
{
    (void)state;
    assert_lua(
        "m.info('odd', { t = {}, fn = print, nan = 0 / 0, [5] = 'five',\n"
        "  failure = setmetatable({}, { __tostring = function() return 'redis: closed' end }),\n"
        "  bad = setmetatable({}, { __tostring = function() error 'no' end }) })",
        "");
    assert_logged(
        "\"bad\":\"table\",\"failure\":\"redis: closed\",\"fn\":\"function\",\"nan\":null,"
        "\"t\":\"table\"}\n");
    assert_lua("local many = {} for i = 1, 500 do many['k' .. i] = i end m.info('many', many)", "");
    assert_lua("m.info(nil)", "raised: t:1: bad argument #1 to 'info' (string expected, got nil)");
}

struct build {
    struct loop *loop;
    struct generation *generation;
};

static void on_built(void *owner, struct generation *generation, enum result rc,
                     struct slice problems)
{
    struct build *build = owner;
    if (rc != R_OK)
        fprintf(stderr, "%.*s\n", (int)problems.len, problems.data);
    build->generation = generation;
    loop_stop(build->loop);
}

static void open_host(lua_State *state, void *host)
{
    bind_open_host(state, host);
}

static void on_closed(void *owner)
{
    loop_stop(((struct build *)owner)->loop);
}

static void a_line_inside_a_task_names_it_and_its_request(void **state)
{
    (void)state;
    struct buf problems = {0};
    struct conf *conf = NULL;
    struct bundle *bundle = NULL;
    struct conf_source source = {.root = root};
    free(unit_write(root, "conf/default.lua", "return {}"));
    free(unit_write(root, "lua/init.lua",
                    "return { routes = {}, dispatch = function() end,\n"
                    "  start = function() host.log.info('from a task', { n = 1 }) end,\n"
                    "  speak = function() host.log.info('from a request') end }"));
    assert_int_equal(conf_load(&source, &conf, &problems), R_OK);
    assert_int_equal(bundle_read(&source, conf, &bundle, &problems), R_OK);

    struct build build = {.loop = loop_new()};
    struct host host = {.loop = build.loop, .conf = conf, .role = "test"};
    generation_build(&(struct generation_recipe){.number = 1,
                                                 .bundle = bundle,
                                                 .loop = build.loop,
                                                 .open_host = open_host,
                                                 .open_host_owner = &host,
                                                 .build_timeout_ms = 5000},
                     on_built, &build);
    loop_run(build.loop);
    assert_non_null(build.generation);
    assert_logged("\"message\":\"from a task\",\"process\":\"test\",\"n\":1,\"task\":\"boot\"}\n");
    generation_push_member(build.generation, "speak");
    task_spawn(build.generation, generation_lua(build.generation), 0,
               &(struct task_spec){.label = "GET /x", .log_id = SLICE("req-1")});
    assert_logged(
        "\"from a request\",\"process\":\"test\",\"request_id\":\"req-1\",\"task\":\"GET /x\"}\n");
    generation_retire(build.generation, 0, on_closed, &build);
    loop_run(build.loop);
    loop_free(build.loop);
    conf_free(conf);
    buf_free(&problems);
}

int main(void)
{
#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, open_log, close_log)
    const struct CMUnitTest tests[] = {
        LOG_TEST(fields_come_sorted_with_their_types),
        LOG_TEST(members_of_the_line_are_not_given_twice),
        LOG_TEST(no_field_value_raises),
        LOG_TEST(a_line_inside_a_task_names_it_and_its_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
