/* master.c: see master.h. */
#include "master.h"
#include "control.h"
#include "crew.h"
#include "json.h"
#include "logs.h"
#include "notify.h"
#include "orders.h"
#include "preflight.h"
#include "reload.h"
#include "signals.h"
#include "sockets.h"
#include "upgrade.h"
#include "watch.h"
#include "worker.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/shm.h"
#include "base/state.h"
#include "net/loop.h"
#include "net/tls.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { METRIC_SERIES_MAX = 8192 };

enum phase { STARTING, SERVING, NOTICE, DRAINING, STOPPING };

struct master {
    struct master_options options;
    struct loop *loop;
    struct signals *signals;
    struct sockets sockets;
    struct shm *shm;
    struct metrics *metrics;
    struct server_state *state;
    struct worker_setup setup;
    struct crew *crew;
    struct reload *reload;
    struct orders *orders;
    struct control *control;
    struct watch *watch;
    const char *early; /* who wanted a reload before the first generation stood, or NULL */
    struct upgrade *upgrade;
    struct loop_timer *drain_timer, *watchdog;
    char program[PATH_MAX];
    int upgrade_line; /* to the master we replace, or -1 */
    enum phase phase;
    bool handed_over; /* a successor serves on our sockets */
    int status;
};

/* ---- ending ---- */

/* Whoever ends us means the whole server, not that the new process goes on alone. */
static void give_up_upgrade(struct master *master)
{
    if (master->handed_over)
        return;
    upgrade_free(master->upgrade);
    master->upgrade = NULL;
}

static void stop_now(struct master *master)
{
    give_up_upgrade(master);
    master->phase = STOPPING;
    crew_stop(master->crew);
}

static void close_and_drain(struct master *master)
{
    int64_t limit_ms = conf_integer(reload_conf(master->reload), "shutdown_timeout_s") * 1000;

    master->phase = DRAINING;
    log_info("draining", LOG_INT("limit_ms", limit_ms));
    crew_drain(master->crew, limit_ms);
    sockets_close(&master->sockets, !master->handed_over);
}

static void on_notice_over(void *owner)
{
    close_and_drain(owner);
}

/* First balancers are told, while we still serve; then the listeners close. */
static void begin_drain(struct master *master)
{
    int64_t notice_ms = conf_integer(reload_conf(master->reload), "drain_notice_s") * 1000;

    give_up_upgrade(master);
    reload_withdraw(master->reload, "the server stops");
    master->phase = NOTICE;
    atomic_store(&master->state->draining, true);
    notify_send("STOPPING=1\nSTATUS=draining");
    log_info("stopping", LOG_INT("notice_ms", notice_ms));
    loop_timer_start(master->drain_timer, notice_ms);
}

static void end_in_order(struct master *master)
{
    if (master->phase == SERVING)
        begin_drain(master);
    else if (master->phase != STOPPING)
        stop_now(master); /* nothing to lose yet, or asked twice */
}

static void on_stop_ordered(void *owner)
{
    struct master *master = owner;
    if (master->phase == SERVING)
        begin_drain(master);
}

static void on_crew_gone(void *owner)
{
    struct master *master = owner;
    loop_stop(master->loop);
}

/* ---- serving ---- */

static void on_control_request(void *owner, struct slice request, const struct control_reply *reply)
{
    struct master *master = owner;
    orders_take(master->orders, request, reply);
}

static enum result open_control(struct master *master, struct failure *why)
{
    const char *address = conf_string(reload_conf(master->reload), "admin_listen");
    const char *path = address && strncmp(address, "unix:", 5) == 0 ? address + 5 : NULL;

    if (!path)
        return fail(why, R_INVALID, "admin_listen must be unix:PATH");
    enum result rc =
        control_open(master->loop, path, on_control_request, master, &master->control, why);
    if (rc == R_EXISTS)
        return fail(why, rc, "another server answers at %s", path);
    return rc;
}

static void on_change(void *owner)
{
    struct master *master = owner;
    if (master->phase == SERVING && reload_canary(master->reload))
        log_info("sources changed: `fura reload` takes them when the canary is over");
    else if (master->phase == SERVING)
        reload_request(master->reload, "watcher", NULL, NULL);
    else if (master->phase == STARTING)
        master->early = "watcher";
}

static void start_watching(struct master *master)
{
    const struct conf *conf = master->options.conf;
    if (!conf_is_production(conf) && conf_bool(conf, "development.watch"))
        master->watch = watch_sources(master->loop, &master->options.source, on_change, master);
}

static void announce(struct master *master)
{
    for (unsigned i = 0; i < master->sockets.count; i++) {
        struct buf line = {0};
        buf_append_slice(&line, SLICE("Listening on "));
        sockets_url(&master->sockets.entries[i], &line);
        log_info(buf_cstr(&line));
        buf_free(&line);
    }
}

/* The first generation stands in all workers, and nobody else serves on our sockets any more. */
static void begin_serving(void *owner)
{
    struct master *master = owner;
    struct failure why = {.rc = R_OK};

    master->phase = SERVING;
    if (!master->control && open_control(master, &why) != R_OK)
        log_error("no control socket", LOG_STR("reason", why.text));
    notify_send("READY=1\nMAINPID=%d\nSTATUS=generation %llu", getpid(),
                (unsigned long long)reload_generation(master->reload));
    announce(master);
    if (master->early)
        reload_request(master->reload, master->early, NULL, NULL);
}

static void refuse_start(struct master *master, struct slice problems)
{
    fprintf(stderr, "%.*s", (int)problems.len, problems.data);
    master->status = 1;
    stop_now(master);
}

static void on_first_generation(void *owner, const struct reload_outcome *outcome)
{
    struct master *master = owner;
    int line = master->upgrade_line;

    if (master->phase != STARTING)
        return;
    if (!outcome->ok) {
        refuse_start(master, outcome->problems);
    } else if (line < 0) {
        begin_serving(master);
    } else {
        master->upgrade_line = -1;
        upgrade_announce(master->loop, line, begin_serving, master);
    }
}

static void on_application_told(void *owner, unsigned worker, enum result rc, struct slice reply)
{
    (void)owner, (void)worker, (void)rc, (void)reply;
}

/* The application may make an event of it: its function calls.reload_rejected, when it has one. */
static void tell_application(struct master *master, const struct reload_outcome *outcome)
{
    struct buf line = {0};

    buf_append_slice(&line,
                     SLICE("{\"command\":\"call\",\"name\":\"reload_rejected\",\"input\":{"));
    json_put_integer(&line, "generation", (int64_t)outcome->generation);
    json_put_member(&line, "origin", slice_cstr(outcome->origin));
    json_put_member(&line, "hash", slice_cstr(outcome->hash));
    json_put_member(&line, "reason", outcome->problems);
    buf_append_slice(&line, SLICE("}}"));
    crew_ask(master->crew, crew_any_live(master->crew), buf_slice(&line), on_application_told,
             NULL);
    buf_free(&line);
}

static void on_reload_finished(void *owner, const struct reload_outcome *outcome,
                               const struct conf *conf)
{
    struct master *master = owner;
    master->setup.conf = conf;
    bool is_wanted = outcome->canary == CANARY_WITHDRAWN; /* somebody did it and knows */
    if (!outcome->ok && !is_wanted && master->phase == SERVING)
        tell_application(master, outcome);
}

static void on_verdict(void *owner, unsigned worker, uint64_t number, bool ok, struct slice reason)
{
    struct master *master = owner;
    reload_take_verdict(master->reload, worker, number, ok, reason);
}

static void on_trouble(void *owner, bool is_certain, struct slice reason)
{
    struct master *master = owner;
    reload_take_trouble(master->reload, is_certain, reason);
}

static void on_complaint(void *owner, uint64_t number, struct slice text)
{
    struct master *master = owner;
    (void)number;
    reload_take_complaint(master->reload, text);
}

static void on_ask(void *owner, unsigned worker, uint64_t number, struct slice request)
{
    struct master *master = owner;
    orders_take_from_worker(master->orders, worker, number, request);
}

static void in_child(void *owner)
{
    struct master *master = owner;
    signals_disown(master->signals);
    control_disown(master->control);
    watch_disown(master->watch);
    upgrade_disown(master->upgrade);
    if (master->upgrade_line >= 0)
        close(master->upgrade_line);
}

/* ---- replacing the binary ---- */

static void on_taken_over(void *owner, pid_t successor)
{
    struct master *master = owner;

    log_info("the new process is ready and takes over", LOG_INT("pid", successor));
    reload_withdraw(master->reload, "a new process takes over");
    master->handed_over = true;
    master->phase = NOTICE;
    atomic_store(&master->state->draining, true);
    control_close(master->control, false);
    master->control = NULL;
    watch_close(master->watch);
    master->watch = NULL;
    notify_send("MAINPID=%d", successor);
    loop_timer_start(master->drain_timer, 0); /* no notice: the sockets go on listening */
}

static void on_upgrade_failed(void *owner, const char *reason)
{
    struct master *master = owner;
    log_error("the new process failed, this one goes on", LOG_STR("reason", reason));
    upgrade_free(master->upgrade);
    master->upgrade = NULL;
}

static void start_upgrade(struct master *master)
{
    if (master->phase != SERVING || master->upgrade) {
        log_warn("an upgrade was asked for while starting, ending or upgrading");
        return;
    }
    master->upgrade = upgrade_start(&(struct upgrade_options){.loop = master->loop,
                                                              .program = master->program,
                                                              .argv = master->options.argv,
                                                              .sockets = &master->sockets,
                                                              .on_taken_over = on_taken_over,
                                                              .on_failed = on_upgrade_failed,
                                                              .owner = master});
    if (master->upgrade)
        log_info("starting the new process", LOG_STR("program", master->program));
    else
        log_error("cannot start the new process", LOG_STR("reason", strerror(errno)));
}

/* ---- signals ---- */

static void reap(struct master *master)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (!crew_reaped(master->crew, pid, status))
            upgrade_reaped(master->upgrade, pid, status);
}

static void on_signal(void *owner, int signal)
{
    struct master *master = owner;

    switch (signal) {
    case SIGCHLD:
        reap(master);
        break;
    case SIGHUP:
        if (master->phase == SERVING)
            reload_request(master->reload, "signal", NULL, NULL);
        else if (master->phase == STARTING)
            master->early = "signal";
        break;
    case SIGTERM:
    case SIGINT:
        end_in_order(master);
        break;
    case SIGQUIT:
        stop_now(master);
        break;
    case SIGUSR1:
        log_reopen();
        crew_reopen_logs(master->crew);
        break;
    case SIGUSR2:
        start_upgrade(master);
        break;
    }
}

static void on_watchdog(void *owner)
{
    struct master *master = owner;
    notify_send("WATCHDOG=1");
    loop_timer_start(master->watchdog, notify_watchdog_ms());
}

/* ---- putting it together ---- */

static void make_parts(struct master *master)
{
    const struct conf *conf = master->options.conf;
    unsigned workers = (unsigned)conf_integer(conf, "workers");

    master->shm = shm_create((size_t)conf_integer(conf, "shared_memory_mb") << 20);
    master->metrics = metrics_create(METRIC_SERIES_MAX);
    preflight_describe_metrics(master->metrics);
    master->state = state_create();
    atomic_store(&master->state->started_at_ms, clock_wall_ms());
    atomic_store(&master->state->workers, workers);
    master->setup = (struct worker_setup){.master_pid = getpid(),
                                          .sockets = &master->sockets,
                                          .conf = conf,
                                          .shm = master->shm,
                                          .metrics = master->metrics,
                                          .state = master->state};
    crypto_random(master->setup.tls_secret, sizeof master->setup.tls_secret);
    master->crew = crew_new(&(struct crew_options){.loop = master->loop,
                                                   .workers = workers,
                                                   .state = master->state,
                                                   .metrics = master->metrics,
                                                   .setup = &master->setup,
                                                   .in_child = in_child,
                                                   .on_verdict = on_verdict,
                                                   .on_trouble = on_trouble,
                                                   .on_complaint = on_complaint,
                                                   .on_ask = on_ask,
                                                   .on_empty = on_crew_gone,
                                                   .owner = master});
    master->reload = reload_new(&(struct reload_options){.loop = master->loop,
                                                         .crew = master->crew,
                                                         .state = master->state,
                                                         .metrics = master->metrics,
                                                         .source = master->options.source,
                                                         .conf = master->options.conf,
                                                         .on_finished = on_reload_finished,
                                                         .owner = master});
    master->orders = orders_new(&(struct orders_options){.crew = master->crew,
                                                         .reload = master->reload,
                                                         .sockets = &master->sockets,
                                                         .state = master->state,
                                                         .on_stop = on_stop_ordered,
                                                         .owner = master});
    master->drain_timer = loop_timer_new(master->loop, on_notice_over, master);
    master->watchdog = loop_timer_new(master->loop, on_watchdog, master);
}

static void free_parts(struct master *master)
{
    orders_free(master->orders);
    control_close(master->control, true);
    watch_close(master->watch);
    upgrade_free(master->upgrade);
    reload_free(master->reload);
    crew_free(master->crew);
    loop_timer_free(master->drain_timer);
    loop_timer_free(master->watchdog);
    signals_close(master->signals);
    sockets_close(&master->sockets, !master->handed_over);
    metrics_free(master->metrics);
    shm_free(master->shm);
    state_free(master->state);
    loop_free(master->loop);
}

static void find_program(struct master *master)
{
    ssize_t len = readlink("/proc/self/exe", master->program, sizeof master->program - 1);
    master->program[len > 0 ? len : 0] = '\0';
}

/* Better said now than by every worker. */
static bool is_certificate_usable(const struct master *master, struct failure *why)
{
    struct tls_context *tls = NULL;
    enum result rc = sockets_tls(&master->sockets, master->options.conf, SLICE(""), &tls, why);
    tls_context_free(tls);
    return rc == R_OK;
}

int master_run(const struct master_options *options)
{
    struct master master = {.options = *options, .upgrade_line = upgrade_line()};
    struct failure why = {.rc = R_OK};

    prctl(PR_SET_NAME, "fura: master");
    logs_open(options->conf, "master");
    preflight_advise(options->conf);
    preflight_raise_limits();
    find_program(&master);
    if (sockets_open(options->conf, &master.sockets, &why) != R_OK ||
        !is_certificate_usable(&master, &why)) {
        sockets_close(&master.sockets, true);
        fprintf(stderr, "fura: %s\n", why.text);
        conf_free(options->conf);
        return 1;
    }
    master.loop = loop_new();
    master.signals = signals_open(master.loop, on_signal, &master);
    make_parts(&master);
    if (master.upgrade_line < 0 && open_control(&master, &why) != R_OK) {
        fprintf(stderr, "fura: %s\n", why.text);
        free_parts(&master);
        return 1;
    }
    if (notify_watchdog_ms() > 0)
        on_watchdog(&master);
    start_watching(&master); /* before sources are read, so that no save falls between */
    reload_request(master.reload, "start", on_first_generation, &master);
    loop_run(master.loop);
    free_parts(&master);
    return master.status;
}
