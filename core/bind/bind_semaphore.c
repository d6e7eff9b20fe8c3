/* bind_semaphore.c: host.task.semaphore: permits, given first come first served and given back by C when their task ends. */
#include "bind/bind.h"
#include "base/mem.h"
#include "net/loop.h"
#include "script/generation.h"
#include "script/task.h"
#include "script/wait.h"

#include <stdlib.h>

static const char permit_meta[] = "fura.permit";

struct semaphore {
    unsigned permits;
    struct waiter *first, **last; /* first come, first served */
    struct loop *loop;
    struct loop_later later;
};

/* A userdata whose environment keeps the semaphore. */
struct permit {
    struct semaphore *semaphore; /* NULL once given back */
    struct task_cleanup cleanup;
};

struct waiter {
    struct wait *wait;
    struct semaphore *semaphore;
    lua_State *L; /* the generation's main state */
    int semaphore_ref;
    struct waiter *next;
};

static void on_permits(void *owner);

static void give_back(void *owner)
{
    struct permit *permit = owner;
    struct semaphore *semaphore = permit->semaphore;
    if (!semaphore)
        return;
    permit->semaphore = NULL;
    task_defer_remove(&permit->cleanup);
    semaphore->permits++;
    if (semaphore->first)
        loop_later(semaphore->loop, &semaphore->later, on_permits, semaphore);
}

/* Push a permit held by `task`; the semaphore is at `index`. */
static void push_permit(lua_State *L, struct task *task, int index)
{
    struct semaphore *semaphore = lua_touserdata(L, index);
    struct permit *permit = lua_newuserdata(L, sizeof *permit);
    *permit = (struct permit){.semaphore = semaphore};
    permit->cleanup.undo = give_back;
    permit->cleanup.owner = permit;
    luaL_getmetatable(L, permit_meta);
    lua_setmetatable(L, -2);
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, 1);
    lua_setfenv(L, -2);
    task_defer(task, &permit->cleanup);
    semaphore->permits--;
}

static void free_waiter(struct waiter *waiter)
{
    struct semaphore *semaphore = waiter->semaphore;
    struct waiter **at = &semaphore->first;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    if (!waiter->next)
        semaphore->last = at;
    free(waiter);
}

static void on_permits(void *owner)
{
    struct semaphore *semaphore = owner;
    struct waiter *waiter = semaphore->first;
    if (!waiter || semaphore->permits == 0)
        return;

    struct wait *wait = waiter->wait;
    lua_State *L = wait_lua(wait);
    lua_rawgeti(L, LUA_REGISTRYINDEX, waiter->semaphore_ref);
    luaL_unref(L, LUA_REGISTRYINDEX, waiter->semaphore_ref);
    free_waiter(waiter);
    push_permit(L, wait_task(wait), lua_gettop(L));
    lua_remove(L, -2);
    if (semaphore->first && semaphore->permits > 0)
        loop_later(semaphore->loop, &semaphore->later, on_permits, semaphore);
    wait_finish(wait, 1);
}

static void on_acquire_cancelled(void *owner)
{
    struct waiter *waiter = owner;
    struct wait *wait = waiter->wait;
    luaL_unref(waiter->L, LUA_REGISTRYINDEX, waiter->semaphore_ref);
    free_waiter(waiter);
    wait_finish(wait, 0);
}

static int l_semaphore(lua_State *L)
{
    double permits = luaL_checknumber(L, 1);
    luaL_argcheck(L, permits >= 1 && permits <= 1e6, 1, "at least one permit");
    struct host *host = lua_touserdata(L, lua_upvalueindex(1));
    struct semaphore *semaphore = lua_newuserdata(L, sizeof *semaphore);
    *semaphore = (struct semaphore){.permits = (unsigned)permits, .loop = host->loop};
    semaphore->last = &semaphore->first;
    luaL_getmetatable(L, BIND_SEMAPHORE_META);
    lua_setmetatable(L, -2);
    return 1;
}

static int l_acquire(lua_State *L)
{
    struct semaphore *semaphore = luaL_checkudata(L, 1, BIND_SEMAPHORE_META);
    struct wait *wait = wait_begin(L, "task.semaphore");
    if (semaphore->permits > 0 && !semaphore->first) {
        wait_abandon(wait);
        push_permit(L, task_of(L), 1);
        return 1;
    }
    struct waiter *waiter = mem_new(struct waiter);
    waiter->wait = wait;
    waiter->semaphore = semaphore;
    waiter->L = generation_lua(generation_of(L));
    lua_pushvalue(L, 1);
    waiter->semaphore_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    *semaphore->last = waiter;
    semaphore->last = &waiter->next;
    wait_on_cancel(wait, on_acquire_cancelled, waiter);
    return wait_yield(L, wait);
}

static int l_release(lua_State *L)
{
    give_back(luaL_checkudata(L, 1, permit_meta));
    return 0;
}

static int l_semaphore_gc(lua_State *L)
{
    struct semaphore *semaphore = luaL_checkudata(L, 1, BIND_SEMAPHORE_META);
    loop_later_cancel(&semaphore->later);
    return 0;
}

static const luaL_Reg semaphore_methods[] = {{"acquire", l_acquire}, {NULL, NULL}};
static const luaL_Reg permit_methods[] = {{"release", l_release}, {NULL, NULL}};

void bind_semaphore_open(lua_State *L, struct host *host)
{
    bind_class(L, BIND_SEMAPHORE_META, semaphore_methods, l_semaphore_gc);
    bind_class(L, permit_meta, permit_methods, l_release);
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, l_semaphore, 1);
    lua_setfield(L, -2, "semaphore");
}
