/* host.config as scripts see it. */
#include "lua_state.h"

#include "base/conf.h"

static char *root;
static struct conf *conf;

static int open_config(void **state)
{
    (void)state;
    struct buf problems = {0};
    root = unit_folder();
    free(unit_write(root, "conf/default.lua",
                    "return {\n http = { max_headers = 50 },\n"
                    " plugins = { cors = { origins = { 'a' } } } }"));
    unsetenv("DATABASE_URL");
    unsetenv("FURA_ENV");
    assert_int_equal(conf_load(&(struct conf_source){.root = root}, &conf, &problems), R_OK);
    lua_state_open(bind_config_open, &(struct host){.conf = conf});
    return 0;
}

static int close_config(void **state)
{
    (void)state;
    lua_close(L);
    conf_free(conf);
    unit_remove_folder(root);
    return 0;
}

static void settings_are_nested_tables(void **state)
{
    (void)state;
    assert_lua("return m.http.max_headers, m.env, m.http.access_log, m.development.watch",
               "50 development true true");
    assert_lua("return m.tls_cert, m.database.url, m.plugins.cors.origins[1]", "nil nil a");
}

static void unknown_settings_raise_with_the_nearest_one(void **state)
{
    (void)state;
    assert_lua("return m.http.max_header_byte",
               "raised: t:1: there is no setting 'http.max_header_byte' (did you mean "
               "'http.max_header_bytes'?)");
    assert_lua("return m.quite_different_indeed",
               "raised: t:1: there is no setting 'quite_different_indeed'");
    assert_lua("return m[1]", "raised: t:1: there is no setting 'number'");
}

static void nothing_can_be_changed(void **state)
{
    (void)state;
    const char *refused =
        "raised: t:1: settings cannot be changed here: edit the conf file and reload";
    assert_lua("m.env = 'production'", refused);
    assert_lua("m.http.max_headers = 1", refused);
    assert_lua("m.http.new = 1", refused);
    assert_lua("setmetatable(m, nil)", "raised: t:1: cannot change a protected metatable");
    assert_lua("m.plugins.cors.origins[1] = 'evil' return m.plugins.cors.origins[1]", "a");
}

static void origins_can_be_asked(void **state)
{
    (void)state;
    assert_lua("return m('http.max_headers'), m('plugins.cors.origins'), m('env')",
               "conf/default.lua:2 conf/default.lua:3 default");
    assert_lua("m('no.such.key')", "raised: t:1: there is no setting 'no.such.key'");
}

int main(void)
{
#define CONFIG_TEST(test) cmocka_unit_test_setup_teardown(test, open_config, close_config)
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(settings_are_nested_tables),
        CONFIG_TEST(unknown_settings_raise_with_the_nearest_one),
        CONFIG_TEST(nothing_can_be_changed),
        CONFIG_TEST(origins_can_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
