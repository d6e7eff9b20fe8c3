/* bind_shared.c: host.shared: the key-value memory of all workers of this node. */
#include "bind/bind.h"
#include "base/shm.h"

#include <math.h>

enum { KEY_MAX_BYTES = 1024 };

static struct shm *shm_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static struct slice check_key(lua_State *L)
{
    struct slice key = bind_check_slice(L, 1);
    luaL_argcheck(L, key.len > 0 && key.len <= KEY_MAX_BYTES, 1, "a key has 1 to 1024 bytes");
    return key;
}

static struct shm_value check_value(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        return (struct shm_value){.kind = SHM_STRING, .text = bind_check_slice(L, index)};
    case LUA_TNUMBER:
        return (struct shm_value){.kind = SHM_NUMBER, .number = lua_tonumber(L, index)};
    case LUA_TBOOLEAN:
        return (struct shm_value){.kind = SHM_BOOL, .number = lua_toboolean(L, index)};
    default:
        luaL_argerror(L, index, "a string, number or boolean is wanted");
        return (struct shm_value){0};
    }
}

/* nil = never expires. What is computed as «the time left» may be nothing: that must not become «for ever». */
static int64_t check_ttl_ms(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index))
        return 0;
    double ttl_ms = luaL_checknumber(L, index);
    luaL_argcheck(L, !isnan(ttl_ms) && ttl_ms < 1e15, index, "not a number of milliseconds");
    return ttl_ms < 1 ? 1 : (int64_t)ttl_ms;
}

static void push_value(lua_State *L, const struct shm_value *value)
{
    if (value->kind == SHM_STRING)
        bind_push_slice(L, value->text);
    else if (value->kind == SHM_NUMBER)
        lua_pushnumber(L, value->number);
    else
        lua_pushboolean(L, value->number > 0);
}

/* shared.get(key) -> value, ttl_ms | nil */
static int l_get(lua_State *L)
{
    struct slice key = check_key(L);
    struct shm_value value;
    int64_t ttl_ms;
    if (shm_get(shm_of(L), key, &value, bind_scratch(), &ttl_ms) != R_OK)
        return 0;
    push_value(L, &value);
    if (ttl_ms < 0)
        return 1;
    lua_pushnumber(L, (lua_Number)ttl_ms);
    return 2;
}

static int push_done(lua_State *L, enum result rc, enum result refusal)
{
    if (rc != R_OK && rc != refusal)
        return bind_failure(L, rc, "shared");
    lua_pushboolean(L, rc == R_OK);
    return 1;
}

/* shared.set(key, value, ttl_ms) -> true | nil, failure */
static int l_set(lua_State *L)
{
    struct slice key = check_key(L);
    struct shm_value value = check_value(L, 2);
    return push_done(L, shm_set(shm_of(L), key, &value, check_ttl_ms(L, 3)), R_OK);
}

/* shared.add(key, value, ttl_ms) -> boolean | nil, failure */
static int l_add(lua_State *L)
{
    struct slice key = check_key(L);
    struct shm_value value = check_value(L, 2);
    return push_done(L, shm_add(shm_of(L), key, &value, check_ttl_ms(L, 3)), R_EXISTS);
}

/* shared.increment(key, delta, ttl_ms) -> number | nil, failure */
static int l_increment(lua_State *L)
{
    struct slice key = check_key(L);
    double delta = luaL_optnumber(L, 2, 1), value;
    luaL_argcheck(L, isfinite(delta), 2, "not a finite number");
    enum result rc = shm_increment(shm_of(L), key, delta, check_ttl_ms(L, 3), &value);
    if (rc == R_INVALID)
        return bind_failure_text(L, "invalid", "shared", "the key holds no number");
    if (rc != R_OK)
        return bind_failure(L, rc, "shared");
    lua_pushnumber(L, value);
    return 1;
}

/* shared.compare_and_set(key, expected, value, ttl_ms) -> boolean | nil, failure */
static int l_compare_and_set(lua_State *L)
{
    struct slice key = check_key(L);
    bool absent = lua_isnil(L, 2);
    struct shm_value expected = {0}, value = check_value(L, 3);
    if (!absent)
        expected = check_value(L, 2);
    return push_done(
        L,
        shm_compare_and_set(shm_of(L), key, absent ? NULL : &expected, &value, check_ttl_ms(L, 4)),
        R_REJECTED);
}

/* shared.delete(key) */
static int l_delete(lua_State *L)
{
    shm_delete(shm_of(L), check_key(L));
    return 0;
}

static const luaL_Reg functions[] = {
    {"get", l_get},
    {"set", l_set},
    {"add", l_add},
    {"increment", l_increment},
    {"compare_and_set", l_compare_and_set},
    {"delete", l_delete},
    {NULL, NULL},
};

void bind_shared_open(lua_State *L, struct host *host)
{
    if (host->shm)
        bind_module(L, functions, host->shm);
    else
        lua_pushnil(L);
}
