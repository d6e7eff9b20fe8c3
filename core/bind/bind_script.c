/* bind_script.c: host.script: the bundle a generation was built from, and compiling text against an
 * environment. */
#include "bind/bind.h"
#include "base/bundle.h"
#include "script/generation.h"
#include "script/vm.h"

static int l_read(lua_State *L)
{
    struct slice content;
    if (!bundle_find(vm_bundle(L), bind_check_slice(L, 1), &content))
        return 0;
    bind_push_slice(L, content);
    return 1;
}

/* The bundle keeps its paths sorted. */
static int l_list(lua_State *L)
{
    const struct bundle *bundle = vm_bundle(L);
    struct slice folder = bind_check_slice(L, 1), content;
    int count = 0;

    lua_newtable(L);
    for (unsigned i = 0; i < bundle_count(bundle); i++) {
        struct slice path = bundle_path_at(bundle, i, &content);
        if (!slice_starts(path, folder) || path.len == folder.len || path.data[folder.len] != '/')
            continue;
        bind_push_slice(L, path);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

static int l_compile(lua_State *L)
{
    struct slice source = bind_check_slice(L, 1);
    const char *name = luaL_checkstring(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);

    if (source.len > 0 && source.data[0] == LUA_SIGNATURE[0]) {
        lua_pushnil(L);
        lua_pushfstring(L, "%s:1: compiled Lua is not accepted, only source text", name);
        return 2;
    }
    lua_pushfstring(L, "@%s", name);
    if (luaL_loadbuffer(L, source.data, source.len, lua_tostring(L, -1)) != 0) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushvalue(L, 3);
    lua_setfenv(L, -2);
    return 1;
}

static int l_info(lua_State *L)
{
    const struct host *host = lua_touserdata(L, lua_upvalueindex(1));
    const struct generation *generation = generation_of(L);

    lua_createtable(L, 0, 4);
    lua_pushnumber(L, generation ? (double)generation_number(generation) : 0);
    lua_setfield(L, -2, "generation");
    lua_pushstring(L, bundle_hash(vm_bundle(L)));
    lua_setfield(L, -2, "hash");
    lua_pushstring(L, host->role);
    lua_setfield(L, -2, "role");
    lua_pushliteral(L, FURA_VERSION);
    lua_setfield(L, -2, "version");
    return 1;
}

static const luaL_Reg functions[] = {
    {"read", l_read}, {"list", l_list}, {"compile", l_compile}, {"info", l_info}, {NULL, NULL},
};

void bind_script_open(lua_State *L, struct host *host)
{
    bind_module(L, functions, host);
}
