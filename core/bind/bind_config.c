/* bind_config.c: host.config: the settings as nested tables that only read.
 *
 * A group is an empty proxy over a table of its plain values, so reading one compiles to table look-ups. What that
 * table lacks goes to l_missing: a key that is unset gives nil, a list or table a fresh copy (nobody can change what
 * others read), anything else raises with the nearest key. host.config("redis.url") tells where a value came from. */
#include "bind/bind.h"
#include "base/conf.h"

enum { UP_CONF = 1, UP_PREFIX, UP_TABLES };

static const struct conf *conf_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(UP_CONF));
}

static int l_read_only(lua_State *L)
{
    return luaL_error(L, "settings cannot be changed here: edit the conf file and reload");
}

/* Push a copy of the table at the top, all the way down. */
static void push_copy(lua_State *L)
{
    int from = lua_gettop(L);
    luaL_checkstack(L, 6, "settings");
    lua_createtable(L, (int)lua_objlen(L, from), 0);
    for (lua_pushnil(L); lua_next(L, from);) {
        if (lua_istable(L, -1)) {
            push_copy(L);
            lua_remove(L, -2);
        }
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, from + 1);
    }
}

/* `prefix.key`, pushed. */
static const char *push_path(lua_State *L, const char *prefix, int key)
{
    const char *name =
        lua_type(L, key) == LUA_TSTRING ? lua_tostring(L, key) : luaL_typename(L, key);
    return lua_pushfstring(L, "%s%s%s", prefix, *prefix ? "." : "", name);
}

/* __index(values, key) of a group's values. */
static int l_missing(lua_State *L)
{
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(UP_TABLES));
    if (lua_istable(L, -1)) {
        push_copy(L);
        return 1;
    }
    const char *path = push_path(L, lua_tostring(L, lua_upvalueindex(UP_PREFIX)), 2);
    if (conf_has(conf_of(L), path)) {
        lua_pushnil(L);
        return 1;
    }
    const char *nearest = conf_nearest(conf_of(L), path);
    return luaL_error(L, "there is no setting '%s'%s%s%s", path, nearest ? " (did you mean '" : "",
                      nearest ? nearest : "", nearest ? "'?)" : "");
}

/* host.config("redis.url") -> «environment REDIS_URL» */
static int l_origin(lua_State *L)
{
    const char *key = luaL_checkstring(L, 2);
    const char *origin = conf_origin(conf_of(L), key);
    if (!origin)
        return luaL_error(L, "there is no setting '%s'", key);
    lua_pushstring(L, origin);
    return 1;
}

static void push_proxy(lua_State *L, const struct conf *conf, const char *prefix);

/* Sort the pairs of the group at `group` into plain values and tables. */
static void split_group(lua_State *L, const struct conf *conf, const char *prefix, int group)
{
    int values = group + 1, tables = group + 2;
    for (lua_pushnil(L); lua_next(L, group); lua_settop(L, tables + 1)) {
        int key = tables + 1, value = tables + 2;
        const char *path = push_path(L, prefix, key);
        bool is_table = lua_istable(L, value);
        bool is_setting = conf_has(conf, path);
        lua_pushvalue(L, key);
        lua_pushvalue(L, value);
        if (is_table && !is_setting) {
            push_proxy(L, conf, path);
            lua_remove(L, -2);
        }
        lua_rawset(L, is_table && is_setting ? tables : values);
    }
}

/* Push the proxy of the group at the top. */
static void push_proxy(lua_State *L, const struct conf *conf, const char *prefix)
{
    int group = lua_gettop(L), values = group + 1;
    luaL_checkstack(L, 16, "settings");
    lua_newtable(L); /* values */
    lua_newtable(L); /* tables */
    split_group(L, conf, prefix, group);

    lua_createtable(L, 0, 1);
    lua_pushlightuserdata(L, (void *)(uintptr_t)conf);
    lua_pushstring(L, prefix);
    lua_pushvalue(L, group + 2);
    lua_pushcclosure(L, l_missing, 3);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, values);

    lua_newtable(L);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, values);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_read_only);
    lua_setfield(L, -2, "__newindex");
    lua_pushlightuserdata(L, (void *)(uintptr_t)conf);
    lua_pushcclosure(L, l_origin, 1);
    lua_setfield(L, -2, "__call");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);

    lua_replace(L, values);
    lua_settop(L, values);
}

void bind_config_open(lua_State *L, struct host *host)
{
    if (!host->conf) {
        lua_pushnil(L);
        return;
    }
    conf_push(L, host->conf);
    push_proxy(L, host->conf, "");
    lua_remove(L, -2);
}
