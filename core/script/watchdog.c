/* watchdog.c: see watchdog.h. The measurements behind the recipe are in docs/adr/0004. */
#include "script/watchdog.h"
#include "base/clock.h"
#include "base/log.h"

#include <lauxlib.h>
#include <luajit.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <time.h>

enum {
    TICK_MS = 5,
    IDLE_TICK_MS = 40,
    IDLE_AFTER_TICKS = 200,
    SELF_TEST_BUDGET_MS = 20,
    WATCH_SIGNAL = SIGVTALRM, /* nobody else in this process uses it */
};

enum order { NOTHING, WARN, STOP };

static pthread_t lua_thread, watch_thread;
static clockid_t lua_cpu;
static bool started;
static lua_State *holder; /* the VM with the JIT */
static lua_State *former; /* who held before: it takes over again when a candidate is rejected */
static bool recipe_works;
static void (*profile_signal)(int signal);

/* Written by the Lua thread, read by the watching one. */
static struct watchdog_run *current;
static _Atomic uint64_t current_id; /* 0: no Lua is running */
static _Atomic unsigned current_warn_ms, current_kill_ms;
static _Atomic uint64_t root_id; /* the outermost run: its budget holds for all that it runs */
static _Atomic unsigned root_kill_ms;
static uint64_t last_id;

/* Written by the watching thread: what to do with which run. */
static _Atomic uint64_t order_id;
static atomic_int order;
static atomic_bool stop_wanted;

/* ---- the Lua thread ---- */

static void log_warning(lua_State *L, struct watchdog_run *run)
{
    run->warned = true;
    luaL_traceback(L, L, NULL, 0);
    log_warn("script runs long without waiting", LOG_STR("script", run->label),
             LOG_INT("warn_ms", run->warn_ms), LOG_STR("stack", lua_tostring(L, -1)));
    lua_pop(L, 1);
}

/* Runs on the next instruction after a signal. Where a yield is impossible (inside a C callback) it raises, and
 * the hook stays, so that whatever catches the error is hit again. */
static void on_instruction(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct watchdog_run *run = current;

    if (!run || atomic_load(&order_id) != run->id) {
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    if (atomic_load(&order) == WARN) {
        lua_sethook(L, NULL, 0, 0);
        if (!run->warned)
            log_warning(L, run);
        return;
    }
    if (run->stopping && lua_status(run->co) == LUA_YIELD && L != run->co) {
        lua_sethook(L, NULL, 0, 0); /* it lies stopped, and we are back in who called it */
        return;
    }
    run->stopping = true;
    lua_yield(L, 0);
}

static void interrupt(const struct watchdog_run *run)
{
    lua_sethook(run->co, on_instruction, LUA_MASKCOUNT, 1);
    if (holder && profile_signal)
        profile_signal(SIGPROF);
}

/* Only what is safe in a signal handler: lua_sethook is, by LuaJIT's word (lj_dispatch.c). */
static void obey(struct watchdog_run *run)
{
    if (atomic_load(&order_id) != run->id)
        return;
    interrupt(run);
}

static void on_signal(int signal)
{
    (void)signal;
    struct watchdog_run *run = current;
    if (run)
        obey(run);
}

static void announce(struct watchdog_run *run)
{
    current = run;
    atomic_store_explicit(&current_warn_ms, run ? run->warn_ms : 0, memory_order_relaxed);
    atomic_store_explicit(&current_kill_ms, run ? run->kill_ms : 0, memory_order_relaxed);
    atomic_store_explicit(&current_id, run ? run->id : 0, memory_order_release);
}

void watchdog_stop_hoarder(void)
{
    if (!current)
        return;
    current->over_memory = true;
    atomic_store(&order, STOP);
    atomic_store(&order_id, current->id);
    interrupt(current);
}

bool watchdog_is_running(void)
{
    return current != NULL;
}

void watchdog_begin(struct watchdog_run *run)
{
    run->outer = current;
    run->id = ++last_id;
    run->stopping = run->warned = run->over_memory = false;
    if (!run->outer) {
        atomic_store_explicit(&root_kill_ms, run->kill_ms, memory_order_relaxed);
        atomic_store_explicit(&root_id, run->id, memory_order_release);
    }
    announce(run);
}

bool watchdog_end(struct watchdog_run *run)
{
    if (atomic_load_explicit(&order_id, memory_order_relaxed) == run->id)
        lua_sethook(run->co, NULL, 0, 0);
    announce(run->outer);
    if (run->outer)
        obey(run->outer); /* its signal may have come while `run` was the current one */
    else
        atomic_store_explicit(&root_id, 0, memory_order_release);
    return run->stopping;
}

/* ---- the watching thread ---- */

static int64_t read_lua_cpu_ms(void)
{
    struct timespec ts;
    clock_gettime(lua_cpu, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void give_order(uint64_t id, enum order what)
{
    atomic_store(&order, what);
    atomic_store(&order_id, id);
    pthread_kill(lua_thread, WATCH_SIGNAL);
}

static void sleep_ms(long ms)
{
    struct timespec ts = {.tv_sec = 0, .tv_nsec = ms * 1000000};
    nanosleep(&ts, NULL);
}

/* What the watcher remembers between ticks. */
struct observation {
    uint64_t id;
    int64_t cpu_since_ms;
    bool warned;
    unsigned idle_ticks;
    uint64_t root_id;
    int64_t root_since_ms;
};

/* Without this, a loop around short runs (spawned tasks, guarded rules) would start its budget anew with each. */
static bool root_is_over(struct observation *seen)
{
    uint64_t id = atomic_load_explicit(&root_id, memory_order_acquire);
    unsigned kill_ms = atomic_load(&root_kill_ms);
    if (id == 0)
        return false;
    if (id != seen->root_id) {
        seen->root_id = id;
        seen->root_since_ms = read_lua_cpu_ms();
    }
    return kill_ms && read_lua_cpu_ms() - seen->root_since_ms >= kill_ms;
}

/* True when the current run was told to stop. */
static bool watch_current(struct observation *seen)
{
    uint64_t id = atomic_load_explicit(&current_id, memory_order_acquire);
    if (id == 0 || id != seen->id) {
        seen->idle_ticks = id == seen->id ? seen->idle_ticks + 1 : 0;
        seen->id = id;
        seen->cpu_since_ms = id ? read_lua_cpu_ms() : 0;
        seen->warned = false;
        return false;
    }
    unsigned warn_ms = atomic_load(&current_warn_ms), kill_ms = atomic_load(&current_kill_ms);
    int64_t used_ms = read_lua_cpu_ms() - seen->cpu_since_ms;
    if (kill_ms && used_ms >= kill_ms) {
        give_order(
            id, STOP); /* again at each tick: one signal may meet the VM in a state that loses it */
        return true;
    } else if (warn_ms && used_ms >= warn_ms && !seen->warned) {
        seen->warned = true;
        give_order(id, WARN);
    }
    return false;
}

static void look(struct observation *seen)
{
    bool over = root_is_over(seen);
    if (!watch_current(seen) && over)
        give_order(seen->root_id, STOP);
}

static void *watch(void *arg)
{
    struct observation seen = {0};
    (void)arg;
    while (!atomic_load(&stop_wanted)) {
        look(&seen);
        sleep_ms(seen.idle_ticks > IDLE_AFTER_TICKS ? IDLE_TICK_MS : TICK_MS);
    }
    return NULL;
}

/* ---- life ---- */

void watchdog_start(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigset_t all, old;

    lua_thread = pthread_self();
    pthread_getcpuclockid(lua_thread, &lua_cpu);
    sigaction(WATCH_SIGNAL, &action, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all,
                    &old); /* the thread inherits it: signals are for the Lua thread */
    atomic_store(&stop_wanted, false);
    started = pthread_create(&watch_thread, NULL, watch, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void watchdog_stop(void)
{
    if (!started)
        return;
    atomic_store(&stop_wanted, true);
    pthread_join(watch_thread, NULL);
    started = false;
}

static void on_profile(void *data, lua_State *L, int samples, int vm_state)
{
    (void)data, (void)L, (void)samples, (void)vm_state;
}

/* Line mode puts a check for the profiler's signal into every compiled trace; the periodic timer itself is not wanted. */
static void start_profiler(lua_State *L)
{
    struct itimerval never = {0};
    struct sigaction lua_action;
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_ON);
    luaJIT_profile_start(L, "li1000000", on_profile, NULL);
    setitimer(ITIMER_PROF, &never, NULL);
    sigaction(SIGPROF, NULL, &lua_action);
    profile_signal = lua_action.sa_handler;
}

static void stop_profiler(lua_State *L)
{
    profile_signal = NULL;
    luaJIT_profile_stop(L);
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
}

static bool stops_endless_loop(lua_State *L)
{
    lua_State *co = lua_newthread(L);
    struct watchdog_run run = {.co = co, .label = "self-test", .kill_ms = SELF_TEST_BUDGET_MS};

    if (luaL_loadstring(co, "local n = 0 for i = 1, 1e10 do n = n + i end") != 0)
        return false;
    watchdog_begin(&run);
    int rc = lua_resume(co, 0);
    bool stopped = watchdog_end(&run) && rc == LUA_YIELD;
    lua_pop(L, 1);
    return stopped;
}

void watchdog_hold(lua_State *L)
{
    static bool tested;
    if (!started)
        return;
    if (holder)
        stop_profiler(holder);
    former = holder;
    holder = L;
    start_profiler(L);
    if (!tested) {
        tested = true;
        recipe_works = stops_endless_loop(L);
        if (!recipe_works)
            log_error("the script watchdog failed its self-test: scripts run interpreted");
    }
    if (!recipe_works) {
        stop_profiler(L);
        holder = former = NULL;
    }
}

void watchdog_share(void)
{
    if (holder)
        stop_profiler(holder);
    holder = former = NULL;
}

void watchdog_leave(lua_State *L)
{
    if (former == L)
        former = NULL;
    if (holder != L)
        return;
    stop_profiler(L);
    holder = former;
    former = NULL;
    if (holder)
        start_profiler(holder);
}

const char *watchdog_mode(void)
{
    return !started ? "off" : recipe_works ? "jit" : "interpreter";
}
