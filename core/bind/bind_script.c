/* bind_script.c: host.script: the bundle a generation was built from, and compiling text against an
 * environment. */
#include "bind/bind.h"
#include "base/bundle.h"
#include "base/state.h"
#include "script/generation.h"
#include "script/vm.h"
#include "script/wait.h"
#include "script/watchdog.h"
#include "bind_script.lua.h"

#include <lauxlib.h>

/* What a guard gives when its turn comes after a slice; bind_script.lua alone sees it. */
static const char sliced;

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

/* Push nil and a failure about a guarded call that did not end well; its stack is on `co`, where nobody would catch an error. */
static int push_guard_failure(lua_State *L, const struct watchdog_run *run)
{
    bool refused = vm_refuse_memory(false);
    lua_State *co = run->co;
    bool is_late = run->stopping && !run->over_memory;
    if (is_late)
        lua_pushstring(co, vm_over_budget);
    else if (run->stopping)
        lua_pushstring(co, vm_over_memory);
    else if (lua_status(co) == LUA_YIELD)
        vm_push_stray_yield(co);
    vm_describe_error(co);
    bind_failure_text(L, is_late ? "script_timeout" : "script_error", "script",
                      lua_tostring(co, -2));
    lua_pushstring(L, lua_tostring(co, -1));
    lua_setfield(L, -2, "stack");
    vm_refuse_memory(refused);
    return 2;
}

/* It was interrupted so that others may run: bind_script.lua goes on with these by go_on(). */
static int give_turn(lua_State *L, const struct watchdog_run *run)
{
    lua_pushlightuserdata(L, (void *)&sliced);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_pushnumber(L, (double)watchdog_used_ns(run));
    lua_pushboolean(L, run->warned);
    return wait_turn(L, 6);
}

/* What the coroutine at index 3 holds must be garbage before its caller allocates anything, or the caller is stopped for
 * it: its failure is made while the run is still the one to blame. */
static int end_hoarder(lua_State *L, struct watchdog_run *run, const char *outer)
{
    int results = push_guard_failure(L, run);
    watchdog_end(run);
    wait_forbid(outer);
    lua_settop(run->co, 0); /* bind_script.lua may hold it still */
    lua_pushnil(L);
    lua_replace(L, 3);
    lua_gc(L, LUA_GCCOLLECT, 0);
    return results;
}

/* Run the coroutine at index 3, with label and budget at 1 and 2. */
static int run_guarded(lua_State *L, int nargs, int64_t used_ns, bool warned)
{
    struct watchdog_run run = {.co = lua_tothread(L, 3),
                               .label = luaL_checkstring(L, 1),
                               .warn_ms = (unsigned)bind_opt_number(L, 2, "warn_ms", 0),
                               .kill_ms = (unsigned)bind_opt_number(L, 2, "kill_ms", 0),
                               .sliceable = wait_can_take_turn(L),
                               .is_guarded = true,
                               .used_ns = used_ns,
                               .warned = warned};
    lua_State *co = run.co;
    const char *outer =
        wait_forbid("a rule computes and returns; what it needs comes as arguments");
    watchdog_begin(&run);
    int rc = lua_resume(co, nargs);
    if (rc > LUA_YIELD && (run.over_memory || rc == LUA_ERRMEM))
        return end_hoarder(L, &run, outer);
    bool stopped = watchdog_end(&run);
    wait_forbid(outer);

    if (run.sliced)
        return give_turn(L, &run);
    if (stopped)
        watchdog_forgive(&run);
    if (rc != 0)
        return push_guard_failure(L, &run);
    int results = lua_gettop(co);
    luaL_checkstack(L, results, "too many results");
    lua_xmove(co, L, results);
    return results;
}

/* guard(label, budget, fn, ...): a pure function in a coroutine of its own, so that stopping it leaves the caller alive. */
static int l_guard(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checkany(L, 2);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    int nargs = lua_gettop(L) - 3;
    lua_State *co = lua_newthread(L);
    lua_insert(L, 3);
    bool refused = vm_refuse_memory(false);
    bool fits = lua_checkstack(co, nargs + 1);
    vm_refuse_memory(refused);
    if (!fits)
        return luaL_error(L, "too many arguments");
    lua_xmove(L, co, nargs + 1);
    return run_guarded(L, nargs, 0, false);
}

/* go_on(label, budget, coroutine, used_ns, warned): the next slice of what a guard began. */
static int l_go_on(lua_State *L)
{
    luaL_checktype(L, 3, LUA_TTHREAD);
    return run_guarded(L, 0, (int64_t)luaL_checknumber(L, 4), lua_toboolean(L, 5));
}

static int l_info(lua_State *L)
{
    const struct host *host = lua_touserdata(L, lua_upvalueindex(1));
    const struct generation *generation = generation_of(L);

    lua_createtable(L, 0, 7);
    lua_pushboolean(L, generation && generation_is_retired(generation));
    lua_setfield(L, -2, "retired");
    lua_pushboolean(L, generation && generation_is_standby(generation));
    lua_setfield(L, -2, "standby");
    lua_pushnumber(L, generation ? (double)generation_number(generation) : 0);
    lua_setfield(L, -2, "generation");
    lua_pushstring(L, bundle_hash(vm_bundle(L)));
    lua_setfield(L, -2, "hash");
    lua_pushstring(L, host->role);
    lua_setfield(L, -2, "role");
    lua_pushliteral(L, FURA_VERSION);
    lua_setfield(L, -2, "version");
    lua_pushboolean(L, host->state && atomic_load(&host->state->draining));
    lua_setfield(L, -2, "draining");
    return 1;
}

static int l_complain(lua_State *L)
{
    const struct host *host = lua_touserdata(L, lua_upvalueindex(1));
    const struct generation *generation = generation_of(L);
    struct slice text = bind_check_slice(L, 1);
    if (host->complain && generation)
        host->complain(host->master, generation, text);
    return 0;
}

/* ---- the master ---- */

/* The last line of the answer says how it ended; the others are given in a list. */
static void push_lines(lua_State *L, struct slice lines)
{
    struct failure why = {0};
    int count = 0;

    lua_newtable(L);
    while (lines.len > 0) {
        struct slice line = slice_cut(&lines, '\n');
        if (line.len > 0 && bind_json_decode(L, line, &why))
            lua_rawseti(L, -2, ++count);
    }
}

static void on_answered(void *owner, enum result rc, struct slice lines)
{
    struct wait *wait = owner;
    lua_State *L = wait_lua(wait);
    int results = 0;

    if (L && rc == R_OK) {
        push_lines(L, lines);
        results = 1;
    } else if (L) {
        results = bind_failure(L, rc, "master");
    }
    wait_finish(wait, results);
}

/* ask_master(order) -> list of answer lines; the caller may have died meanwhile when the generation was swapped. */
static int l_ask_master(lua_State *L)
{
    const struct host *host = lua_touserdata(L, lua_upvalueindex(1));
    luaL_checktype(L, 1, LUA_TTABLE);
    if (!host->ask_master)
        return bind_failure_text(L, "unavailable", "master", "no server runs around this script");

    struct buf *request = bind_scratch();
    bind_json_encode(L, 1, request);
    struct wait *wait = wait_begin(L, "master");
    enum result rc = host->ask_master(host->master, buf_slice(request), on_answered, wait);
    if (rc != R_OK) {
        wait_abandon(wait);
        return bind_failure(L, rc, "master");
    }
    return wait_yield(L, wait);
}

static const luaL_Reg functions[] = {
    {"read", l_read}, {"list", l_list},         {"compile", l_compile},       {"guard", l_guard},
    {"info", l_info}, {"complain", l_complain}, {"ask_master", l_ask_master}, {NULL, NULL},
};

void bind_script_open(lua_State *L, struct host *host)
{
    bind_module(L, functions, host);
    if (luaL_loadbuffer(L, (const char *)bind_script_lua, sizeof bind_script_lua, "=host.script") !=
        0)
        lua_error(L);
    lua_pushvalue(L, -2);
    lua_pushlightuserdata(L, (void *)&sliced);
    lua_pushcfunction(L, l_go_on);
    lua_call(L, 3, 0);
}
