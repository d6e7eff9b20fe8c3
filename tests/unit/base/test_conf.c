/* Settings from file and environment, and everything that is said about wrong ones. */
#include "base/conf.h"
#include "base/conf_parts.h"
#include "base/file.h"
#include "unit.h"

#include <lauxlib.h>
#include <lualib.h>

static char *root;
static struct buf problems;
static struct conf *conf;

static const char *const variables[] = {
    "FURA_ENV",       "FURA_DEV_LOGIN",      "FURA_LISTEN",          "FURA_WORKERS",
    "FURA_RUN_DIR",   "DATABASE_URL",        "DATABASE_URL_FILE",    "REDIS_URL",
    "SESSION_SECRET", "SESSION_SECRET_FILE", "FURA_TRUSTED_PROXIES", "FURA_METRICS_LISTEN",
    "GREETING",       "FURA_ADMIN_LISTEN",   "FURA_WORKERS_FILE",
};

static void clear_variables(void)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
}

static int open_root(void **state)
{
    (void)state;
    clear_variables();
    root = unit_folder();
    return 0;
}

static int close_root(void **state)
{
    (void)state;
    conf_free(conf);
    conf = NULL;
    buf_free(&problems);
    unit_remove_folder(root);
    return 0;
}

static enum result load_file(const char *text)
{
    free(unit_write(root, "conf/default.lua", text));
    conf_free(conf);
    conf = NULL;
    buf_clear(&problems);
    return conf_load(&(struct conf_source){.root = root}, &conf, &problems);
}

#define assert_loads(text)                                                                         \
    do {                                                                                           \
        enum result loaded = load_file(text);                                                      \
        assert_string_equal(buf_cstr(&problems), "");                                              \
        assert_int_equal(loaded, R_OK);                                                            \
    } while (0)

#define assert_problems(text, expected)                                                            \
    do {                                                                                           \
        assert_int_equal(load_file(text), R_INVALID);                                              \
        assert_string_equal(buf_cstr(&problems), expected);                                        \
    } while (0)

#define assert_a_problem(text, part)                                                               \
    do {                                                                                           \
        assert_int_equal(load_file(text), R_INVALID);                                              \
        if (!strstr(buf_cstr(&problems), part))                                                    \
            fail_msg("no «%s» in:\n%s", part, problems.data);                                      \
    } while (0)

static void a_small_application(void)
{
    free(unit_write(
        root, "lua/settings.lua",
        "return {\n"
        "  ['session.secret'] = { type = 'list', min_bytes = 32, secret = true, strong = true,\n"
        "    env = 'SESSION_SECRET', required_in_production = true },\n"
        "  ['dev_login'] = { type = 'boolean', default = false, env = 'FURA_DEV_LOGIN',\n"
        "    refused_in_production = true },\n"
        "  ['cache.list_s'] = { type = 'integer', default = 300, min = 1, max = 10000 },\n"
        "  ['cache.key'] = { type = 'base64_32', secret = true },\n"
        "  ['password'] = { type = 'string', env = 'GREETING', secret = true,\n"
        "    environment_only = true },\n"
        "  ['chat'] = { type = 'integer', check = function(value, conf)\n"
        "    if value == 0 then return 'is no chat (in ' .. conf 'env' .. ')' end end,\n"
        "    advise = function(value) if not value then return 'is missing' end end },\n"
        "}\n"));
}

/* ---- what is read ---- */

static void keys_have_defaults_and_the_file_overrides_them(void **state)
{
    (void)state;
    assert_loads(
        "return { http = { max_headers = 50 }, ['redis.max_in_flight'] = '7', log_file = 'x' }");
    assert_int_equal(conf_integer(conf, "http.max_headers"), 50);
    assert_int_equal(conf_integer(conf, "redis.max_in_flight"), 7);
    assert_int_equal(conf_integer(conf, "http.max_url_bytes"), 8192);
    assert_string_equal(conf_string(conf, "listen"), "127.0.0.1:8080");
    assert_string_equal(conf_string(conf, "log_file"), "x");
    assert_null(conf_string(conf, "tls_cert"));
    assert_false(conf_is_production(conf));
    assert_string_equal(conf_origin(conf, "http.max_headers"), "conf/default.lua:1");
    assert_string_equal(conf_origin(conf, "http.max_url_bytes"), "default");
}

static void the_environment_wins(void **state)
{
    (void)state;
    setenv("FURA_LISTEN", "127.0.0.1:1, [::1]:2", 1);
    setenv("FURA_WORKERS", "3", 1);
    setenv("REDIS_URL", "", 1);
    assert_loads("return { listen = '127.0.0.1:9', workers = 1, redis = { url = 'unix:///r' } }");
    assert_string_equal(conf_string(conf, "listen"), "127.0.0.1:1,[::1]:2");
    assert_int_equal(conf_integer(conf, "workers"), 3);
    assert_string_equal(conf_string(conf, "redis.url"), "unix:///r"); /* empty counts as unset */
    assert_string_equal(conf_origin(conf, "workers"), "environment FURA_WORKERS");
}

static void a_variable_may_name_a_file_with_the_value(void **state)
{
    (void)state;
    char *path = unit_write(root, "secret", "postgresql://u:p@h/db\n");
    setenv("DATABASE_URL_FILE", path, 1);
    assert_loads("return {}");
    assert_string_equal(conf_string(conf, "database.url"), "postgresql://u:p@h/db");
    assert_string_equal(conf_string(conf, "database.direct_url"), "postgresql://u:p@h/db");
    setenv("DATABASE_URL", "postgresql://other/db", 1);
    assert_problems("return {}", "environment DATABASE_URL: database.url: is given twice (expected "
                                 "DATABASE_URL or DATABASE_URL_FILE, got both)\n");
    unsetenv("DATABASE_URL");
    setenv("DATABASE_URL_FILE", "/nonexistent", 1);
    assert_a_problem("return {}",
                     "environment DATABASE_URL_FILE: database.url: its file cannot be used");
    free(path);
}

static void a_conf_file_may_use_env_file_and_include(void **state)
{
    (void)state;
    setenv("GREETING", "5", 1);
    free(unit_write(root, "conf/base.lua", "return { workers = 9, http = { max_headers = 60 } }"));
    free(unit_write(root, "conf/level", "warn\n"));
    assert_loads("local c = include 'base.lua'\n"
                 "c.workers = env 'GREETING'\n"
                 "c.log_level = file 'level'\n"
                 "c.timezone = env('MISSING_NAME', 'UTC')\n"
                 "return c\n");
    assert_int_equal(conf_integer(conf, "workers"), 5);
    assert_int_equal(conf_integer(conf, "http.max_headers"), 60);
    assert_string_equal(conf_string(conf, "log_level"), "warn");
    assert_string_equal(conf_string(conf, "timezone"), "UTC");
    assert_string_equal(conf_origin(conf, "workers"), "conf/default.lua:2");
    assert_string_equal(conf_origin(conf, "http.max_headers"), "conf/base.lua:1");
}

static void dotenv_is_read_in_development_only_and_below_the_environment(void **state)
{
    (void)state;
    free(unit_write(root, "conf/.env",
                    "# comment\nexport FURA_WORKERS=4 # four\nREDIS_URL='unix:///from#env'\n"
                    "FURA_RUN_DIR=\"/tmp/a\\\"b\"\n"));
    setenv("REDIS_URL", "redis://real/0", 1);
    assert_loads("return {}");
    assert_int_equal(conf_integer(conf, "workers"), 4);
    assert_string_equal(conf_string(conf, "redis.url"), "redis://real/0");
    assert_string_equal(conf_string(conf, "run_folder"), "/tmp/a\"b");
    assert_string_equal(conf_origin(conf, "workers"), "conf/.env:2");

    assert_loads("return { env = 'production', database = { url = 'postgresql://h/d' } }");
    assert_string_not_equal(conf_origin(conf, "workers"), "conf/.env:2");
    setenv("FURA_ENV", "production", 1);
    assert_loads("return { database = { url = 'postgresql://h/d' } }");
    assert_string_not_equal(conf_string(conf, "run_folder"), "/tmp/a\"b");
}

static void dotenv_mistakes_are_told(void **state)
{
    (void)state;
    free(unit_write(root, "conf/.env", "GOOD=1\nnot a variable\nBAD=\"open\n"));
    assert_problems("return {}",
                    "conf/.env:2: is not understood (expected NAME=value, got something else)\n"
                    "conf/.env:3: is not understood (expected NAME=value, got something else)\n");
    free(unit_write(root, "conf/.env", "FURA_ENV=production\n"));
    assert_a_problem("return {}", "conf/.env: FURA_ENV: may not be production here");
}

static void defaults_that_depend_on_the_machine_are_filled_in(void **state)
{
    (void)state;
    struct buf expected = {0};
    setenv("FURA_RUN_DIR", "/tmp/fura-run", 1);
    assert_loads("return {}");
    assert_true(conf_integer(conf, "workers") >= 1);
    assert_int_equal(conf_integer(conf, "drain_notice_s"), 0);
    assert_string_equal(conf_string(conf, "admin_listen"), "unix:/tmp/fura-run/control.sock");
    unsetenv("FURA_RUN_DIR");
    assert_loads("return { env = 'production', database = { url = 'postgresql://h/d' } }");
    assert_int_equal(conf_integer(conf, "drain_notice_s"), 3);
    if (access("/run/fura", W_OK) != 0) {
        buf_printf(&expected, "unix:%s/.data/run/control.sock", root);
        assert_string_equal(conf_string(conf, "admin_listen"), buf_cstr(&expected));
    }
    buf_free(&expected);
}

/* ---- what is refused ---- */

static void all_problems_are_told_at_once_with_their_lines(void **state)
{
    (void)state;
    setenv("FURA_WORKERS", "many", 1);
    assert_problems(
        "return {\n"
        "  -- a comment with { and ' in it\n"
        "  wrokers = 2,\n"
        "  http = {\n"
        "    [ 'max_headers' ] = 5, max_url_bytes = 'long',\n"
        "    max_body = 1,\n"
        "  },\n"
        "  listen = { '127.0.0.1:1', 'nowhere' }, --[[ long\n comment ]] redis = 5,\n"
        "  timezone = 'Mars/Olympus',\n"
        "  log_level = true,\n"
        "}\n",
        "conf/default.lua:3: wrokers: is not a known key (expected workers?, got wrokers)\n"
        "conf/default.lua:5: http.max_headers: is out of range (expected an integer from "
        "10 to 1000, got \"5\")\n"
        "conf/default.lua:5: http.max_url_bytes: is not an integer (expected an integer "
        "from 256 to 65536 (bytes), got \"long\")\n"
        "conf/default.lua:6: http.max_body: is not a known key (expected "
        "http.max_body_bytes?, got http.max_body)\n"
        "conf/default.lua:8: listen: has a wrong address (expected addresses like "
        "127.0.0.1:8080, [::]:80, unix:PATH or ssl:ADDR:PORT, got \"nowhere\")\n"
        "conf/default.lua:9: redis: is a group of keys (expected a table)\n"
        "conf/default.lua:10: timezone: is no time zone (expected a name like "
        "Europe/Moscow)\n"
        "conf/default.lua:11: log_level: has the wrong type (expected one of debug, info, "
        "warn, error, got a boolean)\n"
        "environment FURA_WORKERS: workers: is not an integer (expected an integer from 0 "
        "to 1024, got \"many\")\n");
}

static void an_unknown_key_suggests_the_one_in_another_group(void **state)
{
    (void)state;
    assert_a_problem("return { max_url_bytes = 1 }", "expected http.max_url_bytes?");
    assert_a_problem("return { nothing_like_it_at_all = 1 }", "expected one of conf/default.lua");
    assert_a_problem("return { 5 }", "conf/default.lua:1: 1: is not a known key");
}

static void a_key_given_twice_is_a_mistake(void **state)
{
    (void)state;
    assert_problems("return {\n workers = 1,\n workers = 2,\n}",
                    "conf/default.lua:3: workers: is given twice (expected once, got it in line 2 "
                    "already)\n");
}

static void broken_files_are_told_with_their_line(void **state)
{
    (void)state;
    assert_a_problem("return {\n workers = = 1 }", "conf/default.lua:2: unexpected symbol");
    assert_problems("workers = 1",
                    "conf/default.lua:1: \"workers\" is assigned outside of the table "
                    "(expected a key of the returned table, or a local)\n");
    assert_problems("local x = 1",
                    "conf/default.lua: the file returns no settings (expected a table, "
                    "got nil)\n");
    assert_a_problem("\nreturn { workers = wrokers }",
                     "conf/default.lua:2: unknown name \"wrokers\"");
    assert_a_problem("local c = include 'missing.lua'\nreturn c",
                     "conf/default.lua:1: cannot read \"missing.lua\"");
    assert_a_problem("\033LJ\2\n", "conf/default.lua: attempt to load chunk with wrong mode");
    buf_clear(&problems);
    assert_int_equal(conf_load(&(struct conf_source){.root = root, .conf_path = "/nonexistent.lua"},
                               &conf, &problems),
                     R_INVALID);
    assert_string_equal(buf_cstr(&problems),
                        "/nonexistent.lua: cannot be read (expected a conf file, got not_found)\n");
}

static void endless_files_are_stopped(void **state)
{
    (void)state;
    assert_a_problem("\nwhile true do end", "conf/default.lua:2: runs for too long");
    assert_a_problem("local s = 'x' while true do s = s .. s end", "not enough memory");
    free(unit_write(root, "conf/circle.lua", "local c = include 'circle.lua' return c"));
    assert_a_problem("local c = include 'circle.lua' return c", "include is nested too deeply");
}

static void development_stays_on_this_machine(void **state)
{
    (void)state;
    setenv("FURA_METRICS_LISTEN", "127.0.0.1:9100", 1);
    assert_problems(
        "return { listen = '127.0.0.1:1,0.0.0.0:8080' }",
        "conf/default.lua:1: listen: opens development to the outside (expected a "
        "loopback address, or allow_public_development = true, got \"0.0.0.0:8080\")\n");
    assert_loads("return { listen = '0.0.0.0:8080', allow_public_development = true }");
    assert_loads("return { listen = 'localhost:1,[::1]:2,127.1.2.3:4,unix:/tmp/s' }");
    setenv("FURA_ADMIN_LISTEN", "[::]:1", 1);
    assert_a_problem("return {}",
                     "environment FURA_ADMIN_LISTEN: admin_listen: is no control socket "
                     "(expected one unix:PATH, got \"[::]:1\")");
    setenv("FURA_ADMIN_LISTEN", "unix:/tmp/a,unix:/tmp/b", 1);
    assert_a_problem("return {}",
                     "environment FURA_ADMIN_LISTEN: admin_listen: is no control socket");
}

static void listeners_are_checked(void **state)
{
    (void)state;
    assert_a_problem("return { listen = 'ssl:127.0.0.1:1' }", "needs a certificate");
    assert_a_problem("return { listen = '127.0.0.1:99999' }", "has a wrong address");
    assert_a_problem("return { trusted_proxies = '*' }", "has a wrong address");
    assert_a_problem("return { trusted_proxies = '10.0.0.0/33' }", "has a wrong address");
    assert_a_problem("return { listen = '::1:80' }", "has a wrong address");
    assert_a_problem("return { tls_cert = '/nonexistent.pem' }", "tls_cert: cannot be read");
    char path[140];
    memset(path, 'x', sizeof path);
    memcpy(path, "/tmp/", 5);
    path[sizeof path - 1] = '\0';
    setenv("FURA_RUN_DIR", path, 1);
    assert_a_problem("return {}",
                     "admin_listen: is no address (expected unix:PATH with a path of at "
                     "most 107 bytes");
}

static void production_refuses_weak_secrets_and_test_switches(void **state)
{
    (void)state;
    a_small_application();
    setenv("FURA_ENV", "production", 1);
    assert_problems(
        "return {\n dev_login = true }",
        "conf/default.lua:2: dev_login: is refused in production (expected anything but on)\n"
        "default: database.url: is missing (expected in production as DATABASE_URL, got "
        "nothing)\n"
        "default: session.secret: is missing (expected in production as SESSION_SECRET, "
        "got nothing)\n");
    setenv("DATABASE_URL", "postgresql://h/d", 1);
    static const char *const weak[] = {
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "changeme-changeme-changeme-changeme-12",
        "Zq81-mX0c-77aPl3-SECRET-hHy2-90ww-1kd",
        "Zq81mX0c77aPl3HhHy290ww1kdQ8fWn4Lz0Tb6,abababababababababababababababababab",
    };
    for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
        setenv("SESSION_SECRET", weak[i], 1);
        assert_a_problem("return {}",
                         "environment SESSION_SECRET: session.secret: is too easy to guess");
        assert_null(strstr(problems.data, weak[i]));
    }
    setenv("SESSION_SECRET", "short", 1);
    assert_problems("return {}",
                    "environment SESSION_SECRET: session.secret: is too short (expected a "
                    "list of texts of at least 32 bytes each, got 5 bytes, not shown)\n");
    setenv("SESSION_SECRET", "Zq81mX0c77aPl3HhHy290ww1kdQ8fWn4Lz0Tb6", 1);
    assert_loads("return { listen = '0.0.0.0:80' }");
}

static void secrets_marked_so_come_only_from_the_environment(void **state)
{
    (void)state;
    a_small_application();
    assert_problems(
        "return { password = 'hunter2' }",
        "conf/default.lua:1: password: may only come from the environment (expected the "
        "variable GREETING or GREETING_FILE)\n");
}

static void the_applications_own_checks_run(void **state)
{
    (void)state;
    a_small_application();
    assert_problems("return {\n\n chat = 0 }",
                    "conf/default.lua:3: chat: is no chat (in development)\n");
    assert_loads("return {}");
    struct slice warnings = conf_warnings(conf);
    assert_memory_equal(warnings.data, "default: chat: is missing\n", warnings.len);
}

static void mistakes_in_the_schema_are_told_with_their_line(void **state)
{
    (void)state;
    free(unit_write(root, "lua/settings.lua",
                    "return {\n"
                    "  ['a.b'] = { type = 'integer', defualt = 5 },\n"
                    "  ['a.c'] = { type = 'number' },\n"
                    "  ['a.d'] = { type = 'integer', default = 'x' },\n"
                    "  ['http'] = { type = 'string' },\n"
                    "}\n"));
    assert_int_equal(load_file("return {}"), R_INVALID);
    const char *text = buf_cstr(&problems);
    assert_non_null(strstr(
        text, "lua/settings.lua:2: a.b.defualt: is no attribute of a setting (expected default)"));
    assert_non_null(strstr(text, "lua/settings.lua:3: a.c.type: has a wrong value"));
    assert_non_null(strstr(text, "lua/settings.lua:4: a.d.default: is not an integer"));
    assert_non_null(strstr(text, "lua/settings.lua:5: http: is a key or a group of the core"));
}

/* ---- where they go ---- */

static const char *run_lua(struct conf *settings, const char *chunk)
{
    static char out[200];
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    conf_push(L, settings);
    lua_setglobal(L, "conf");
    assert_int_equal(luaL_dostring(L, chunk), 0);
    snprintf(out, sizeof out, "%s", lua_tostring(L, -1));
    lua_close(L);
    return out;
}

static void scripts_see_nested_tables(void **state)
{
    (void)state;
    a_small_application();
    assert_loads(
        "return { chat = '-9007199254740993', cache = { key =\n"
        "'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=' },\n"
        "plugins = { cors = { origins = { 'a', 'b' },\n max_age = 1.5 }, ip_filter = {} } }");
    const char *chunk =
        "return table.concat({ conf.http.max_headers, conf.chat, #conf.cache.key[1], "
        "conf.plugins.cors.origins[2], conf.plugins.cors.max_age, "
        "type(conf.plugins.ip_filter), tostring(conf.tls_cert) }, ' ')";
    const char *expected = "100 -9007199254740993 32 b 1.5 table nil";
    assert_string_equal(run_lua(conf, chunk), expected);
    assert_string_equal(conf_origin(conf, "plugins.cors.max_age"), "conf/default.lua:4");
    assert_string_equal(conf_origin(conf, "plugins.cors.origins.2"), "conf/default.lua:3");
    assert_null(conf_origin(conf, "no.such.key"));

    struct buf packed = {0}, again = {0};
    struct conf *copy;
    conf_pack(conf, &packed);
    assert_int_equal(conf_unpack(buf_slice(&packed), &copy), R_OK);
    assert_string_equal(run_lua(copy, chunk), expected);
    assert_string_equal(conf_origin(copy, "plugins.cors.max_age"), "conf/default.lua:4");
    conf_pack(copy, &again);
    assert_true(slice_eq(buf_slice(&packed), buf_slice(&again)));
    conf_free(copy);
    buf_free(&packed);
    buf_free(&again);
}

static void damaged_packed_settings_are_refused(void **state)
{
    (void)state;
    struct buf packed = {0};
    struct conf *copy;
    assert_loads("return { plugins = { a = { 1, 2 } } }");
    conf_pack(conf, &packed);
    for (size_t len = 0; len < packed.len; len++) {
        char *exact = mem_strndup(packed.data, len); /* so that reading beyond it is seen */
        assert_int_equal(conf_unpack(slice_of(exact, len), &copy), R_INVALID);
        free(exact);
    }
    buf_free(&packed);
}

static void on_key(void *owner, const char *key, struct slice value, const char *origin)
{
    buf_printf(owner, "%s=%.*s (%s)\n", key, (int)value.len, value.data, origin);
}

static void secrets_are_masked_for_people(void **state)
{
    (void)state;
    struct buf out = {0};
    a_small_application();
    setenv("DATABASE_URL", "postgresql://bob:s3cr3t@h/db?password=pw1&sslpassword=pw1&x=1", 1);
    setenv("REDIS_URL", "redis://:s3cr3t@h/0", 1);
    setenv("GREETING", "s3cr3t", 1);
    assert_loads("return { workers = 2, plugins = { webhook_out = { secret = 's3cr3t', url = 'u',\n"
                 "more = { api_key = { 's3cr3t' } } } } }");
    conf_each(conf, on_key, &out);
    const char *text = buf_cstr(&out);
    assert_null(strstr(text, "s3cr3t"));
    assert_null(strstr(text, "pw1"));
    assert_non_null(
        strstr(text, "database.url=\"postgresql://bob:***@h/db?password=***&sslpassword=***&x=1\" "
                     "(environment DATABASE_URL)\n"));
    assert_non_null(strstr(text, "redis.url=\"redis://:***@h/0\" "));
    assert_non_null(strstr(text, "password=\"***\" "));
    assert_non_null(strstr(text, "\nworkers=2 (conf/default.lua:1)\n"));
    assert_non_null(strstr(text, "tls_cert=null (default)\n"));
    assert_non_null(strstr(text, "plugins={\"webhook_out\":{\"more\":{\"api_key\":[\"***\"]},"
                                 "\"secret\":\"***\",\"url\":\"u\"}} "));
    buf_free(&out);
}

static void changes_that_need_a_restart_are_named(void **state)
{
    (void)state;
    struct buf out = {0};
    assert_loads("return { workers = 2, timezone = 'UTC' }");
    struct conf *running = conf;
    conf = NULL;
    assert_loads("return {\n workers = 3,\n timezone = 'Europe/Moscow' }");
    assert_int_equal(conf_restart_changes(running, conf, &out), 1);
    assert_string_equal(buf_cstr(&out), "conf/default.lua:2: key workers: needs a restart\n");
    assert_int_equal(conf_restart_changes(conf, conf, &out), 0);
    conf_free(running);
    buf_free(&out);
}

static void the_nearest_key_is_found(void **state)
{
    (void)state;
    assert_loads("return {}");
    assert_true(conf_has(conf, "http.max_headers"));
    assert_false(conf_has(conf, "http"));
    assert_string_equal(conf_nearest(conf, "http.max_header"), "http.max_headers");
    assert_null(conf_nearest(conf, "quite.different"));
}

/* ---- the manual ---- */

struct manual {
    struct conf_schema schema;
    struct conf_lines *lines;
    struct buf text;
};

static char *repository(void)
{
    char *cwd = realpath(".", NULL); /* ctest runs units there */
    assert_non_null(cwd);
    return cwd;
}

static void open_manual(struct manual *manual)
{
    struct conf_problems found = {0};
    struct buf path = {0};
    char *cwd = repository();
    buf_printf(&path, "%s/conf/default.lua", cwd);
    assert_int_equal(file_read(buf_cstr(&path), 1 << 20, &manual->text), R_OK);
    assert_int_equal(conf_schema_load(cwd, &manual->schema, &found), R_OK);
    assert_non_null(manual->schema.L); /* the application's keys are in it */
    for (unsigned i = 0; i < manual->schema.count; i++)
        if (manual->schema.keys[i].env)
            unsetenv(manual->schema.keys[i].env);
    manual->lines = conf_lines_new();
    conf_lines_add(manual->lines, &(struct conf_chunk){buf_slice(&manual->text), path.data, cwd},
                   "", &found);
    assert_int_equal(found.count, 0);
    enum result rc = conf_load(&(struct conf_source){.root = cwd}, &conf, &problems);
    assert_string_equal(buf_cstr(&problems), "");
    assert_int_equal(rc, R_OK);
    buf_free(&path);
    free(cwd);
}

static void close_manual(struct manual *manual)
{
    conf_lines_free(manual->lines);
    conf_schema_free(&manual->schema);
    buf_free(&manual->text);
}

/* What the manual says about a key: the comment on its own line, else everything since the last empty line. */
static struct slice said_about(const struct manual *manual, const struct conf_line *line)
{
    const char *text = manual->text.data, *at = text;
    for (int n = 1; n < line->line; n++)
        at = strchr(at, '\n') + 1;
    const char *end = strchr(at, '\n'), *start = at;
    if (!memmem(at, (size_t)(end - at), " --", 3))
        while (start > text + 1 && !(start[-1] == '\n' && start[-2] == '\n'))
            start--;
    return slice_of(start, (size_t)(end - start));
}

static bool says(struct slice text, const char *words)
{
    return memmem(text.data, text.len, words, strlen(words)) != NULL;
}

static void the_manual_shows_every_key_and_what_it_needs(void **state)
{
    (void)state;
    struct manual manual = {0};
    open_manual(&manual);
    for (unsigned i = 0; i < manual.schema.count; i++) {
        const struct conf_key *key = &manual.schema.keys[i];
        const struct conf_line *line = conf_lines_find(manual.lines, key->name);
        if (!line || strcmp(line->path, key->name) != 0)
            fail_msg("%s is not in conf/default.lua", key->name);
        struct slice text = said_about(&manual, line);
        if (says(text, "(restart)") != key->restart)
            fail_msg("conf/default.lua is wrong about (restart) of %s", key->name);
        if (key->env && !says(text, key->env))
            fail_msg("conf/default.lua does not name the variable of %s", key->name);
    }
    close_manual(&manual);
}

static void the_manual_shows_the_defaults(void **state)
{
    (void)state;
    struct manual manual = {0};
    open_manual(&manual);
    for (unsigned i = 0; i < manual.schema.count; i++) {
        const struct conf_key *key = &manual.schema.keys[i];
        const struct conf_entry *entry = conf_find(conf, key->name);
        struct conf_value initial = {0};
        struct buf why = {0};
        if ((strcmp(entry->origin, "default") != 0) != (key->initial != NULL))
            fail_msg("conf/default.lua sets %s where the default is nothing, or leaves it out",
                     key->name);
        bool computed = strcmp(key->name, "workers") == 0; /* 0 becomes the number of cores */
        if (key->initial && !computed) {
            assert_true(conf_parse_text(key, slice_cstr(key->initial), &initial, &why));
            if (!conf_value_equals(&initial, &entry->value))
                fail_msg("conf/default.lua shows another value of %s than its default", key->name);
            conf_value_clear(&initial);
        }
    }
    close_manual(&manual);
}

static void production_of_the_shipped_application_refuses_what_it_must(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } given[] = {
        {"FURA_ENV", "production"},
        {"YOOKASSA_ALLOWED_IPS", "*"},
        {"FURA_DEV_LOGIN", "on"},
        {"FURA_RATE_LIMITS", "off"},
        {"TELEGRAM_BOT_TOKEN", "nonsense"},
        {"TELEGRAM_RESPONSES_CHAT_ID", "-1001234567890"},
        {"YOOKASSA_WEBHOOK_SECRET", "Qd81mX0c77aPl3HhHy290ww1kdQ8fWn4"},
        {"SETTINGS_ENCRYPTION_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
    };
    char *cwd = repository();
    struct manual manual = {0};
    open_manual(&manual); /* clears the environment too */
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        setenv(given[i].name, given[i].value, 1);
    conf_free(conf);
    conf = NULL;
    assert_int_equal(conf_load(&(struct conf_source){.root = cwd}, &conf, &problems), R_INVALID);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        unsetenv(given[i].name);

    const char *text = buf_cstr(&problems);
    static const char *const told[] = {
        "environment FURA_DEV_LOGIN: dev_login: is refused in production",
        "environment FURA_RATE_LIMITS: rate_limits: is refused in production",
        "environment YOOKASSA_ALLOWED_IPS: yookassa.allowed_ips: is refused in production",
        "environment TELEGRAM_BOT_TOKEN: telegram.bot_token: is no bot token",
        "environment SETTINGS_ENCRYPTION_KEY: settings_encryption_key: is too easy to guess",
        "telegram.webhook_secret: is missing (expected in production as TELEGRAM_WEBHOOK_SECRET",
        "session.secret: is missing (expected in production as SESSION_SECRET",
        "database.url: is missing (expected in production as DATABASE_URL",
    };
    unsigned lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (!strstr(text, told[i]))
            fail_msg("no «%s» in:\n%s", told[i], text);
    assert_int_equal(lines, sizeof told / sizeof *told);
    close_manual(&manual);
    free(cwd);
}

int main(void)
{
#define CONF_TEST(test) cmocka_unit_test_setup_teardown(test, open_root, close_root)
    const struct CMUnitTest tests[] = {
        CONF_TEST(keys_have_defaults_and_the_file_overrides_them),
        CONF_TEST(the_environment_wins),
        CONF_TEST(a_variable_may_name_a_file_with_the_value),
        CONF_TEST(a_conf_file_may_use_env_file_and_include),
        CONF_TEST(dotenv_is_read_in_development_only_and_below_the_environment),
        CONF_TEST(dotenv_mistakes_are_told),
        CONF_TEST(defaults_that_depend_on_the_machine_are_filled_in),
        CONF_TEST(all_problems_are_told_at_once_with_their_lines),
        CONF_TEST(an_unknown_key_suggests_the_one_in_another_group),
        CONF_TEST(a_key_given_twice_is_a_mistake),
        CONF_TEST(broken_files_are_told_with_their_line),
        CONF_TEST(endless_files_are_stopped),
        CONF_TEST(development_stays_on_this_machine),
        CONF_TEST(listeners_are_checked),
        CONF_TEST(production_refuses_weak_secrets_and_test_switches),
        CONF_TEST(secrets_marked_so_come_only_from_the_environment),
        CONF_TEST(the_applications_own_checks_run),
        CONF_TEST(mistakes_in_the_schema_are_told_with_their_line),
        CONF_TEST(scripts_see_nested_tables),
        CONF_TEST(damaged_packed_settings_are_refused),
        CONF_TEST(secrets_are_masked_for_people),
        CONF_TEST(changes_that_need_a_restart_are_named),
        CONF_TEST(the_nearest_key_is_found),
        CONF_TEST(the_manual_shows_every_key_and_what_it_needs),
        CONF_TEST(the_manual_shows_the_defaults),
        CONF_TEST(production_of_the_shipped_application_refuses_what_it_must),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
