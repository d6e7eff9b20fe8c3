/* Reading what a script answers, and how it asks. */
#include "../base/unit.h"

#include "bind/bind.h"
#include "bind/exchange.h"

#include <lualib.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 40 };

static int l_read(lua_State *L)
{
    struct http_answer answer;
    struct answer_storage storage;
    request_read_answer(L, 1, &answer, &storage);
    assert_int_equal(answer.header_count, COUNT);
    for (unsigned i = 0; i < answer.header_count; i++) {
        struct slice value = answer.headers[i].value;
        char number[32];
        memcpy(number, value.data, value.len);
        number[value.len] = '\0';
        assert_true(strtod(number, NULL) > 1e9);
    }
    return 0;
}

/* Whoever reads what was freed reads rubbish. */
static void *allocate(void *owner, void *old, size_t old_size, size_t size)
{
    void *place = size > 0 ? malloc(size) : NULL;
    (void)owner;
    if (old && place)
        memcpy(place, old, old_size < size ? old_size : size);
    if (old)
        memset(old, '?', old_size);
    free(old);
    return place;
}

/* Each text made of a number is garbage at once, and here each new one begins a collection. */
static void numbers_as_header_values_outlive_the_collector(void **state)
{
    lua_State *L = lua_newstate(allocate, NULL);
    (void)state;
    luaL_openlibs(L);
    lua_pushcfunction(L, l_read);
    assert_int_equal(luaL_dostring(L, "local headers = {} for i = 1, 40 do\n"
                                      "  headers['X-' .. i] = 1e9 + i * 1000.25 end\n"
                                      "collectgarbage('setpause', 0)\n"
                                      "collectgarbage('setstepmul', 1e8) collectgarbage()\n"
                                      "return { headers = headers }"),
                     0);
    lua_call(L, 1, 0);
    lua_close(L);
}

static int l_options(lua_State *L)
{
    struct slice url = bind_opt_slice(L, 1, "url"), body = bind_opt_slice(L, 1, "body");
    lua_gc(L, LUA_GCCOLLECT, 0);
    assert_true(slice_eq(url, SLICE("url of 1000000")));
    assert_true(slice_eq(body, SLICE("body of 1000000")));
    return 0;
}

static void what_a_metatable_makes_of_an_option_is_kept(void **state)
{
    lua_State *L = lua_newstate(allocate, NULL);
    (void)state;
    luaL_openlibs(L);
    lua_pushcfunction(L, l_options);
    assert_int_equal(luaL_dostring(L, "return setmetatable({}, { __index = function(_, key)\n"
                                      "  return key .. ' of ' .. 10 ^ 6 end })"),
                     0);
    lua_call(L, 1, 0);
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_as_header_values_outlive_the_collector),
        cmocka_unit_test(what_a_metatable_makes_of_an_option_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
