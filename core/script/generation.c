/* generation.c: see generation.h. */
#include "script/generation.h"
#include "script/generation_tasks.h"
#include "script/vm.h"
#include "script/watchdog.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"

#include <lauxlib.h>
#include <stdlib.h>

enum { IDLE_THREADS_MAX = 128, BOOT_CPU_BUDGET_MS = 2000, SWEEP_NS = 1000 * 1000 };

struct idle_thread {
    lua_State *co;
    int ref;
};

struct generation {
    struct generation_recipe recipe;
    lua_State *L;
    int app_ref; /* the table lua/init.lua returned */
    unsigned tasks, holds;
    bool retired, standby;
    struct idle_thread idle[IDLE_THREADS_MAX];
    unsigned idle_count;
    struct task_cleanup cleanups;     /* list head: undone at retirement */
    struct generation_waiter waiters; /* list head: run when it goes live */
    struct loop_timer *drain_timer, *sweep_timer;
    int swept;               /* cycles of the collector since vm_let_go() */
    struct loop_later later; /* telling `built`, or closing */
    void *attached;
    void (*free_attached)(void *data);

    generation_built *built;
    void *built_owner;
    enum result verdict;
    struct buf problems;

    void (*closed)(void *owner);
    void *closed_owner;
};

/* ---- building ---- */

static void undo_all(struct generation *generation)
{
    while (generation->cleanups.prev != &generation->cleanups) {
        struct task_cleanup *cleanup = generation->cleanups.prev;
        generation_defer_remove(cleanup);
        cleanup->undo(cleanup->owner);
    }
}

static void free_generation(struct generation *generation)
{
    if (generation->L)
        vm_free(generation->L);
    loop_timer_free(generation->drain_timer);
    loop_timer_free(generation->sweep_timer);
    loop_later_cancel(&generation->later);
    buf_free(&generation->problems);
    bundle_free(generation->recipe.bundle);
    free(generation);
}

/* Gone before anybody is told: finalizers still use the host, which belongs to who is told. */
static void end(struct generation *generation)
{
    struct generation was = *generation;

    generation->problems = (struct buf){0};
    free_generation(generation);
    if (was.verdict != R_OK)
        was.built(was.built_owner, NULL, was.verdict, buf_slice(&was.problems));
    else if (was.closed)
        was.closed(was.closed_owner);
    buf_free(&was.problems);
}

/* Requests have their turn between the steps. */
static void on_sweep(void *owner)
{
    struct generation *generation = owner;
    int64_t until_ns = clock_monotonic_ns() + SWEEP_NS;

    while (generation->swept < VM_CYCLES && clock_monotonic_ns() < until_ns)
        generation->swept += vm_collect_step(generation->L);
    if (generation->swept < VM_CYCLES)
        loop_timer_start(generation->sweep_timer, 0);
    else
        end(generation);
}

static void begin_to_end(struct generation *generation)
{
    loop_timer_stop(generation->drain_timer);
    undo_all(generation);
    if (generation->attached)
        generation->free_attached(generation->attached);
    generation->attached = NULL;
    if (!generation->L) {
        end(generation);
        return;
    }
    watchdog_leave(generation->L);
    vm_let_go(generation->L);
    on_sweep(generation);
}

static void on_verdict(void *owner)
{
    struct generation *generation = owner;

    if (generation->verdict == R_OK) {
        generation->built(generation->built_owner, generation, R_OK, SLICE(""));
        return;
    }
    task_cancel_all(generation, R_CANCELLED); /* what start() had spawned */
    begin_to_end(generation);
}

/* «file:line» where the innermost piece of the application stood, by a stack trace; empty when there is none. */
static struct slice place_of(const char *trace)
{
    for (const char *line = strchr(trace, '\n'); line; line = strchr(line + 1, '\n')) {
        const char *end = strstr(line, ": in ");
        struct slice place =
            slice_of(line + 2, end && end > line + 2 ? (size_t)(end - line - 2) : 0);
        if (line[1] == '\t' && memmem(place.data, place.len, ".lua:", 5))
            return place;
    }
    return SLICE("");
}

static void describe_long_boot(struct generation *generation, const struct task_end *end)
{
    struct slice place = place_of(end->error);
    buf_printf(&generation->problems,
               "%.*s: %s while it was loaded (expected loading and start to end within %d ms: "
               "look for a loop without an end here, or do the work when it is asked for)",
               (int)place.len, place.data, end->message, BOOT_CPU_BUDGET_MS);
}

static void on_boot_end(void *owner, struct task *task, const struct task_end *end)
{
    struct generation *generation = owner;
    (void)task;

    generation->verdict = end->rc;
    if (end->rc == R_OK) {
        lua_settop(end->co, 1);
        generation->app_ref = luaL_ref(end->co, LUA_REGISTRYINDEX);
    } else if (end->rc == R_REJECTED) {
        if (end->over_budget && place_of(end->error).len > 0)
            describe_long_boot(generation, end);
        else
            buf_append_slice(&generation->problems, slice_cstr(end->message));
        log_debug("generation rejected", LOG_STR("error", end->error));
    } else {
        buf_printf(&generation->problems, "lua/init.lua: loading did not finish within %u ms",
                   generation->recipe.build_timeout_ms);
    }
    loop_later(generation->recipe.loop, &generation->later, on_verdict, generation);
}

static void on_drain_deadline(void *owner)
{
    struct generation *generation = owner;
    log_warn("generation ended its last tasks at the drain deadline",
             LOG_INT("generation", generation->recipe.number), LOG_INT("tasks", generation->tasks));
    task_cancel_all(generation, R_CANCELLED);
}

void generation_build(const struct generation_recipe *recipe, generation_built *built, void *owner)
{
    struct generation *generation = mem_new(struct generation);
    struct failure why;

    generation->recipe = *recipe;
    generation->built = built;
    generation->built_owner = owner;
    generation->standby = recipe->standby;
    generation->cleanups.next = generation->cleanups.prev = &generation->cleanups;
    generation->waiters.next = generation->waiters.prev = &generation->waiters;
    generation->drain_timer = loop_timer_new(recipe->loop, on_drain_deadline, generation);
    generation->sweep_timer = loop_timer_new(recipe->loop, on_sweep, generation);
    generation->app_ref = LUA_NOREF;

    struct vm_options options = {.bundle = recipe->bundle,
                                 .open_host = recipe->open_host,
                                 .open_host_owner = recipe->open_host_owner,
                                 .memory_limit_bytes = recipe->memory_limit_bytes,
                                 .tooling = recipe->tooling};
    generation->L = vm_new(&options, &why);
    if (!generation->L) {
        generation->verdict = why.rc;
        buf_append_slice(&generation->problems, slice_cstr(why.text));
        loop_later(recipe->loop, &generation->later, on_verdict, generation);
        return;
    }
    struct task_spec spec = {.label = "boot",
                             .deadline_ms = clock_monotonic_ms() + recipe->build_timeout_ms,
                             .cpu_budget_ms = BOOT_CPU_BUDGET_MS,
                             .on_end = on_boot_end,
                             .owner = generation};
    if (recipe->interpreted || recipe->standby)
        watchdog_forgo(generation->L); /* the compiler stays with the one that serves */
    else
        watchdog_hold(generation->L);
    vm_push_boot(generation->L);
    task_spawn(generation, generation->L, 0, &spec);
}

/* ---- going live ---- */

void generation_await(struct generation *generation, struct generation_waiter *waiter)
{
    waiter->prev = generation->waiters.prev;
    waiter->next = &generation->waiters;
    generation->waiters.prev->next = waiter;
    generation->waiters.prev = waiter;
}

void generation_await_remove(struct generation_waiter *waiter)
{
    if (!waiter->next)
        return;
    waiter->prev->next = waiter->next;
    waiter->next->prev = waiter->prev;
    waiter->next = waiter->prev = NULL;
}

void generation_enliven(struct generation *generation)
{
    generation->standby = false;
    if (!generation->recipe.interpreted)
        watchdog_hold(generation->L);
    while (generation->waiters.next != &generation->waiters) {
        struct generation_waiter *waiter = generation->waiters.next;
        generation_await_remove(waiter);
        waiter->run(waiter->owner);
    }
}

bool generation_is_standby(const struct generation *generation)
{
    return generation->standby;
}

bool generation_holds_back(const struct generation *generation)
{
    return generation->standby && generation->app_ref == LUA_NOREF;
}

/* ---- ending ---- */

static void on_close(void *owner)
{
    begin_to_end(owner);
}

/* Closing waits for the loop: the last task may have ended deep inside a call that still uses the
 * VM. */
static void close_when_idle(struct generation *generation)
{
    if (generation->retired && generation->tasks == 0 && generation->holds == 0)
        loop_later(generation->recipe.loop, &generation->later, on_close, generation);
}

/* Before retirement what is due is the verdict, which is owed whatever happens. */
static void put_off_closing(struct generation *generation)
{
    if (generation->retired)
        loop_later_cancel(&generation->later);
}

void generation_retire(struct generation *generation, int64_t deadline_ms,
                       void (*closed)(void *owner), void *owner)
{
    generation->retired = true;
    generation->closed = closed;
    generation->closed_owner = owner;
    undo_all(generation);
    loop_timer_start(generation->drain_timer, deadline_ms - clock_monotonic_ms());
    close_when_idle(generation);
}

void generation_hold(struct generation *generation)
{
    generation->holds++;
    put_off_closing(generation);
}

void generation_release(struct generation *generation)
{
    generation->holds--;
    close_when_idle(generation);
}

/* ---- threads and tasks (generation_tasks.h) ---- */

lua_State *generation_take_thread(struct generation *generation, int *ref)
{
    if (generation->idle_count > 0) {
        struct idle_thread thread = generation->idle[--generation->idle_count];
        *ref = thread.ref;
        return thread.co;
    }
    lua_State *co = lua_newthread(generation->L);
    *ref = luaL_ref(generation->L, LUA_REGISTRYINDEX);
    return co;
}

void generation_give_thread(struct generation *generation, lua_State *co, int ref, bool reusable)
{
    if (!reusable || generation->idle_count == IDLE_THREADS_MAX) {
        luaL_unref(generation->L, LUA_REGISTRYINDEX, ref);
        return;
    }
    lua_resetthread(generation->L, co);
    generation->idle[generation->idle_count++] = (struct idle_thread){co, ref};
}

void generation_task_started(struct generation *generation)
{
    generation->tasks++;
    put_off_closing(generation);
}

void generation_task_ended(struct generation *generation)
{
    generation->tasks--;
    close_when_idle(generation);
}

/* ---- for bindings ---- */

void generation_defer(struct generation *generation, struct task_cleanup *cleanup)
{
    task_cleanup_append(&generation->cleanups, cleanup);
}

void generation_defer_remove(struct task_cleanup *cleanup)
{
    task_defer_remove(cleanup);
}

void generation_attach(struct generation *generation, void *data, void (*free_data)(void *data))
{
    generation->attached = data;
    generation->free_attached = free_data;
}

void *generation_attached(const struct generation *generation)
{
    return generation->attached;
}

struct loop *generation_loop(const struct generation *generation)
{
    return generation->recipe.loop;
}

uint64_t generation_number(const struct generation *generation)
{
    return generation->recipe.number;
}

const struct bundle *generation_bundle(const struct generation *generation)
{
    return generation->recipe.bundle;
}

lua_State *generation_lua(const struct generation *generation)
{
    return generation->L;
}

bool generation_is_retired(const struct generation *generation)
{
    return generation->retired;
}

unsigned generation_tasks(const struct generation *generation)
{
    return generation->tasks;
}

void generation_push_member(struct generation *generation, const char *name)
{
    lua_State *L = generation->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, generation->app_ref);
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    lua_remove(L, -2);
}
