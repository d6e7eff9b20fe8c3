/* trial.c: see trial.h. The question whose request it is runs like a rule: pure, and stopped when it takes too long. */
#include "bind/trial.h"
#include "bind/bind.h"
#include "bind/exchange.h"
#include "bind/routes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/share.h"
#include "base/state.h"
#include "net/static_files.h"
#include "script/generation.h"
#include "script/vm.h"
#include "script/wait.h"
#include "script/watchdog.h"

#include <stdlib.h>

enum { ASK_WARN_MS = 10, ASK_KILL_MS = 100 };

struct trial {
    struct trial_options options;
    uint64_t number;
    bool has_complained, has_failed_to_ask;
    struct buf name;
};

struct trial *trial_new(const struct trial_options *options)
{
    struct trial *trial = mem_new(struct trial);
    trial->options = *options;
    trial->number = generation_number(options->candidate);
    return trial;
}

void trial_free(struct trial *trial)
{
    if (!trial)
        return;
    share_free(trial->options.share);
    buf_free(&trial->name);
    free(trial);
}

/* ---- whose request is it? ---- */

enum audience { STAYS, UNKNOWN, NAMED };

static void report_failure(struct trial *trial, lua_State *co)
{
    if (trial->has_failed_to_ask)
        return;
    trial->has_failed_to_ask = true;
    vm_describe_error(co);
    log_error("audience() failed: its requests go by their address until the canary ends",
              LOG_STR("error", lua_tostring(co, -1)));
}

/* The answer is on top of `co`. */
static enum audience read_audience(struct trial *trial, lua_State *co)
{
    buf_clear(&trial->name);
    if (lua_type(co, -1) == LUA_TBOOLEAN && !lua_toboolean(co, -1))
        return STAYS;
    if (lua_type(co, -1) != LUA_TSTRING && lua_type(co, -1) != LUA_TNUMBER)
        return UNKNOWN;
    struct slice name;
    name.data = lua_tolstring(co, -1, &name.len);
    buf_append_slice(&trial->name, name);
    return NAMED;
}

/* The function, the request and the number of its route are on `co`. */
static enum audience run(struct trial *trial, lua_State *co)
{
    struct watchdog_run run = {
        .co = co, .label = "audience", .warn_ms = ASK_WARN_MS, .kill_ms = ASK_KILL_MS};
    const char *outer = wait_forbid("audience() decides by what the request says and may not wait");

    watchdog_begin(&run);
    int rc = lua_resume(co, 2);
    bool stopped = watchdog_end(&run);
    wait_forbid(outer);
    if (rc == 0)
        return lua_gettop(co) > 0 ? read_audience(trial, co) : UNKNOWN;
    if (rc == LUA_YIELD && stopped)
        lua_pushstring(co, vm_over_budget);
    else if (rc == LUA_YIELD)
        vm_push_stray_yield(co);
    report_failure(trial, co);
    return UNKNOWN;
}

static enum audience ask(struct trial *trial, struct exchange *exchange)
{
    const struct routes *routes = exchange->routes;
    lua_State *L = generation_lua(exchange->generation);
    int top = lua_gettop(L);

    if (routes->audience_ref == LUA_NOREF)
        return UNKNOWN;
    lua_State *co = lua_newthread(L);
    lua_rawgeti(co, LUA_REGISTRYINDEX, routes->audience_ref);
    request_push(co, exchange);
    lua_pushinteger(co, exchange->route ? exchange->match.index : 0);
    enum audience audience = run(trial, co);
    *exchange->box = NULL; /* its task gets a handle of its own */
    exchange->has_context = false;
    lua_settop(L, top);
    return audience;
}

bool trial_place(struct trial *trial, struct exchange *exchange)
{
    const struct trial_options *options = &trial->options;
    enum audience audience = ask(trial, exchange);
    if (audience == STAYS)
        return false;

    struct slice name = audience == NAMED ? buf_slice(&trial->name) : (struct slice){0};
    bool taken = share_takes(options->share, name, http_address(exchange->request));
    exchange->trial = trial->number;
    exchange->counts = options->counts;
    exchange->is_candidate = taken;
    if (taken)
        exchange_join(exchange, options->candidate);
    return taken;
}

bool trial_serve_file(const struct trial *trial, const struct generation *live,
                      struct http_request *req, struct slice name)
{
    const struct static_files *files = routes_of(trial->options.candidate)->files;
    return static_files_is_current(files, name) &&
           !static_files_is_current(routes_of(live)->files, name) &&
           static_files_serve(files, req, name);
}

/* ---- how it went ---- */

void trial_begin(struct exchange *exchange)
{
    if (exchange->counts)
        exchange->worked_ns = clock_monotonic_ns();
}

void trial_end(struct exchange *exchange)
{
    if (exchange->counts)
        exchange->worked_ns = clock_monotonic_ns() - exchange->worked_ns;
}

void trial_count(const struct exchange *exchange, int status)
{
    struct canary_counts *counts = exchange->counts;
    if (!counts || !exchange->started || atomic_load(&counts->generation) != exchange->trial)
        return;
    tally_add(exchange->is_candidate ? &counts->candidate : &counts->live, exchange->worked_ns,
              status >= 500);
}

void trial_complain(struct trial *trial, const struct generation *generation, struct slice text,
                    bool is_hidden)
{
    const struct trial_options *options = &trial->options;
    struct canary_counts *counts = options->counts;
    bool is_candidate = generation == options->candidate;

    if (is_hidden && atomic_load(&counts->generation) == trial->number)
        atomic_fetch_add(is_candidate ? &counts->candidate.failures : &counts->live.failures, 1);
    if (!is_candidate || trial->has_complained)
        return;
    trial->has_complained = true;
    options->on_complaint(options->owner, trial->number, text);
}
