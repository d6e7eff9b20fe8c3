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
    SLICE_MS = 10,
    SELF_TEST_BUDGET_MS = 20,
    WATCH_SIGNAL = SIGVTALRM, /* nobody else in this process uses it */
};

/* What may be asked of a run. */
enum { WARN = 1, STOP = 2, SLICE = 4, SAMPLE = 8, ORDER_BITS = 4, ORDER_MASK = 15 };

static pthread_t lua_thread, watch_thread;
static clockid_t lua_cpu;
static bool started;
static lua_State *holder; /* the VM with the JIT */
static bool recipe_works;
static void (*profile_signal)(int signal);

/* Written by the Lua thread, read by the watching one. */
static struct watchdog_run *current;
static _Atomic uint64_t current_id;                       /* 0: no Lua is running */
static _Atomic unsigned current_warn_us, current_kill_us; /* what is left of them */
static _Atomic uint64_t root_id; /* the outermost run: its budget holds for all that it runs */
static _Atomic unsigned root_kill_us;
static _Atomic uint64_t last_id;

/* The orders in force: the id of a run, shifted, and what it shall do. One word, so that nobody takes an order for
 * another's. */
static _Atomic uint64_t orders;
/* The outermost run that shall stop: apart, so that no order for an inner one takes its place. */
static _Atomic uint64_t root_stop;
static atomic_bool stop_wanted, interrupted;
static int64_t tick_us = TICK_MS * 1000, slice_us = SLICE_MS * 1000; /* a test has them shorter */

/* Written by the watching thread: the CPU time when it first saw a run; the time is written before the id. */
struct sighting {
    _Atomic uint64_t id;
    _Atomic int64_t since_ns;
};
static struct sighting seen_current, seen_root;

/* For the profile: samples are counted until Lua code can show where it stands. */
static watchdog_sampled *sampled;
static atomic_uint samples_due, samples_outside;

static int64_t read_cpu_ns(clockid_t of)
{
    struct timespec ts;
    clock_gettime(of, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* ---- orders ---- */

static void give_order(uint64_t id, unsigned what)
{
    uint64_t old = atomic_load(&orders), now;
    do
        now = old >> ORDER_BITS == id ? old | what : id << ORDER_BITS | what;
    while (!atomic_compare_exchange_weak(&orders, &old, now));
}

static unsigned orders_for(const struct watchdog_run *run)
{
    uint64_t now = atomic_load_explicit(&orders, memory_order_relaxed);
    unsigned stop = atomic_load_explicit(&root_stop, memory_order_relaxed) == run->id ? STOP : 0;
    return stop | (now >> ORDER_BITS == run->id ? (unsigned)(now & ORDER_MASK) : 0);
}

static void clear_order(const struct watchdog_run *run, unsigned what)
{
    uint64_t old = atomic_load(&orders);
    while (old >> ORDER_BITS == run->id &&
           !atomic_compare_exchange_weak(&orders, &old, old & ~(uint64_t)what))
        ;
}

/* ---- the Lua thread ---- */

static void log_warning(lua_State *L, struct watchdog_run *run)
{
    run->warned = true;
    luaL_traceback(L, L, NULL, 0);
    log_warn("script runs long without waiting", LOG_STR("script", run->label),
             LOG_INT("warn_ms", run->warn_ms), LOG_STR("stack", lua_tostring(L, -1)));
    lua_pop(L, 1);
}

static void take_sample(lua_State *L, struct watchdog_run *run, char state)
{
    unsigned weight = atomic_exchange(&samples_due, 0);
    clear_order(run, SAMPLE);
    if (sampled && weight > 0)
        sampled(&(struct watchdog_sample){L, run, state, weight});
}

/* The Lua parts of the core itself (chunks named =host.task …) go on to their end: they rely on nobody coming between. */
static bool is_core_code(lua_State *L)
{
    lua_Debug at;
    return lua_getstack(L, 0, &at) && lua_getinfo(L, "S", &at) && at.source[0] == '=';
}

/* Only the run's own coroutine: a yield inside one of the script's would look like the script's own. */
static bool may_slice(lua_State *L, const struct watchdog_run *run)
{
    return run->sliceable && L == run->co && lua_isyieldable(L) && !is_core_code(L);
}

/* Yields. Where that is impossible (inside a C callback) it raises, and the hook stays, so that whatever catches the error is
 * hit again. */
static void stop_here(lua_State *L, struct watchdog_run *run)
{
    if (run->stopping && lua_status(run->co) == LUA_YIELD && L != run->co) {
        lua_sethook(L, NULL, 0, 0); /* it lies stopped, and we are back in who called it */
        return;
    }
    run->stopping = true;
    lua_yield(L, 0);
}

/* Runs on the next instruction after a signal. */
static void on_instruction(lua_State *L, lua_Debug *ar)
{
    struct watchdog_run *run = current;
    unsigned wanted = run ? orders_for(run) : 0;
    (void)ar;

    if (wanted & SAMPLE)
        take_sample(L, run, 'I');
    if (wanted & STOP) {
        stop_here(L, run);
        return;
    }
    lua_sethook(L, NULL, 0, 0);
    if (!run)
        return;
    clear_order(run, wanted);
    if (wanted & WARN && !run->warned)
        log_warning(L, run);
    if (wanted & SLICE && may_slice(L, run)) { /* else the watcher asks again */
        run->sliced = true;
        lua_yield(L, 0);
    }
}

static void interrupt(const struct watchdog_run *run)
{
    lua_sethook(run->co, on_instruction, LUA_MASKCOUNT, 1);
    if (holder && profile_signal)
        profile_signal(SIGPROF);
}

/* Only what is safe in a signal handler: lua_sethook is, by LuaJIT's word (lj_dispatch.c). */
static void obey(const struct watchdog_run *run)
{
    if (orders_for(run))
        interrupt(run);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    struct watchdog_run *run = current;
    (void)signal, (void)context;

    if (info->si_code == SI_TIMER && sampled) {
        atomic_fetch_add(run ? &samples_due : &samples_outside, 1 + (unsigned)info->si_overrun);
        if (run)
            give_order(run->id, SAMPLE);
    }
    if (run)
        obey(run);
}

/* In microseconds, at least 1 of a limit that was passed already; 0 = no limit. */
static unsigned left_of(unsigned limit_ms, int64_t used_ns)
{
    int64_t left_us = limit_ms * 1000LL - used_ns / 1000;
    return left_us > 0 ? (unsigned)left_us : limit_ms != 0;
}

static void announce(struct watchdog_run *run)
{
    current = run;
    atomic_store_explicit(&current_warn_us,
                          run && !run->warned ? left_of(run->warn_ms, run->used_ns) : 0,
                          memory_order_relaxed);
    atomic_store_explicit(&current_kill_us, run ? left_of(run->kill_ms, run->used_ns) : 0,
                          memory_order_relaxed);
    atomic_store_explicit(&current_id, run ? run->id : 0, memory_order_release);
}

static void stop_current(void)
{
    give_order(current->id, STOP);
    interrupt(current);
}

void watchdog_stop_hoarder(void)
{
    if (!current)
        return;
    current->over_memory = true;
    stop_current();
}

bool watchdog_note_growth(size_t used)
{
    if (!current)
        return false;
    if (current->memory_top && used > current->memory_top) {
        current->over_top = true;
        stop_current();
    }
    return true;
}

static void heed_signals(int flags)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = flags | SA_SIGINFO};
    sigaction(WATCH_SIGNAL, &action, NULL);
}

/* What blocks in a system call is to return from it. */
void watchdog_interrupt(bool on)
{
    if (started)
        heed_signals(on ? 0 : SA_RESTART);
    atomic_store(&interrupted, on);
}

bool watchdog_is_interrupted(void)
{
    return atomic_load(&interrupted);
}

bool watchdog_is_overdue(void)
{
    uint64_t root = atomic_load_explicit(&root_id, memory_order_relaxed);
    return root != 0 && atomic_load_explicit(&root_stop, memory_order_relaxed) == root;
}

bool watchdog_is_running(void)
{
    return current != NULL;
}

static void take_new_id(struct watchdog_run *run)
{
    run->id = atomic_load_explicit(&last_id, memory_order_relaxed) + 1;
    atomic_store_explicit(&last_id, run->id, memory_order_relaxed);
    if (!run->outer) {
        atomic_store_explicit(&root_kill_us, left_of(run->kill_ms, run->used_ns),
                              memory_order_relaxed);
        atomic_store_explicit(&root_id, run->id, memory_order_release);
    }
}

void watchdog_begin(struct watchdog_run *run)
{
    run->outer = current;
    run->since_ns = run->used_ns ? read_cpu_ns(CLOCK_THREAD_CPUTIME_ID) : 0;
    run->stopping = run->over_memory = run->over_top = run->sliced = false;
    take_new_id(run);
    announce(run);
}

void watchdog_forgive(const struct watchdog_run *run)
{
    struct watchdog_run *outer = run->outer;
    if (!outer || outer->forgiven || run->over_memory)
        return;
    outer->forgiven = true;
    outer->used_ns = outer->since_ns = 0;
    take_new_id(outer);
    announce(outer);
}

/* Orders were for `run` when it ended: what was not carried out is for whoever called it. */
static void pass_on(struct watchdog_run *run)
{
    unsigned left = orders_for(run);
    if (left & SAMPLE)
        take_sample(run->co, run, 'C');
    if (left & SLICE && run->outer)
        give_order(run->outer->id, SLICE);
}

bool watchdog_end(struct watchdog_run *run)
{
    if (atomic_load_explicit(&orders, memory_order_relaxed) >> ORDER_BITS == run->id ||
        atomic_load_explicit(&root_stop, memory_order_relaxed) == run->id) {
        lua_sethook(run->co, NULL, 0, 0);
        pass_on(run);
    }
    announce(run->outer);
    if (run->outer)
        obey(run->outer); /* its signal may have come while `run` was the current one */
    else
        atomic_store_explicit(&root_id, 0, memory_order_release);
    return run->stopping;
}

int64_t watchdog_used_ns(const struct watchdog_run *run)
{
    int64_t now_ns = read_cpu_ns(CLOCK_THREAD_CPUTIME_ID), since_ns = now_ns;

    if (run->since_ns)
        since_ns = run->since_ns;
    else if (atomic_load(&seen_current.id) == run->id)
        since_ns = atomic_load(&seen_current.since_ns);
    else if (atomic_load(&seen_root.id) == run->id)
        since_ns = atomic_load(&seen_root.since_ns);
    return run->used_ns + (now_ns > since_ns ? now_ns - since_ns : 0) + 1;
}

/* ---- the watching thread ---- */

static void command(uint64_t id, unsigned what)
{
    give_order(id, what);
    pthread_kill(lua_thread, WATCH_SIGNAL);
}

static void sleep_us(int64_t us)
{
    struct timespec ts = {.tv_sec = 0, .tv_nsec = (long)us * 1000};
    nanosleep(&ts, NULL);
}

/* What the watcher remembers between ticks, beside its sightings. */
struct memory {
    uint64_t warned_id, last_id;
    unsigned idle_ticks;
};

/* CPU time since the run was first seen, in microseconds; 0 at the first sight. */
static int64_t follow(struct sighting *seen, uint64_t id)
{
    int64_t now_ns = read_cpu_ns(lua_cpu);
    if (atomic_load(&seen->id) != id) {
        atomic_store(&seen->since_ns, now_ns);
        atomic_store(&seen->id, id);
    }
    return (now_ns - atomic_load(&seen->since_ns)) / 1000;
}

/* True when it was told to stop: again at each tick, as one signal may meet the VM in a state that loses it. */
static bool watch_current(struct memory *memory, uint64_t id)
{
    unsigned warn_us = atomic_load(&current_warn_us), kill_us = atomic_load(&current_kill_us);
    int64_t used_us = follow(&seen_current, id);

    if (kill_us && used_us >= kill_us) {
        command(id, STOP);
        return true;
    }
    if (warn_us && used_us >= warn_us && memory->warned_id != id) {
        memory->warned_id = id;
        command(id, WARN);
    }
    return false;
}

/* The loop has not turned since the outermost run began. And without its budget a loop around short runs (spawned tasks,
 * guarded rules) would start anew with each. */
static void watch_root(uint64_t id, uint64_t running)
{
    unsigned kill_us = atomic_load(&root_kill_us);
    int64_t used_us = follow(&seen_root, id);

    if (kill_us && used_us >= kill_us) {
        atomic_store(&root_stop, id);
        pthread_kill(lua_thread, WATCH_SIGNAL);
    } else if (used_us >= slice_us) {
        command(running, SLICE);
    }
}

/* No inner run is left to hide in, and none that began in between. */
static void stop_all(uint64_t root, uint64_t running)
{
    atomic_store(&root_stop, root);
    command(running, STOP);
}

static void look(struct memory *memory)
{
    uint64_t root = atomic_load_explicit(&root_id, memory_order_acquire);
    uint64_t id = atomic_load_explicit(&current_id, memory_order_acquire);
    uint64_t last = atomic_load_explicit(&last_id, memory_order_relaxed);

    memory->idle_ticks = last == memory->last_id && id == 0 ? memory->idle_ticks + 1 : 0;
    memory->last_id = last;
    if (id != 0 && atomic_load(&interrupted))
        stop_all(root, id);
    else if (id != 0 && !watch_current(memory, id) && root != 0)
        watch_root(root, id);
}

static void *watch(void *arg)
{
    struct memory memory = {0};
    (void)arg;
    while (!atomic_load(&stop_wanted)) {
        look(&memory);
        sleep_us(memory.idle_ticks > IDLE_AFTER_TICKS ? IDLE_TICK_MS * 1000 : tick_us);
    }
    return NULL;
}

/* ---- life ---- */

void watchdog_start(void)
{
    sigset_t all, old;

    lua_thread = pthread_self();
    pthread_getcpuclockid(lua_thread, &lua_cpu);
    heed_signals(SA_RESTART);
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
    struct watchdog_run *run = current;
    (void)data, (void)samples;
    if (run && orders_for(run) & SAMPLE)
        take_sample(L, run, (char)vm_state);
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
    if (!started || holder == L)
        return;
    if (holder)
        stop_profiler(holder);
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
        holder = NULL;
    }
}

void watchdog_share(void)
{
    if (holder)
        stop_profiler(holder);
    holder = NULL;
}

void watchdog_forgo(lua_State *L)
{
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
}

void watchdog_leave(lua_State *L)
{
    if (holder != L)
        return;
    stop_profiler(L);
    holder = NULL;
}

int watchdog_sample(watchdog_sampled *take)
{
    atomic_store(&samples_due, 0);
    atomic_store(&samples_outside, 0);
    sampled = take;
    return WATCH_SIGNAL;
}

unsigned watchdog_sampled_outside(void)
{
    return atomic_load(&samples_outside);
}

const char *watchdog_mode(void)
{
    return !started ? "off" : recipe_works ? "jit" : "interpreter";
}
