/* replay_world.c: see replay_world.h. */
#include "bind/replay_world.h"
#include "base/mem.h"
#include "replay_world.lua.h"

#include <stdlib.h>

static const char serve_key; /* in the registry */

/* ---- what replay_world.lua asks for ---- */

static struct replay_world *world_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* needs(what, weight): the answer under way wanted something that a replay does not do. */
static int l_needs(lua_State *L)
{
    struct replay_world *world = world_of(L);
    struct slice what = bind_check_slice(L, 1);
    int weight = (int)luaL_checkinteger(L, 2);
    if (world->needs.len > 0 && world->needs_weight >= weight)
        return 0;
    buf_clear(&world->needs);
    buf_append_slice(&world->needs, what);
    world->needs_weight = weight;
    return 0;
}

/* mistake(text): it logged an error. */
static int l_mistake(lua_State *L)
{
    struct replay_world *world = world_of(L);
    const char *text = luaL_checkstring(L, 1);
    unsigned i = 0;

    while (i < world->error_count && strcmp(world->errors[i].text, text) != 0)
        i++;
    if (i == REPLAY_ERRORS_MAX)
        return 0;
    if (i == world->error_count)
        world->errors[world->error_count++] = (struct replay_error){.text = mem_strdup(text)};
    world->errors[i].count++;
    return 0;
}

/* failure(code, service, text) -> nil, failure */
static int l_failure(lua_State *L)
{
    return bind_failure_text(L, luaL_checkstring(L, 1), luaL_checkstring(L, 2),
                             luaL_checkstring(L, 3));
}

static const luaL_Reg inside[] = {
    {"needs", l_needs}, {"mistake", l_mistake}, {"failure", l_failure}, {NULL, NULL}};

/* ---- opening ---- */

void replay_world_open(lua_State *L, void *owner)
{
    struct replay_world *world = owner;

    bind_open_host(L, &world->host);
    if (luaL_loadbuffer(L, (const char *)replay_world_lua, sizeof replay_world_lua, "=replay") != 0)
        lua_error(L);
    lua_pushvalue(L, -2);
    bind_module(L, inside, world);
    lua_call(L, 2, 1);
    lua_pushlightuserdata(L, (void *)&serve_key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void replay_world_push_serve(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&serve_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

void replay_world_clear(struct replay_world *world)
{
    for (unsigned i = 0; i < world->error_count; i++)
        free(world->errors[i].text);
    world->error_count = 0;
    buf_free(&world->needs);
}
