/* test_router.c: which route a path belongs to. */
#include "net/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct router *router;
static struct router_match match;

static int set_up(void **state)
{
    (void)state;
    static const struct {
        const char *method, *pattern;
    } routes[] = {
        {"GET", "/"},
        {"GET", "/api/v1/cargos"},
        {"GET", "/api/v1/cargos/prices"},
        {"GET", "/api/v1/cargos/{id}"},
        {"GET", "/pages/{n:int}"},
        {"GET", "/pages/{key:uuid}"},
        {"GET", "/pages/{name}"},
        {"POST", "/api/v1/responses"},
        {"GET", "/api/v1/responses"},
        {"GET", "/static/{path:rest}"},
        {"GET", "/a/{x}/b"},
        {"GET", "/a/lit/c"},
        {"POST", "/a/lit/b"},
        {"DELETE", "/a/{x}/b"},
        {"GET", "/end/"},
        {"GET", "/грузы/{id}"},
        {"OPTIONS", "/own"},
        {"HEAD", "/own"},
    };
    router = router_new();
    for (int i = 0; i < (int)(sizeof routes / sizeof *routes); i++) {
        struct failure why = {.text = ""};
        enum result rc = router_add(router, routes[i].method, routes[i].pattern, i, &why);
        assert_string_equal(why.text, "");
        assert_int_equal(rc, R_OK);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    router_free(router);
    return 0;
}

static enum result find(const char *method, const char *path)
{
    return router_match(router, slice_cstr(method), slice_cstr(path), &match);
}

static void expect(const char *path, int index, const char *value)
{
    if (find("GET", path) != R_OK || match.index != index)
        fail_msg("%s does not lead to %d", path, index);
    assert_int_equal(match.param_count, value ? 1 : 0);
    if (value)
        assert_true(slice_eq(match.params[0].value, slice_cstr(value)));
}

static void the_most_particular_route_wins(void **state)
{
    (void)state;
    expect("/", 0, NULL);
    expect("/api/v1/cargos", 1, NULL);
    expect("/api/v1/cargos/prices", 2, NULL);
    expect("/api/v1/cargos/17", 3, "17");
    assert_true(slice_eq(match.params[0].name, SLICE("id")));
    expect("/pages/123", 4, "123");
    expect("/pages/6f1c2a54-0d1e-4c55-9b1a-0a4f5f0c7d11", 5,
           "6f1c2a54-0d1e-4c55-9b1a-0a4f5f0c7d11");
    expect("/pages/12a", 6, "12a");
    expect("/pages/1234567890123456789", 6, "1234567890123456789");
    expect("/static/css/app.css", 9, "css/app.css");
    expect("/end/", 14, NULL);
}

static void a_literal_that_leads_nowhere_gives_way(void **state)
{
    (void)state;
    expect("/a/lit/b", 10, "lit");
    expect("/a/lit/c", 11, NULL);
    assert_int_equal(find("POST", "/a/lit/b"), R_OK);
    assert_int_equal(match.index, 12);
}

static void unknown_paths_are_not_found(void **state)
{
    (void)state;
    static const char *const paths[] = {"",
                                        "x",
                                        "*",
                                        "/api",
                                        "/api/v1/cargos/",
                                        "//",
                                        "/end",
                                        "/static/",
                                        "/static",
                                        "/api/v1/cargos/1/2",
                                        "/a//b",
                                        "/API/v1/cargos"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(find("GET", paths[i]), R_NOT_FOUND);
}

static void dots_never_climb(void **state)
{
    (void)state;
    static const char *const paths[] = {"/static/../conf",   "/static/%2e%2e/conf", "/static/.%2E",
                                        "/static/a/../../b", "/api/v1/cargos/..",   "/static/./a",
                                        "/static/%2e"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(find("GET", paths[i]), R_NOT_FOUND);
    expect("/static/...", 9, "...");
    expect("/static/a..b", 9, "a..b");
}

static void escapes_are_compared_decoded(void **state)
{
    (void)state;
    expect("/api/v1/%63argo%73", 1, NULL);
    expect("/%D0%B3%D1%80%D1%83%D0%B7%D1%8B/7", 15, "7");
    expect("/api/v1/cargos/a%2Fb", 3, "a%2Fb");
}

static void an_encoded_slash_is_not_a_slash(void **state)
{
    (void)state;
    assert_int_equal(find("GET", "/api/v1/cargos%2F17"), R_NOT_FOUND);
    assert_int_equal(find("GET", "/api/v1/cargos/a%2Fb"), R_OK);
    assert_int_equal(find("GET", "/api%2fv1/cargos"), R_NOT_FOUND);
}

static void bad_escapes_are_invalid(void **state)
{
    (void)state;
    static const char *const paths[] = {"/a%",      "/a%2",           "/a%zz",
                                        "/api/%00", "/static/%g0/..", "/../%"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(find("GET", paths[i]), R_INVALID);
}

static void other_methods_are_told(void **state)
{
    (void)state;
    assert_int_equal(find("PUT", "/api/v1/responses"), R_DENIED);
    assert_string_equal(match.allow, "GET, POST, HEAD, OPTIONS");
    assert_int_equal(find("OPTIONS", "/api/v1/cargos"), R_DENIED);
    assert_string_equal(match.allow, "GET, HEAD, OPTIONS");
    assert_int_equal(find("PATCH", "/a/lit/b"), R_DENIED); /* two routes fit this path */
    assert_string_equal(match.allow, "POST, DELETE, GET, HEAD, OPTIONS");
    assert_int_equal(find("HEAD", "/api/v1/cargos/5"), R_OK);
    assert_int_equal(match.index, 3);
    assert_int_equal(find("OPTIONS", "/own"), R_OK);
    assert_int_equal(find("HEAD", "/own"), R_OK);
    assert_int_equal(match.index, 17);
    assert_int_equal(find("GET", "/own"), R_DENIED);
    assert_string_equal(match.allow, "HEAD, OPTIONS");
}

static void rivals_are_named(void **state)
{
    (void)state;
    struct failure why;
    assert_int_equal(router_add(router, "GET", "/api/v1/cargos/{key}", 99, &why), R_EXISTS);
    assert_non_null(strstr(why.text, "GET /api/v1/cargos/{key}"));
    assert_non_null(strstr(why.text, "GET /api/v1/cargos/{id}"));
    assert_int_equal(router_add(router, "PUT", "/api/v1/cargos/{key}", 99, &why), R_OK);
}

static void only_patterns_are_taken(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "a",
        "/{",
        "/{}",
        "/a{b}",
        "/{a:float}",
        "/{a-b}",
        "/{1a}",
        "/{p:rest}/x",
        "/%41",
        "/{a}{b}",
        "/}",
        "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}",
        "/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1"};
    struct failure why;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (router_add(router, "GET", wrong[i], 1, &why) != R_INVALID)
            fail_msg("taken: %s", wrong[i]);
    }
}

static void long_paths_are_simply_not_found(void **state)
{
    (void)state;
    char path[401];
    memset(path, '/', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(find("GET", path), R_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_most_particular_route_wins),
        TEST(a_literal_that_leads_nowhere_gives_way),
        TEST(unknown_paths_are_not_found),
        TEST(dots_never_climb),
        TEST(escapes_are_compared_decoded),
        TEST(an_encoded_slash_is_not_a_slash),
        TEST(bad_escapes_are_invalid),
        TEST(other_methods_are_told),
        TEST(rivals_are_named),
        TEST(only_patterns_are_taken),
        TEST(long_paths_are_simply_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
