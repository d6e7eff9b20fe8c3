/* vm.c: see vm.h. What a module sees and may require is decided in vm_prelude.lua; this file opens
 * the libraries, feeds the prelude and describes errors. */
#include "script/vm.h"
#include "script/long_call.h"
#include "script/wait.h"
#include "script/watchdog.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "vm_prelude.lua.h"

#include <lauxlib.h>
#include <lualib.h>
#include <luajit.h>
#include <stdlib.h>

static const char boot_key, bundle_key; /* registry keys: their addresses */

/* find_module(name) -> chunk | nil, problem. "services.sessions" is lua/services/sessions.lua of
 * the bundle. */
static int l_find_module(lua_State *L)
{
    const struct bundle *bundle = lua_touserdata(L, lua_upvalueindex(1));
    const char *name = luaL_checkstring(L, 1);
    struct buf path = {0};
    struct slice source;

    buf_append_slice(&path, SLICE("@lua/"));
    for (const char *c = name; *c; c++)
        buf_append_char(&path, *c == '.' ? '/' : *c);
    buf_append_slice(&path, SLICE(".lua"));
    lua_pushlstring(L, path.data, path.len);
    const char *chunk_name = lua_tostring(L, -1);
    buf_free(&path);

    if (!bundle_find(bundle, slice_cstr(chunk_name + 1), &source)) {
        lua_pushnil(L);
        lua_pushfstring(L, "module '%s' not found: there is no %s", name, chunk_name + 1);
        return 2;
    }
    if (source.len > 0 && source.data[0] == LUA_SIGNATURE[0]) {
        lua_pushnil(L);
        lua_pushfstring(L, "%s:1: compiled Lua is not accepted, only source text", chunk_name + 1);
        return 2;
    }
    if (luaL_loadbuffer(L, source.data, source.len, chunk_name) != 0) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    return 1;
}

static void seed_random(lua_State *L)
{
    uint32_t seed;
    crypto_random(&seed, sizeof seed);
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushnumber(L, seed);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
}

/* ---- memory ---- */

enum { BIG_BLOCK_MIN = 16 << 20, COLLECT_KIB = 16 };

struct memory {
    size_t used, limit;
    lua_Alloc source;
    void *source_ud;
};

static bool may_refuse;

/* A block so big that what Lua does with it in one go (turn, join or format it) would take long. */
static size_t big_block(const struct memory *memory)
{
    size_t quarter = memory->limit / 4;
    return quarter > BIG_BLOCK_MIN ? quarter : BIG_BLOCK_MIN;
}

/* lua_Alloc. A running script that goes over the limit, in all or with one block, is stopped at its next instruction. Refusing
 * is kept for what is far beyond: an error raised inside compiled code is the riskier way out. */
static void *allocate(void *ud, void *ptr, size_t old_size, size_t new_size)
{
    struct memory *memory = ud;
    if (new_size == 0) {
        memory->used -= old_size;
        return memory->source(memory->source_ud, ptr, old_size, 0);
    }
    size_t after = memory->used - old_size + new_size;
    bool is_watched = new_size > old_size && watchdog_note_growth(after);
    if (is_watched && memory->limit && (after > memory->limit || new_size > big_block(memory))) {
        if (may_refuse && (after > 2 * memory->limit || new_size > 2 * big_block(memory)))
            return NULL;
        watchdog_stop_hoarder();
    }
    void *grown = memory->source(memory->source_ud, ptr, old_size, new_size);
    if (grown)
        memory->used = after;
    return grown;
}

bool vm_refuse_memory(bool may)
{
    bool before = may_refuse;
    may_refuse = may;
    return before;
}

#ifdef FURA_SANITIZED
static void *take_from_heap(void *ud, void *ptr, size_t old_size, size_t new_size)
{
    (void)ud, (void)old_size;
    if (new_size > 0)
        return realloc(ptr, new_size);
    free(ptr);
    return NULL;
}
#endif

/* Memory comes from LuaJIT's own allocator: pages of this VM alone, all of which go back to the system when it closes, so that
 * reloads leave no holes behind. A sanitized build takes it from the heap, where every byte is watched. */
static lua_State *open_state(void)
{
#ifdef FURA_SANITIZED
    lua_State *L = lua_newstate(take_from_heap, NULL);
#else
    lua_State *L = luaL_newstate();
#endif
    if (!L)
        abort();
    return L;
}

static lua_State *new_state(size_t limit_bytes)
{
    lua_State *L = open_state();
    struct memory *memory = mem_new(struct memory);
    memory->limit = limit_bytes;
    memory->used = (size_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB, 0);
    memory->source = lua_getallocf(L, &memory->source_ud);
    lua_setallocf(L, allocate, memory);
    return L;
}

/* LuaJIT knows its allocator again by its address. */
static void close_state(lua_State *L)
{
    struct memory *memory;
    lua_getallocf(L, (void **)&memory);
    lua_setallocf(L, memory->source, memory->source_ud);
    lua_close(L);
    free(memory);
}

/* ---- opening ---- */

/* Under lua_cpcall: `ud` is the vm_options. */
static int build(lua_State *L)
{
    const struct vm_options *options = lua_touserdata(L, 1);

    luaL_openlibs(L);
    long_call_open(L);
    seed_random(L);
    if (luaL_loadbuffer(L, (const char *)vm_prelude_lua, sizeof vm_prelude_lua, "=prelude") != 0)
        return lua_error(L);
    lua_pushlightuserdata(L, (void *)options->bundle);
    lua_pushcclosure(L, l_find_module, 1);
    wait_push_token(L);
    options->open_host(L, options->open_host_owner);
    lua_pushboolean(L, options->tooling);
    lua_call(L, 4, 1);
    lua_pushlightuserdata(L, (void *)&boot_key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_pushlightuserdata(L, (void *)&bundle_key);
    lua_pushlightuserdata(L, (void *)options->bundle);
    lua_rawset(L, LUA_REGISTRYINDEX);
    return 0;
}

lua_State *vm_new(const struct vm_options *options, struct failure *why)
{
    lua_State *L = new_state(options->memory_limit_bytes);
    if (lua_cpcall(L, build, (void *)options) != 0) {
        fail(why, R_REJECTED, "%s", lua_tostring(L, -1));
        close_state(L);
        return NULL;
    }
    return L;
}

void vm_free(lua_State *L)
{
    close_state(L);
}

/* The metatable of a userdata: its finalizer asks the registry for it. */
static bool is_class(lua_State *L, int index)
{
    if (!lua_istable(L, index))
        return false;
    lua_pushliteral(L, "__gc");
    lua_rawget(L, index - 1);
    bool is = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return is;
}

void vm_let_go(lua_State *L)
{
    lua_settop(L, 0);
    for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX); lua_pop(L, 1)) {
        if (is_class(L, -1))
            continue;
        lua_pushvalue(L, -2);
        lua_pushnil(L);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    lua_newtable(L);
    lua_replace(L, LUA_GLOBALSINDEX);
}

bool vm_collect_step(lua_State *L)
{
    return lua_gc(L, LUA_GCSTEP, COLLECT_KIB) == 1;
}

size_t vm_memory(lua_State *L)
{
    return (size_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB, 0);
}

void vm_push_boot(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&boot_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

const struct bundle *vm_bundle(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&bundle_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    const struct bundle *bundle = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return bundle;
}

/* An error value may be any Lua value; a table is asked for its words without running its code. */
static void push_message(lua_State *co)
{
    if (lua_type(co, -1) == LUA_TSTRING || lua_type(co, -1) == LUA_TNUMBER) {
        lua_pushvalue(co, -1);
        lua_tostring(co, -1);
        return;
    }
    if (lua_istable(co, -1)) {
        lua_pushliteral(co, "text");
        lua_rawget(co, -2);
        if (lua_type(co, -1) == LUA_TSTRING)
            return;
        lua_pop(co, 1);
    }
    lua_pushfstring(co, "(error object is a %s value)", luaL_typename(co, -1));
}

const char vm_over_budget[] = "stopped: it computed for longer than its budget";
const char vm_over_memory[] = "stopped: the scripts of this generation use more than lua_memory_mb";

bool vm_is_late_failure(lua_State *co)
{
    if (!lua_istable(co, -1) || !lua_checkstack(co, 2))
        return false;
    lua_pushliteral(co, "code");
    lua_rawget(co, -2);
    lua_pushliteral(co, "script_timeout");
    bool is_late = lua_rawequal(co, -1, -2);
    lua_pop(co, 2);
    return is_late;
}

void vm_push_stray_yield(lua_State *co)
{
    lua_settop(co, 0);
    lua_pushliteral(co, "coroutine.yield outside of a coroutine made by the script");
}

void vm_describe_error(lua_State *co)
{
    if (!lua_checkstack(co, 8))
        lua_settop(co, lua_gettop(co) - 8);
    push_message(co);
    lua_remove(co, -2);
    luaL_traceback(co, co, lua_tostring(co, -1), 0);
}
