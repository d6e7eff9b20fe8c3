/* bind.c: the table `host` and the helpers every binding uses. */
#include "bind/bind.h"
#include "base/stack.h"

#include <string.h>

static const char failure_meta; /* registry key */

static int l_failure_tostring(lua_State *L)
{
    lua_getfield(L, 1, "service");
    lua_getfield(L, 1, "code");
    lua_getfield(L, 1, "text");
    const char *text = lua_tostring(L, -1);
    lua_pushfstring(L, "%s: %s%s%s", lua_tostring(L, -3), lua_tostring(L, -2), text ? ": " : "",
                    text ? text : "");
    return 1;
}

static void set_failure_meta(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&failure_meta);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, l_failure_tostring);
        lua_setfield(L, -2, "__tostring");
        lua_pushlightuserdata(L, (void *)&failure_meta);
        lua_pushvalue(L, -2);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    lua_setmetatable(L, -2);
}

int bind_failure_text(lua_State *L, const char *code, const char *service, const char *text)
{
    lua_pushnil(L);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, service);
    lua_setfield(L, -2, "service");
    lua_pushstring(L, text ? text : "");
    lua_setfield(L, -2, "text");
    set_failure_meta(L);
    return 2;
}

int bind_failure(lua_State *L, enum result rc, const char *service)
{
    return bind_failure_text(L, result_code(rc), service, NULL);
}

int bind_failure_of(lua_State *L, const struct failure *why, const char *service)
{
    return bind_failure_text(L, why->code[0] ? why->code : result_code(why->rc), service,
                             why->text);
}

/* Put the value on top into the table at `index`, which has a metatable, under this name. */
static void keep(lua_State *L, int index, const char *field)
{
    lua_pushstring(L, field);
    lua_pushvalue(L, -2);
    lua_rawset(L, index);
}

bool bind_push_option(lua_State *L, int index, const char *field)
{
    if (lua_isnoneornil(L, index))
        return false;
    luaL_checktype(L, index, LUA_TTABLE);
    if (stack_is_deep()) /* an __index may call the same function again */
        luaL_error(L, "stack overflow (options that ask for options)");
    lua_getfield(L, index, field);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    if (lua_getmetatable(L, index)) {
        lua_pop(L, 1);
        keep(L, index, field);
    }
    return true;
}

static void wrong_option(lua_State *L, const char *field, const char *expected)
{
    luaL_error(L, "option '%s' must be a %s, not a %s", field, expected, luaL_typename(L, -1));
}

double bind_opt_number(lua_State *L, int index, const char *field, double fallback)
{
    if (!bind_push_option(L, index, field))
        return fallback;
    if (lua_type(L, -1) != LUA_TNUMBER)
        wrong_option(L, field, "number");
    double value = lua_tonumber(L, -1);
    if (!(value >= 0))
        luaL_error(L, "option '%s' must not be negative", field);
    lua_pop(L, 1);
    return value;
}

bool bind_opt_bool(lua_State *L, int index, const char *field, bool fallback)
{
    if (!bind_push_option(L, index, field))
        return fallback;
    if (!lua_isboolean(L, -1))
        wrong_option(L, field, "boolean");
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

struct slice bind_opt_slice(lua_State *L, int index, const char *field)
{
    struct slice value = {NULL, 0};
    if (!bind_push_option(L, index, field))
        return value;
    if (lua_type(L, -1) != LUA_TSTRING)
        wrong_option(L, field, "string");
    value.data = lua_tolstring(L, -1, &value.len);
    lua_pop(L, 1);
    return value;
}

void bind_module(lua_State *L, const luaL_Reg *functions, void *upvalue)
{
    lua_newtable(L);
    for (; functions->name; functions++) {
        lua_pushlightuserdata(L, upvalue);
        lua_pushcclosure(L, functions->func, 1);
        lua_setfield(L, -2, functions->name);
    }
}

void bind_hide_metatable(lua_State *L)
{
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
}

void bind_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_newtable(L);
    for (; methods->name; methods++) {
        lua_pushcfunction(L, methods->func);
        lua_setfield(L, -2, methods->name);
    }
    lua_setfield(L, -2, "__index");
    if (gc) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
    }
    bind_hide_metatable(L);
    lua_pop(L, 1);
}

void bind_push_null(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
}

static const struct {
    const char *name;
    void (*open)(lua_State *L, struct host *host);
} modules[] = {
    {"config", bind_config_open}, {"crypto", bind_crypto_open}, {"http", bind_http_open},
    {"json", bind_json_open},     {"log", bind_log_open},       {"metrics", bind_metrics_open},
    {"pg", bind_pg_open},         {"redis", bind_redis_open},   {"script", bind_script_open},
    {"shared", bind_shared_open}, {"task", bind_task_open},     {"time", bind_time_open},
    {"timer", bind_timer_open},
};

void bind_open_host(lua_State *L, struct host *host)
{
    lua_newtable(L);
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        modules[i].open(L, host);
        lua_setfield(L, -2, modules[i].name);
    }
}
