/* task.c: the coroutine scheduler: starts, parks, resumes, cancels and ends tasks. See task.h and
 * wait.h. The only file that calls lua_resume. One process runs one Lua thread at a time, so «the
 * running task» is a static: code that runs on any state belongs to it. */
#include "script/task.h"
#include "script/generation.h"
#include "script/generation_tasks.h"
#include "script/wait.h"
#include "script/vm.h"
#include "script/watchdog.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"

#include <lauxlib.h>
#include <stdlib.h>

enum {
    WAIT_KINDS_MAX = 6,
    LABEL_MAX = 64,
    LOG_ID_MAX = 65,
    TRACE_MAX = 56,
    TASK_POOL_MAX = 256,
    QUIET_MS = 1,
    TURNS_MAX = 4,
    OTHERS_MAX_MS = 10
};

struct task {
    uint64_t id;
    struct generation *generation;
    lua_State *co;
    int co_ref;
    struct wait *wait; /* the ticket it is parked on */
    bool running, cancel_wanted;
    enum result cancel_why;
    int64_t started_ms, deadline_ms;
    struct loop_timer *timer; /* armed at the first park of a task with a deadline */
    bool timer_armed;
    struct task_cleanup cleanups; /* list head */
    struct task_wait_time waits[WAIT_KINDS_MAX];
    unsigned wait_kinds;
    unsigned warn_ms, kill_ms;
    bool in_one_go;
    bool sliceable;  /* in its present run */
    int64_t used_ns; /* CPU time of the slices since its last wait */
    bool warned, forgiven;
    unsigned memory_kb;
    int64_t grown_bytes; /* by which the slices since its last wait made the VM grow */
    char label[LABEL_MAX], log_id[LOG_ID_MAX], trace[TRACE_MAX];
    void (*on_end)(void *owner, struct task *task, const struct task_end *end);
    void *owner;
    bool *has_ended; /* while its spawner waits for its first wait, which it may not reach */
    struct task *next, *prev;
};

struct wait {
    struct task *task; /* NULL once the task was cancelled */
    const char *what;
    int64_t since_us;
    bool parked;
    void (*cancel)(void *owner);
    void *owner;
    bool is_turn; /* waits for nothing but its turn */
    int results;  /* of a turn: already on the stack */
    struct wait *next, *prev;
};

/* Inner coroutines yield this to their resumer, which passes it on (vm_prelude.lua). */
static const char wait_token;

static struct task *current;
static struct task all_tasks = {.next = &all_tasks, .prev = &all_tasks};
static struct task *pool; /* linked by next; keeps timers allocated */
static unsigned pool_count, live_count;
static uint64_t last_id;
static unsigned budget_warn_ms, budget_kill_ms;
static const char *waiting_forbidden;

/* Who was interrupted goes on from here. */
static struct wait turns = {.next = &turns, .prev = &turns};
static struct loop_timer *turn_timer; /* NULL while nobody waits for a turn */
static unsigned turn_count;
static int64_t turn_planned_ms;
static unsigned others_ran, others_seen; /* runs of tasks that had not waited for a turn */

static void resume(struct task *task, int nargs);

/* ---- life ---- */

static void on_deadline(void *owner)
{
    struct task *task = owner;
    task->timer_armed = false;
    task_cancel(task, R_TIMEOUT);
}

static struct task *take_from_pool(struct loop *loop)
{
    struct task *task = pool;
    struct loop_timer *timer;
    if (task) {
        pool = task->next;
        pool_count--;
        timer = task->timer;
    } else {
        task = mem_alloc(sizeof *task);
        timer = loop_timer_new(loop, on_deadline, task);
    }
    *task = (struct task){.id = ++last_id, .timer = timer};
    return task;
}

static void give_to_pool(struct task *task)
{
    if (pool_count >= TASK_POOL_MAX) {
        loop_timer_free(task->timer);
        free(task);
        return;
    }
    task->next = pool;
    pool = task;
    pool_count++;
}

void task_drop_pool(void)
{
    while (pool) {
        struct task *task = pool;
        pool = task->next;
        loop_timer_free(task->timer);
        free(task);
    }
    pool_count = 0;
}

static void copy_text(char *out, size_t size, const char *text, size_t len)
{
    if (len >= size)
        len = size - 1;
    memcpy(out, text, len);
    out[len] = '\0';
}

static void link_task(struct task *task)
{
    task->prev = all_tasks.prev;
    task->next = &all_tasks;
    all_tasks.prev->next = task;
    all_tasks.prev = task;
    live_count++;
}

static void unlink_task(struct task *task)
{
    task->prev->next = task->next;
    task->next->prev = task->prev;
    live_count--;
}

void task_set_budget(unsigned warn_ms, unsigned kill_ms)
{
    budget_warn_ms = warn_ms;
    budget_kill_ms = kill_ms;
}

struct task *task_spawn(struct generation *generation, lua_State *from, int nargs,
                        const struct task_spec *spec)
{
    bool refused = vm_refuse_memory(false);
    struct task *task = take_from_pool(generation_loop(generation));
    task->generation = generation;
    task->started_ms = clock_monotonic_ms();
    task->deadline_ms = spec->deadline_ms;
    task->on_end = spec->on_end;
    task->owner = spec->owner;
    task->warn_ms = spec->cpu_budget_ms ? spec->cpu_budget_ms : budget_warn_ms;
    task->kill_ms = spec->cpu_budget_ms ? spec->cpu_budget_ms : budget_kill_ms;
    task->memory_kb = spec->memory_kb;
    task->in_one_go = spec->in_one_go;
    task->cleanups.next = task->cleanups.prev = &task->cleanups;
    copy_text(task->label, sizeof task->label, spec->label, strlen(spec->label));
    if (spec->log_id.data)
        copy_text(task->log_id, sizeof task->log_id, spec->log_id.data, spec->log_id.len);
    else if (current)
        memcpy(task->log_id, current->log_id, sizeof task->log_id);
    if (spec->trace.data)
        copy_text(task->trace, sizeof task->trace, spec->trace.data, spec->trace.len);
    else if (current)
        memcpy(task->trace, current->trace, sizeof task->trace);
    task->co = generation_take_thread(generation, &task->co_ref);
    link_task(task);
    generation_task_started(generation);

    bool has_ended = false;
    task->has_ended = &has_ended;
    others_ran++;
    lua_xmove(from, task->co, nargs + 1);
    resume(task, nargs);
    vm_refuse_memory(refused);
    if (has_ended)
        return NULL;
    task->has_ended = NULL;
    return task;
}

static void run_cleanups(struct task *task)
{
    while (task->cleanups.prev != &task->cleanups) {
        struct task_cleanup *cleanup = task->cleanups.prev;
        task_defer_remove(cleanup);
        cleanup->undo(cleanup->owner);
    }
}

void task_report(const struct task *task, const struct task_end *end)
{
    if (end->rc == R_REJECTED)
        log_error("task failed", LOG_STR("task", task->label), LOG_STR("id", task->log_id),
                  LOG_STR("error", end->error));
}

/* `reusable`: the coroutine ran to its end, so its thread can serve another task. */
static void end_task(struct task *task, const struct task_end *end, bool reusable)
{
    struct generation *generation = task->generation;

    if (task->timer_armed)
        loop_timer_stop(task->timer);
    unlink_task(task);
    run_cleanups(task);
    if (task->on_end)
        task->on_end(task->owner, task, end);
    else
        task_report(task, end);
    generation_give_thread(generation, task->co, task->co_ref, reusable);
    if (task->has_ended)
        *task->has_ended = true;
    give_to_pool(task);
    generation_task_ended(generation);
}

static void end_cancelled(struct task *task)
{
    struct task_end end = {.rc = task->cancel_why, .co = task->co};
    struct wait *wait = task->wait;

    if (wait) {
        task->wait = NULL;
        wait->task = NULL;
        if (wait->cancel)
            wait->cancel(wait->owner);
    }
    end_task(task, &end, false);
}

/* `stopped`: the run that the watchdog ended; NULL when the script raised by itself. */
static void end_failed(struct task *task, const struct watchdog_run *stopped)
{
    lua_State *co = task->co;
    bool over_budget =
        stopped ? !stopped->over_memory && !stopped->over_top : vm_is_late_failure(co);

    if (stopped && stopped->over_memory)
        lua_pushstring(co, vm_over_memory);
    else if (stopped && watchdog_is_interrupted())
        lua_pushliteral(co, "interrupted");
    else if (stopped && stopped->over_top)
        lua_pushfstring(co, "stopped after taking %d kB of memory without waiting",
                        (int)task->memory_kb);
    else if (stopped)
        lua_pushfstring(co, "stopped after %d ms of computing without waiting", (int)task->kill_ms);
    vm_describe_error(co); /* replaces the error value by: message, message with traceback */
    struct task_end end = {.rc = R_REJECTED,
                           .co = co,
                           .message = lua_tostring(co, -2),
                           .error = lua_tostring(co, -1),
                           .over_budget = over_budget};
    bool hoarded = lua_status(co) == LUA_ERRMEM || (stopped && stopped->over_memory);
    struct generation *generation = task->generation;
    generation_hold(generation);
    end_task(task, &end, false);
    if (hoarded)
        lua_gc(generation_lua(generation), LUA_GCCOLLECT,
               0); /* what the script held is garbage now */
    generation_release(generation);
}

/* ---- taking turns ---- */

static void on_turn(void *owner);

/* A timer rather than loop_later(), which may run again before the loop has looked for input. */
static void plan_turn(struct loop *loop)
{
    if (!turn_timer)
        turn_timer = loop_timer_new(loop, on_turn, loop);
    loop_timer_start(turn_timer, 0);
    turn_planned_ms = clock_monotonic_ms();
    others_seen = others_ran;
}

static void leave_turns(struct wait *wait)
{
    turn_count--;
    wait->prev->next = wait->next;
    wait->next->prev = wait->prev;
    if (turns.next != &turns)
        return;
    loop_timer_free(turn_timer);
    turn_timer = NULL;
}

/* One slice at a time. Before it the others run until none has for a moment (their answers from Redis need one), at most as
 * long as a slice lasts. */
static void on_turn(void *owner)
{
    struct wait *wait = turns.next;

    if (others_ran != others_seen && clock_monotonic_ms() - turn_planned_ms < OTHERS_MAX_MS) {
        others_seen = others_ran;
        loop_timer_start(turn_timer, QUIET_MS);
        return;
    }
    leave_turns(wait);
    if (turns.next != &turns)
        plan_turn(owner);
    wait_finish(wait, wait->results);
}

/* A spawned task runs on its spawner's time up to its first wait. When many wait for turns already it does so to the end, or
 * a script that spawns for ever would leave behind as many as fit into its budget, with a budget each. */
static bool may_be_sliced(const struct task *task)
{
    return !task->in_one_go && (!current || turn_count < TURNS_MAX);
}

static void on_turn_cancelled(void *owner)
{
    struct wait *wait = owner;
    leave_turns(wait);
    wait_finish(wait, 0);
}

static void await_turn(struct task *task, int results)
{
    struct wait *wait = mem_new(struct wait);
    *wait = (struct wait){.task = task,
                          .what = "slice",
                          .since_us = clock_monotonic_ns() / 1000,
                          .parked = true,
                          .cancel = on_turn_cancelled,
                          .owner = wait,
                          .is_turn = true,
                          .results = results,
                          .next = &turns,
                          .prev = turns.prev};
    turns.prev->next = wait;
    turns.prev = wait;
    task->wait = wait;
    turn_count++;
    plan_turn(generation_loop(task->generation));
}

/* ---- running ---- */

static void arm_deadline(struct task *task)
{
    if (!task->deadline_ms || task->timer_armed)
        return;
    loop_timer_start(task->timer, task->deadline_ms - clock_monotonic_ms());
    task->timer_armed = true;
}

/* Nobody else runs meanwhile, so what the VM grows by is the task's: garbage too, until it is collected. */
static size_t memory_top(const struct task *task)
{
    if (!task->memory_kb)
        return 0;
    int64_t top =
        (int64_t)vm_memory(task->co) + (int64_t)task->memory_kb * 1024 - task->grown_bytes;
    return top > 0 ? (size_t)top : 1;
}

static int64_t grown_bytes(const struct task *task, const struct watchdog_run *run)
{
    if (!task->memory_kb)
        return 0;
    return (int64_t)vm_memory(task->co) + (int64_t)task->memory_kb * 1024 -
           (int64_t)run->memory_top;
}

/* What stays on its stack: of a turn all, as it goes on where it stood; else a token of an inner coroutine may lie there. */
static void park(struct task *task, const struct watchdog_run *run)
{
    if (task->wait->is_turn) {
        task->used_ns = watchdog_used_ns(run);
        task->warned = run->warned;
        task->forgiven = run->forgiven;
        task->grown_bytes = grown_bytes(task, run);
    } else {
        lua_settop(task->co, 0);
        task->used_ns = task->grown_bytes = 0;
        task->warned = task->forgiven = false;
    }
    arm_deadline(task);
}

/* It ended, waits, or lies stopped or interrupted. */
static void take_up(struct task *task, const struct watchdog_run *run, int rc, bool stopped)
{
    if (rc == 0) {
        struct task_end end = {.rc = R_OK, .co = task->co, .results = lua_gettop(task->co)};
        end_task(task, &end, true);
        return;
    }
    if (run->sliced && !task->cancel_wanted)
        await_turn(task, 0);
    if (rc != LUA_YIELD || (stopped && !task->wait)) {
        end_failed(task, stopped ? run : NULL);
    } else if (!task->wait && !run->sliced) {
        vm_push_stray_yield(task->co);
        end_failed(task, NULL);
    } else if (task->cancel_wanted) {
        end_cancelled(task);
    } else {
        park(task, run);
    }
}

static void resume(struct task *task, int nargs)
{
    struct task *outer = current;
    task->sliceable = may_be_sliced(task);
    struct watchdog_run run = {.co = task->co,
                               .label = task->label,
                               .warn_ms = task->warn_ms,
                               .kill_ms = task->kill_ms,
                               .sliceable = task->sliceable,
                               .memory_top = memory_top(task),
                               .used_ns = task->used_ns,
                               .warned = task->warned,
                               .forgiven = task->forgiven};

    current = task;
    task->running = true;
    bool refused = vm_refuse_memory(true);
    watchdog_begin(&run);
    int rc = lua_resume(task->co, nargs);
    bool stopped = watchdog_end(&run);
    vm_refuse_memory(false);
    task->running = false;
    current = outer;
    take_up(task, &run, rc, stopped);
    vm_refuse_memory(refused);
}

void task_cancel(struct task *task, enum result why)
{
    if (task->cancel_wanted)
        return;
    task->cancel_wanted = true;
    task->cancel_why = why;
    if (task->running || !task->wait)
        return;
    bool refused = vm_refuse_memory(false);
    end_cancelled(task);
    vm_refuse_memory(refused);
}

/* ---- waiting ---- */

struct wait *wait_begin(lua_State *L, const char *what)
{
    if (!current)
        luaL_error(L,
                   "host.%s waits, and waiting needs a task: call it from a handler, a job, "
                   "start() or a spawned function",
                   what);
    if (waiting_forbidden)
        luaL_error(L, "host.%s waits: %s", what, waiting_forbidden);
    if (!lua_isyieldable(L))
        luaL_error(L,
                   "host.%s waits, which is not possible inside a callback of a C function "
                   "(table.sort, string.gsub, a metamethod, an iterator): wait before or after it",
                   what);
    if (current->wait)
        luaL_error(L, "host.%s: this task is waiting already", what);
    struct wait *wait = mem_new(struct wait);
    wait->task = current;
    wait->what = what;
    return wait;
}

const char *wait_forbid(const char *why)
{
    const char *before = waiting_forbidden;
    waiting_forbidden = why;
    return before;
}

void wait_on_cancel(struct wait *wait, void (*cancel)(void *owner), void *owner)
{
    wait->cancel = cancel;
    wait->owner = owner;
}

int wait_yield(lua_State *L, struct wait *wait)
{
    wait->parked = true;
    wait->since_us = clock_monotonic_ns() / 1000;
    wait->task->wait = wait;
    if (L == wait->task->co)
        return lua_yield(L, 0);
    lua_pushlightuserdata(L, (void *)&wait_token);
    return lua_yield(L, 1);
}

bool wait_can_take_turn(lua_State *L)
{
    return current && current->sliceable && L == current->co && lua_isyieldable(L);
}

int wait_turn(lua_State *L, int results)
{
    await_turn(current, results);
    return lua_yield(L, results);
}

void wait_push_token(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&wait_token);
}

lua_State *wait_lua(struct wait *wait)
{
    return wait->task ? wait->task->co : NULL;
}

struct task *wait_task(struct wait *wait)
{
    return wait->task;
}

static void count_wait(struct task *task, const struct wait *wait)
{
    int64_t took_us = clock_monotonic_ns() / 1000 - wait->since_us;
    unsigned i = 0;
    while (i < task->wait_kinds && task->waits[i].what != wait->what)
        i++;
    if (i == WAIT_KINDS_MAX)
        return;
    if (i == task->wait_kinds)
        task->waits[task->wait_kinds++] = (struct task_wait_time){.what = wait->what};
    task->waits[i].total_us += took_us;
    task->waits[i].count++;
}

void wait_finish(struct wait *wait, int results)
{
    struct task *task = wait->task;
    if (task) {
        count_wait(task, wait);
        task->wait = NULL;
        others_ran += !wait->is_turn;
    }
    free(wait);
    if (task)
        resume(task, results);
}

void wait_abandon(struct wait *wait)
{
    free(wait);
}

/* ---- asking ---- */

struct task *task_of(lua_State *L)
{
    (void)L;
    return current;
}

struct generation *generation_of(lua_State *L)
{
    (void)L;
    return current ? current->generation : NULL;
}

struct generation *task_generation(const struct task *task)
{
    return task->generation;
}

const char *task_label(const struct task *task)
{
    return task->label;
}

int64_t task_deadline_ms(const struct task *task)
{
    return task->deadline_ms;
}

unsigned task_timeout_ms(const struct task *task, unsigned cap)
{
    if (!task->deadline_ms)
        return cap;
    int64_t left = task->deadline_ms - clock_monotonic_ms();
    if (left < 1)
        return 1;
    return left < cap ? (unsigned)left : cap;
}

const char *task_log_id(const struct task *task)
{
    return task->log_id;
}

const char *task_trace(const struct task *task)
{
    return task->trace;
}

void task_cleanup_append(struct task_cleanup *head, struct task_cleanup *cleanup)
{
    cleanup->prev = head->prev;
    cleanup->next = head;
    head->prev->next = cleanup;
    head->prev = cleanup;
}

void task_defer(struct task *task, struct task_cleanup *cleanup)
{
    task_cleanup_append(&task->cleanups, cleanup);
}

void task_defer_remove(struct task_cleanup *cleanup)
{
    if (!cleanup->next)
        return;
    cleanup->prev->next = cleanup->next;
    cleanup->next->prev = cleanup->prev;
    cleanup->next = cleanup->prev = NULL;
}

unsigned task_wait_times(const struct task *task, struct task_wait_time *out, unsigned max)
{
    unsigned count = task->wait_kinds < max ? task->wait_kinds : max;
    memcpy(out, task->waits, count * sizeof *out);
    return count;
}

void task_each(void (*visit)(void *owner, const struct task_info *info), void *owner)
{
    int64_t now_ms = clock_monotonic_ms();
    for (struct task *task = all_tasks.next; task != &all_tasks; task = task->next) {
        struct task_info info = {.id = task->id,
                                 .label = task->label,
                                 .waits_for =
                                     task->wait && !task->wait->is_turn ? task->wait->what : NULL,
                                 .sliced = task->wait && task->wait->is_turn,
                                 .age_ms = now_ms - task->started_ms,
                                 .generation = task->generation};
        visit(owner, &info);
    }
}

unsigned task_count(void)
{
    return live_count;
}

struct task *task_find(uint64_t id)
{
    for (struct task *task = all_tasks.next; task != &all_tasks; task = task->next)
        if (task->id == id)
            return task;
    return NULL;
}

void task_cancel_all(const struct generation *generation, enum result why)
{
    struct task *task = all_tasks.next;
    while (task != &all_tasks) {
        bool ours = task->generation == generation && !task->cancel_wanted;
        struct task *next = task->next;
        if (ours) {
            task_cancel(task, why);
            next = all_tasks.next; /* its end may have ended others: start over */
        }
        task = next;
    }
}
