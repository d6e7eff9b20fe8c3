/* bind_task.c: host.task: sleeping, spawning and joining, permits. What can be said in Lua is in
 * bind_task.lua. */
#include "bind/bind.h"
#include "base/stack.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "script/generation.h"
#include "script/task.h"
#include "script/wait.h"
#include "script/watchdog.h"
#include "bind_task.lua.h"

#include <stdio.h>
#include <stdlib.h>

static const char handle_meta[] = "fura.task";

/* ---- sleep ---- */

struct sleeper {
    struct wait *wait;
    struct loop_timer *timer;
};

static void on_slept(void *owner)
{
    struct sleeper *sleeper = owner;
    struct wait *wait = sleeper->wait;
    loop_timer_free(sleeper->timer);
    free(sleeper);
    wait_finish(wait, 0);
}

static int l_sleep(lua_State *L)
{
    double ms = luaL_checknumber(L, 1);
    luaL_argcheck(L, ms >= 0 && ms < 1e12, 1, "milliseconds to sleep");
    struct wait *wait = wait_begin(L, "task.sleep");
    struct sleeper *sleeper = mem_new(struct sleeper);
    sleeper->wait = wait;
    sleeper->timer = loop_timer_new(generation_loop(generation_of(L)), on_slept, sleeper);
    loop_timer_start(sleeper->timer, (int64_t)ms);
    wait_on_cancel(wait, on_slept, sleeper);
    return wait_yield(L, wait);
}

/* ---- spawn and join ---- */

/* One task waiting for another's end. */
struct join {
    struct wait *wait;
    struct handle *handle;
    int handle_ref; /* keeps the handle while somebody waits for it */
    struct loop_later later;
    struct join *next;
};

/* A userdata. Its environment table holds the results once ended. */
struct handle {
    struct generation *generation;
    struct task *task; /* NULL once ended */
    bool ended;
    enum result rc;
    int result_count;
    int self_ref; /* keeps the handle while the task runs */
    struct join *joins;
    struct task_cleanup with_parent;
};

static struct handle *check_handle(lua_State *L)
{
    return luaL_checkudata(L, 1, handle_meta);
}

/* Push what join() returns; the handle is at `index`. */
static int push_results(lua_State *L, const struct handle *handle, int index)
{
    if (handle->rc != R_OK && handle->rc != R_REJECTED)
        return bind_failure(L, handle->rc, "task");
    if (!lua_checkstack(L, handle->result_count + 4)) /* no raise: in on_joined() it kills */
        return bind_failure_text(L, "script_error", "task", "too many results");
    lua_getfenv(L, index);
    int results = lua_gettop(L);
    if (handle->rc == R_REJECTED) {
        lua_rawgeti(L, results, 1);
        return bind_failure_text(L, "script_error", "task", lua_tostring(L, -1));
    }
    for (int i = 1; i <= handle->result_count; i++)
        lua_rawgeti(L, results, i);
    lua_remove(L, results);
    return handle->result_count;
}

static void unlink_join(struct join *join)
{
    struct join **at = &join->handle->joins;
    while (*at && *at != join)
        at = &(*at)->next;
    if (*at)
        *at = join->next;
}

static void free_join(struct join *join)
{
    loop_later_cancel(&join->later);
    luaL_unref(generation_lua(join->handle->generation), LUA_REGISTRYINDEX, join->handle_ref);
    free(join);
}

static void on_joined(void *owner)
{
    struct join *join = owner;
    struct wait *wait = join->wait;
    lua_State *L = wait_lua(wait);
    lua_rawgeti(L, LUA_REGISTRYINDEX, join->handle_ref);
    int handle_index = lua_gettop(L);
    int n = push_results(L, join->handle, handle_index);
    lua_remove(L, handle_index);
    free_join(join);
    wait_finish(wait, n);
}

static void on_join_cancelled(void *owner)
{
    struct join *join = owner;
    struct wait *wait = join->wait;
    unlink_join(join);
    free_join(join);
    wait_finish(wait, 0);
}

static void keep_results(struct handle *handle, const struct task_end *end)
{
    lua_State *co = end->co;
    lua_rawgeti(co, LUA_REGISTRYINDEX, handle->self_ref);
    lua_newtable(co);
    int table = lua_gettop(co);
    if (end->rc == R_REJECTED) {
        lua_pushstring(co, end->message);
        lua_rawseti(co, table, 1);
    } else if (end->rc == R_OK) {
        handle->result_count = end->results;
        for (int i = 1; i <= end->results; i++) {
            lua_pushvalue(co, i);
            lua_rawseti(co, table, i);
        }
    }
    lua_setfenv(co, -2);
    lua_pop(co, 1);
}

static void on_task_end(void *owner, struct task *task, const struct task_end *end)
{
    struct handle *handle = owner;
    lua_State *L = generation_lua(handle->generation);

    task_report(task, end);
    handle->ended = true;
    handle->task = NULL;
    handle->rc = end->rc;
    keep_results(handle, end);
    task_defer_remove(&handle->with_parent);
    while (handle->joins) {
        struct join *join = handle->joins;
        handle->joins = join->next;
        loop_later(generation_loop(handle->generation), &join->later, on_joined, join);
    }
    luaL_unref(L, LUA_REGISTRYINDEX, handle->self_ref);
}

static void on_parent_end(void *owner)
{
    struct handle *handle = owner;
    if (handle->task)
        task_cancel(handle->task, R_CANCELLED);
}

static int64_t child_deadline_ms(lua_State *L, const struct task *parent, bool detached)
{
    double own_ms = bind_opt_number(L, 1, "deadline_ms", 0);
    int64_t deadline_ms = detached ? 0 : task_deadline_ms(parent);
    int64_t own = own_ms > 0 ? clock_monotonic_ms() + (int64_t)own_ms : 0;
    return own && (!deadline_ms || own < deadline_ms) ? own : deadline_ms;
}

/* A task runs inside its spawner up to its first wait: those that spawn each other must come to an end. */
static void check_spawner(lua_State *L)
{
    if (stack_is_deep())
        luaL_error(L, "tasks spawn each other too deep: wait between, as by host.task.sleep(0)");
    if (watchdog_is_overdue())
        luaL_error(L, "no more tasks: this one computed for longer than its budget");
}

/* spawn_with(options, fn, ...) */
static int l_spawn_with(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    struct task *parent = task_of(L);
    if (!parent)
        return luaL_error(L, "host.task.spawn needs a running task");
    check_spawner(L);
    bool detached = bind_opt_bool(L, 1, "detached", true);
    struct slice label = bind_opt_slice(L, 1, "label");
    struct task_spec spec = {.label = label.data ? label.data : task_label(parent),
                             .cpu_budget_ms = (unsigned)bind_opt_number(L, 1, "cpu_ms", 0),
                             .memory_kb = (unsigned)bind_opt_number(L, 1, "memory_kb", 0),
                             .deadline_ms = child_deadline_ms(L, parent, detached),
                             .on_end = on_task_end};
    int nargs = lua_gettop(L) - 2;

    struct handle *handle = lua_newuserdata(L, sizeof *handle);
    *handle = (struct handle){.generation = task_generation(parent)};
    luaL_getmetatable(L, handle_meta);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    handle->self_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_insert(L, 2); /* options, handle, fn, ... */

    spec.owner = handle;
    struct task *task = task_spawn(handle->generation, L, nargs, &spec);
    if (!handle->ended) {
        handle->task = task;
        if (!detached) {
            handle->with_parent = (struct task_cleanup){.undo = on_parent_end, .owner = handle};
            task_defer(parent, &handle->with_parent);
        }
    }
    lua_settop(L, 2);
    return 1;
}

static int l_join(lua_State *L)
{
    struct handle *handle = check_handle(L);
    if (handle->ended)
        return push_results(L, handle, 1);

    struct wait *wait = wait_begin(L, "task.join");
    struct join *join = mem_new(struct join);
    join->wait = wait;
    join->handle = handle;
    lua_pushvalue(L, 1);
    join->handle_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    join->next = handle->joins;
    handle->joins = join;
    wait_on_cancel(wait, on_join_cancelled, join);
    return wait_yield(L, wait);
}

static int l_cancel(lua_State *L)
{
    struct handle *handle = check_handle(L);
    if (handle->task)
        task_cancel(handle->task, R_CANCELLED);
    return 0;
}

static int l_ended(lua_State *L)
{
    lua_pushboolean(L, check_handle(L)->ended);
    return 1;
}

static int l_remaining_ms(lua_State *L)
{
    struct task *task = task_of(L);
    if (!task || !task_deadline_ms(task))
        return 0;
    lua_pushnumber(L, task_timeout_ms(task, UINT32_MAX));
    return 1;
}

/* Elapsed less waited is what a piece of a task cost the worker. */
static int l_waited_ms(lua_State *L)
{
    enum { KINDS_MAX = 16 };
    struct task_wait_time times[KINDS_MAX];
    struct task *task = task_of(L);
    unsigned count = task ? task_wait_times(task, times, KINDS_MAX) : 0;
    double total_us = 0;
    for (unsigned i = 0; i < count; i++)
        total_us += (double)times[i].total_us;
    lua_pushnumber(L, total_us / 1000);
    return 1;
}

/* ---- opening ---- */

static const luaL_Reg functions[] = {
    {"sleep", l_sleep},
    {"spawn_with", l_spawn_with},
    {"remaining_ms", l_remaining_ms},
    {"waited_ms", l_waited_ms},
    {NULL, NULL},
};
static const luaL_Reg handle_methods[] = {
    {"join", l_join}, {"cancel", l_cancel}, {"ended", l_ended}, {NULL, NULL}};

void bind_task_open(lua_State *L, struct host *host)
{
    bind_class(L, handle_meta, handle_methods, NULL);
    bind_module(L, functions, host);
    bind_semaphore_open(L, host);
    if (luaL_loadbuffer(L, (const char *)bind_task_lua, sizeof bind_task_lua, "=host.task") != 0)
        lua_error(L);
    lua_pushvalue(L, -2);
    luaL_getmetatable(L, BIND_SEMAPHORE_META);
    lua_call(L, 2, 0);
}
