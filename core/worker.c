/* worker.c: see worker.h. The composition root: the only file that knows loop, drivers, HTTP, Lua
 * and the line to the master at once. */
#include "worker.h"
#include "answers.h"
#include "channel.h"
#include "crash.h"
#include "host.h"
#include "lineage.h"
#include "logs.h"
#include "questions.h"
#include "replay.h"
#include "sockets.h"
#include "base/bundle.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/share.h"
#include "base/state.h"
#include "bind/dispatch.h"
#include "bind/recording.h"
#include "bind/trial.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/pgsql.h"
#include "net/redis.h"
#include "net/tls.h"
#include "script/generation.h"
#include "script/task.h"
#include "script/vm.h"
#include "script/watchdog.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* CPU time Lua may use between two waits (SPEC 10). */
enum {
    BUILD_LIMIT_MS = 20000,
    ORPHAN_LIMIT_S = 2,
    RECORDED_MAX_BYTES = 1 << 20,
    FAREWELL_MS = 500, /* for the answers of what was cancelled at the deadline */
};

struct worker {
    struct worker_setup setup;
    struct sockets sockets; /* our copies of the descriptors */
    struct loop *loop;
    struct channel *channel;
    struct host *host;
    struct dispatch *dispatch;
    struct http_server *server;
    struct tls_context *tls; /* NULL: nothing speaks it */
    struct lineage *lineage;
    struct replay *replay;
    struct loop_timer *heartbeat, *deadline;
    struct questions questions;
    int64_t drain_until_ms;
    bool listening, draining, ending; /* ending: generations are told to close */
    bool connections_gone, past_deadline;
};

static void tell(struct worker *worker, const struct channel_frame *frame)
{
    if (worker->channel)
        channel_send(worker->channel, frame, -1);
}

static enum result ask_master(void *master, struct slice request,
                              void (*answered)(void *owner, enum result rc, struct slice lines),
                              void *owner)
{
    struct worker *worker = master;
    return questions_ask(&worker->questions, worker->channel, request, answered, owner);
}

/* ---- generations ---- */

static enum result on_inspect(void *owner, struct generation *generation, struct failure *why)
{
    struct worker *worker = owner;
    return dispatch_prepare(worker->dispatch, generation, why);
}

/* Whatever a script puts into the words of its error. */
static struct slice cut(struct slice text)
{
    return slice_of(text.data, text.len < CHANNEL_TEXT_MAX ? text.len : CHANNEL_TEXT_MAX);
}

static void on_prepared(void *owner, uint64_t number, bool ok, struct slice problems)
{
    tell(owner,
         &(struct channel_frame){
             .kind = CHANNEL_PREPARED, .status = ok, .number = number, .body = cut(problems)});
}

static struct slice tls_secret(const struct worker *worker)
{
    return slice_of((const char *)worker->setup.tls_secret, sizeof worker->setup.tls_secret);
}

/* Certificates are renewed on disk under the same name; a reload takes the new one up. */
static void renew_certificate(struct worker *worker)
{
    struct failure why = {.rc = R_OK};
    if (worker->tls &&
        sockets_tls_again(worker->tls, worker->setup.conf, tls_secret(worker), &why) != R_OK)
        log_error("the certificate on disk cannot be used, the present one stays",
                  LOG_STR("reason", why.text));
}

static void on_complaint(void *owner, uint64_t canary, struct slice text)
{
    tell(owner,
         &(struct channel_frame){.kind = CHANNEL_COMPLAINT, .number = canary, .body = cut(text)});
}

/* What a script says of itself (struct host, complain). */
static void complain(void *master, const struct generation *generation, struct slice text)
{
    struct worker *worker = master;
    dispatch_complain(worker->dispatch, generation, text);
}

/* Only one VM of a process may be compiled, so while two are compared none is. */
static void on_canary(void *owner, struct generation *generation, struct slice text)
{
    struct worker *worker = owner;
    struct failure why = {.rc = R_OK};
    struct share *share;
    struct buf salt = {0};

    if (worker->draining)
        return;
    bundle_hash_sources(generation_bundle(generation), &salt);
    enum result rc = share_parse(text, buf_slice(&salt), &share, &why);
    buf_free(&salt);
    if (rc != R_OK) {
        log_error("a canary's share cannot be read", LOG_STR("reason", why.text));
        return;
    }
    watchdog_share();
    dispatch_set_trial(worker->dispatch,
                       trial_new(&(struct trial_options){.candidate = generation,
                                                         .share = share,
                                                         .counts = &worker->setup.state->canary,
                                                         .on_complaint = on_complaint,
                                                         .owner = worker}));
}

static void on_canary_over(void *owner, struct generation *winner)
{
    struct worker *worker = owner;
    dispatch_set_trial(worker->dispatch, NULL);
    watchdog_hold(generation_lua(winner));
}

static void start_listening(struct worker *worker)
{
    worker->listening = true;
    for (unsigned i = 0; i < worker->sockets.count; i++) {
        const struct socket_entry *entry = &worker->sockets.entries[i];
        http_listen(worker->server, entry->fd, entry->use, entry->address.tls ? worker->tls : NULL);
    }
}

static void on_live(void *owner, struct generation *generation)
{
    struct worker *worker = owner;
    dispatch_set_live(worker->dispatch, generation);
    if (worker->draining)
        return;
    if (worker->listening)
        renew_certificate(worker);
    else
        start_listening(worker);
}

/* ---- ending ---- */

static void stop_when_done(struct worker *worker)
{
    if (!worker->lineage && worker->connections_gone && replay_is_idle(worker->replay))
        loop_stop(worker->loop);
}

static void on_lineage_ended(void *owner)
{
    struct worker *worker = owner;
    worker->lineage = NULL;
    stop_when_done(worker);
}

static void on_replay_idle(void *owner)
{
    stop_when_done(owner);
}

static void end_generations(struct worker *worker)
{
    if (worker->ending)
        return;
    worker->ending = true;
    replay_stop(worker->replay);
    dispatch_set_live(worker->dispatch, NULL);
    lineage_end(worker->lineage, worker->drain_until_ms);
}

static void on_connections_gone(void *owner)
{
    struct worker *worker = owner;
    worker->connections_gone = true;
    end_generations(worker);
    stop_when_done(worker);
}

static void leave_now(void)
{
    fflush(NULL);
    _exit(0);
}

/* First what still runs is cancelled, so that clients get an answer; then there is no more waiting.
 */
static void on_deadline(void *owner)
{
    struct worker *worker = owner;

    if (worker->past_deadline)
        leave_now();
    log_warn("draining took too long, cancelling what still runs", LOG_INT("tasks", task_count()),
             LOG_INT("connections", http_connection_count(worker->server)));
    worker->past_deadline = true;
    worker->drain_until_ms = clock_monotonic_ms();
    end_generations(worker);
    loop_timer_start(worker->deadline, FAREWELL_MS);
}

static void drain(struct worker *worker, int64_t limit_ms)
{
    if (worker->draining)
        return;
    worker->draining = true;
    worker->drain_until_ms = clock_monotonic_ms() + limit_ms;
    loop_timer_start(worker->deadline, limit_ms);
    http_server_drain(worker->server, on_connections_gone, worker);
    sockets_close(&worker->sockets, false);
}

/* ---- the master's words ---- */

struct reply {
    struct worker *worker;
    uint64_t number;
};

static void on_reply(void *owner, struct slice json)
{
    struct reply *reply = owner;
    tell(reply->worker, &(struct channel_frame){.kind = CHANNEL_REPLY,
                                                .number = reply->number,
                                                .body = channel_answer(json)});
    free(reply);
}

static struct reply *new_reply(struct worker *worker, const struct channel_frame *frame)
{
    struct reply *reply = mem_new(struct reply);
    *reply = (struct reply){worker, frame->number};
    return reply;
}

static void take_request(struct worker *worker, const struct channel_frame *frame)
{
    answers_give(frame->body, worker->setup.number,
                 worker->ending ? NULL : lineage_live(worker->lineage), on_reply,
                 new_reply(worker, frame));
}

static void tell_recorded(struct worker *worker, const struct channel_frame *frame)
{
    const struct recording *recording = dispatch_recording(worker->dispatch);
    struct buf list = {0};

    if (recording)
        recording_describe(recording, RECORDED_MAX_BYTES, &list);
    else
        buf_append_slice(&list, SLICE("null"));
    on_reply(new_reply(worker, frame), buf_slice(&list));
    buf_free(&list);
}

static void take_replay(struct worker *worker, const struct channel_frame *frame, int fd)
{
    replay_begin(worker->replay, worker->ending ? NULL : lineage_live(worker->lineage), fd,
                 frame->body, on_reply, new_reply(worker, frame));
}

static void on_channel_closed(void *owner)
{
    struct worker *worker = owner;
    channel_close(worker->channel);
    worker->channel = NULL;
    questions_fail(&worker->questions);
    log_warn("the master is gone, so this worker ends");
    drain(worker, ORPHAN_LIMIT_S * 1000);
}

static uint64_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void count_connections(const struct host *host, struct worker_figures *figures)
{
    if (host->pgsql)
        pgsql_stats(host->pgsql, &figures->pg_idle, &figures->pg_busy, &figures->pg_waiting);
    figures->pg_up = host->pgsql && pgsql_is_up(host->pgsql);
    figures->redis_up = host->redis && redis_is_up(host->redis);
}

static void on_heartbeat(void *owner)
{
    struct worker *worker = owner;
    struct generation *live = worker->lineage ? lineage_live(worker->lineage) : NULL;
    struct worker_figures figures = {
        .generation = live ? generation_number(live) : 0,
        .memory_bytes = resident_bytes(),
        .script_bytes = live ? vm_memory(generation_lua(live)) : 0,
        .connections = http_connection_count(worker->server),
        .tasks = task_count(),
        .generations = worker->lineage ? lineage_count(worker->lineage) : 0,
        .cpu_seconds = (double)clock() / CLOCKS_PER_SEC,
    };
    count_connections(worker->host, &figures);
    tell(worker, &(struct channel_frame){.kind = CHANNEL_HEARTBEAT,
                                         .body = slice_of((const char *)&figures, sizeof figures)});
    loop_timer_start(worker->heartbeat, WORKER_HEARTBEAT_MS);
}

static void on_frame(void *owner, const struct channel_frame *frame, int fd)
{
    struct worker *worker = owner;

    switch (frame->kind) {
    case CHANNEL_PREPARE:
        if (!worker->ending)
            lineage_prepare(worker->lineage, frame->number, fd);
        else if (fd >= 0)
            close(fd);
        break;
    case CHANNEL_COMMIT:
        if (!worker->ending)
            lineage_commit(worker->lineage, frame->number);
        break;
    case CHANNEL_CANARY:
        if (!worker->ending)
            lineage_try(worker->lineage, frame->number, frame->body);
        break;
    case CHANNEL_ABORT:
        if (!worker->ending)
            lineage_abort(worker->lineage, frame->number);
        break;
    case CHANNEL_DRAIN:
        drain(worker, (int64_t)frame->number);
        break;
    case CHANNEL_STOP:
        leave_now();
        break;
    case CHANNEL_REOPEN:
        log_reopen();
        break;
    case CHANNEL_REQUEST:
        take_request(worker, frame);
        break;
    case CHANNEL_ANSWER:
        questions_answer(&worker->questions, frame);
        break;
    case CHANNEL_RECORDED:
        tell_recorded(worker, frame);
        break;
    case CHANNEL_REPLAY:
        take_replay(worker, frame, fd);
        break;
    default:
        break;
    }
}

/* ---- becoming a worker ---- */

static pid_t master_pid; /* a signal handler has no owner argument */

/* The master is dead. Should the loop not notice, the alarm's default action ends us. */
static void on_master_death(int signal)
{
    (void)signal;
    if (getppid() != master_pid)
        alarm(ORPHAN_LIMIT_S + 1);
}

/* Signals of a terminal or a service manager go to the whole group; the master decides what they
 * mean. */
static void settle_signals(const struct worker_setup *setup)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE, SIGCHLD};
    struct sigaction death = {.sa_handler = on_master_death, .sa_flags = SA_RESTART};
    sigset_t none;

    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    sigaction(SIGUSR2, &death, NULL);
    crash_watch(setup->crash);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void become_worker(const struct worker_setup *setup)
{
    char name[16];

    snprintf(name, sizeof name, "fura: worker %u", setup->number % 100);
    prctl(PR_SET_NAME, name);
    master_pid = setup->master_pid;
    prctl(PR_SET_PDEATHSIG, SIGUSR2);
    snprintf(name, sizeof name, "worker %u", setup->number % 1000);
    logs_open(setup->conf, name);
    settle_signals(setup);
}

static unsigned setting(const struct conf *conf, const char *key)
{
    return (unsigned)conf_integer(conf, key);
}

static enum result open_server(struct worker *worker, struct failure *why)
{
    const struct conf *conf = worker->setup.conf;
    struct http_callbacks callbacks = dispatch_callbacks(worker->dispatch);
    const char *proxies = conf_string(conf, "trusted_proxies");
    struct http_limits limits = {
        .max_url_bytes = setting(conf, "http.max_url_bytes"),
        .max_header_bytes = setting(conf, "http.max_header_bytes"),
        .max_headers = setting(conf, "http.max_headers"),
        .max_body_bytes = setting(conf, "http.max_body_bytes"),
        .head_timeout_ms = setting(conf, "http.head_timeout_ms"),
        .body_timeout_ms = setting(conf, "http.body_timeout_ms"),
        .idle_timeout_ms = setting(conf, "http.idle_timeout_ms"),
        .write_timeout_ms = setting(conf, "http.write_timeout_ms"),
        .max_connections = setting(conf, "http.max_connections"),
    };
    worker->server = http_server_new(worker->loop, &limits, &callbacks);
    return proxies && *proxies ? http_server_trust(worker->server, proxies, why) : R_OK;
}

static enum result open_all(struct worker *worker, struct failure *why)
{
    const struct worker_setup *setup = &worker->setup;
    enum result rc = host_open(&(struct host_options){.loop = worker->loop,
                                                      .conf = setup->conf,
                                                      .role = "serve",
                                                      .workers = setting(setup->conf, "workers"),
                                                      .shm = setup->shm,
                                                      .metrics = setup->metrics},
                               &worker->host, why);
    if (rc != R_OK)
        return rc;
    worker->host->worker = setup->number;
    worker->host->state = setup->state;
    worker->host->ask_master = ask_master;
    worker->host->complain = complain;
    worker->host->master = worker;
    worker->dispatch = dispatch_new(worker->loop, setup->conf, setup->metrics);
    worker->lineage = lineage_new(&(struct lineage_options){
        .loop = worker->loop,
        .host = worker->host,
        .build_timeout_ms = BUILD_LIMIT_MS,
        .inspect = on_inspect,
        .on_prepared = on_prepared,
        .on_live = on_live,
        .on_canary = on_canary,
        .on_canary_over = on_canary_over,
        .on_ended = on_lineage_ended,
        .owner = worker,
    });
    worker->replay = replay_new(&(struct replay_options){.loop = worker->loop,
                                                         .host = worker->host,
                                                         .build_timeout_ms = BUILD_LIMIT_MS,
                                                         .on_idle = on_replay_idle,
                                                         .owner = worker});
    rc = open_server(worker, why);
    if (rc == R_OK)
        rc = sockets_tls(&worker->sockets, setup->conf, tls_secret(worker), &worker->tls, why);
    return rc;
}

static void close_all(struct worker *worker)
{
    questions_fail(&worker->questions);
    http_server_free(worker->server);
    tls_context_free(worker->tls);
    replay_free(worker->replay);
    dispatch_free(worker->dispatch);
    watchdog_stop();
    host_close(worker->host);
    channel_close(worker->channel);
    loop_timer_free(worker->heartbeat);
    loop_timer_free(worker->deadline);
    loop_free(worker->loop);
}

int worker_run(const struct worker_setup *setup)
{
    struct worker worker = {.setup = *setup, .sockets = *setup->sockets};
    struct failure why = {.rc = R_OK};

    become_worker(setup);
    watchdog_start();
    task_set_budget(setting(setup->conf, "scripts.warn_ms"),
                    setting(setup->conf, "scripts.kill_ms"));
    worker.loop = loop_new();
    worker.channel =
        channel_open(worker.loop, setup->channel_fd,
                     &(struct channel_callbacks){on_frame, on_channel_closed, &worker});
    if (open_all(&worker, &why) != R_OK) {
        log_error("worker cannot start", LOG_STR("reason", why.text));
        return 1;
    }
    worker.heartbeat = loop_timer_new(worker.loop, on_heartbeat, &worker);
    worker.deadline = loop_timer_new(worker.loop, on_deadline, &worker);
    on_heartbeat(&worker);
    loop_run(worker.loop);
    close_all(&worker);
    return 0;
}
