/* crew.c: see crew.h. What it tells about itself is in crew_report.c, questions are in crew_ask.c. */
#include "crew_inside.h"
#include "channel.h"
#include "crash.h"
#include "base/bundle.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TICK_MS = 500,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
    STEADY_MS = 10000, /* a worker that lived this long did not die of its start */
    STOP_GRACE_MS = 1000,
};

static void send_to(struct worker *worker, enum channel_kind kind, uint64_t number)
{
    if (worker->channel)
        channel_send(worker->channel, &(struct channel_frame){.kind = kind, .number = number}, -1);
}

static void send_prepare(struct worker *worker, uint64_t number, const struct bundle *bundle)
{
    if (worker->preparing)
        send_to(worker, CHANNEL_ABORT, worker->preparing);
    worker->preparing = number;
    channel_send(worker->channel,
                 &(struct channel_frame){.kind = CHANNEL_PREPARE, .number = number},
                 bundle_fd(bundle));
}

/* End a worker that will not end by itself; `why` goes into the line about its death. */
static void kill_worker(struct worker *worker, const char *why)
{
    buf_clear(&worker->last_words);
    buf_append_slice(&worker->last_words, slice_cstr(why));
    kill(worker->pid, SIGKILL);
}

/* ---- what workers say ---- */

static void go_live(struct worker *worker, uint64_t number)
{
    send_to(worker, CHANNEL_COMMIT, number);
    worker->live = number;
    crew_publish_live(worker->crew);
}

static void send_canary(struct worker *worker)
{
    const struct crew_canary *canary = &worker->crew->canary;
    channel_send(worker->channel,
                 &(struct channel_frame){.kind = CHANNEL_CANARY,
                                         .number = canary->number,
                                         .body = slice_cstr(canary->share)},
                 -1);
}

/* A worker that started while it is tried builds the committed one first, and then the canary. */
static void take_canary_verdict(struct worker *worker, const struct channel_frame *frame)
{
    const struct crew_options *options = &worker->crew->options;
    if (frame->status)
        send_canary(worker);
    else
        options->on_trouble(options->owner, true, frame->body);
}

static void take_verdict(struct worker *worker, const struct channel_frame *frame)
{
    struct crew *crew = worker->crew;

    if (frame->number != worker->preparing)
        return; /* about one we aborted since */
    worker->preparing = 0;
    worker->prepared = frame->status ? frame->number : 0;
    if (frame->number == crew->candidate) {
        crew->options.on_verdict(crew->options.owner, worker->number, frame->number,
                                 frame->status != 0, frame->body);
    } else if (frame->status && frame->number == crew->committed) {
        go_live(worker, frame->number);
        log_info("worker serves", LOG_INT("worker", worker->number),
                 LOG_INT("generation", frame->number));
        if (crew->canary.number)
            send_prepare(worker, crew->canary.number, crew->canary.bundle);
    } else if (frame->number == crew->canary.number) {
        take_canary_verdict(worker, frame);
    } else if (!frame->status) {
        log_error("a new worker cannot build the committed generation",
                  LOG_INT("worker", worker->number), LOG_SLICE("problems", frame->body));
        send_to(worker, CHANNEL_STOP, 0);
    }
}

static void on_frame(void *owner, const struct channel_frame *frame, int fd)
{
    struct worker *worker = owner;
    const struct crew_options *options = &worker->crew->options;

    if (fd >= 0)
        close(fd);
    worker->heard_ms = clock_monotonic_ms();
    switch (frame->kind) {
    case CHANNEL_HEARTBEAT:
        crew_take_figures(worker, frame->body);
        break;
    case CHANNEL_PREPARED:
        take_verdict(worker, frame);
        break;
    case CHANNEL_REPLY:
        crew_take_reply(worker->crew, frame);
        break;
    case CHANNEL_COMPLAINT:
        if (frame->number == worker->crew->canary.number)
            options->on_complaint(options->owner, frame->number, frame->body);
        break;
    case CHANNEL_ASK:
        options->on_ask(options->owner, worker->number, frame->number, frame->body);
        break;
    default:
        break;
    }
}

/* Its process ends soon and SIGCHLD tells; if it only lost its line, the silence will. */
static void on_channel_closed(void *owner)
{
    struct worker *worker = owner;
    channel_close(worker->channel);
    worker->channel = NULL;
}

/* ---- starting ---- */

static void run_child(struct worker *worker, int fd)
{
    struct crew *crew = worker->crew;
    struct worker_setup setup = *crew->options.setup;

    for (unsigned i = 0; i < crew->options.workers; i++)
        channel_disown(crew->workers[i].channel);
    crew->options.in_child(crew->options.owner);
    setup.number = worker->number;
    setup.channel_fd = fd;
    setup.crash = worker->crash;
    exit(worker_run(&setup));
}

static void schedule_restart(struct worker *worker)
{
    int64_t pause_ms = 0;
    if (worker->quick_deaths > 0) {
        unsigned doublings = worker->quick_deaths < 8 ? worker->quick_deaths - 1 : 7;
        pause_ms = (int64_t)BACKOFF_FIRST_MS << doublings;
        pause_ms = pause_ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : pause_ms;
    }
    loop_timer_start(worker->restart, pause_ms);
}

static bool fork_worker(struct worker *worker)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    crash_note_clear(worker->crash);
    fflush(NULL); /* or the child would write our unwritten lines again */
    worker->pid = fork();
    if (worker->pid == 0) {
        close(pair[0]);
        run_child(worker, pair[1]);
    }
    close(pair[1]);
    if (worker->pid < 0) {
        close(pair[0]);
        worker->pid = 0;
        return false;
    }
    worker->channel =
        channel_open(worker->crew->options.loop, pair[0],
                     &(struct channel_callbacks){on_frame, on_channel_closed, worker});
    return true;
}

static void start_worker(struct worker *worker)
{
    struct crew *crew = worker->crew;

    loop_timer_stop(worker->restart);
    if (!fork_worker(worker)) {
        log_error("cannot start a worker", LOG_INT("worker", worker->number),
                  LOG_STR("reason", strerror(errno)));
        worker->quick_deaths++;
        schedule_restart(worker);
        return;
    }
    worker->started_ms = worker->heard_ms = clock_monotonic_ms();
    worker->kill_at_ms = 0;
    worker->figures = (struct worker_figures){0};
    buf_clear(&worker->last_words);
    if (crew->committed && !crew->candidate)
        send_prepare(worker, crew->committed, crew->bundle);
}

static void on_restart_due(void *owner)
{
    struct worker *worker = owner;
    /* During a vote the newcomer waits for its outcome: crew_commit() or crew_abort() tells it what
     * to build. */
    if (!worker->crew->ending && !worker->pid)
        start_worker(worker);
}

/* ---- watching ---- */

static void watch_worker(struct worker *worker, int64_t now_ms)
{
    if (worker->kill_at_ms && now_ms >= worker->kill_at_ms)
        kill_worker(worker, "it did not end when told to");
    else if (now_ms - worker->heard_ms >= WORKER_SILENCE_MS)
        kill_worker(worker, "it was silent for 5 seconds, so the master killed it");
}

static void on_tick(void *owner)
{
    struct crew *crew = owner;
    int64_t now_ms = clock_monotonic_ms();
    /* After a pause of our own (a suspended machine) silence proves nothing: listen first. */
    bool overslept = now_ms - crew->ticked_ms > WORKER_SILENCE_MS / 2;

    crew->ticked_ms = now_ms;
    for (unsigned i = 0; i < crew->options.workers; i++) {
        struct worker *worker = &crew->workers[i];
        if (overslept)
            worker->heard_ms = now_ms;
        if (worker->pid)
            watch_worker(worker, now_ms);
    }
    crew_fail_questions(crew, NULL, now_ms);
    loop_timer_start(crew->tick, TICK_MS);
}

/* ---- dying ---- */

static void on_all_gone(void *owner)
{
    struct crew *crew = owner;
    crew->options.on_empty(crew->options.owner);
}

static bool is_anyone_there(const struct crew *crew)
{
    for (unsigned i = 0; i < crew->options.workers; i++)
        if (crew->workers[i].pid)
            return true;
    return false;
}

static void check_empty(struct crew *crew)
{
    if (crew->ending && !is_anyone_there(crew))
        loop_later(crew->options.loop, &crew->empty, on_all_gone, crew);
}

static void bury(struct worker *worker, int status)
{
    struct crew *crew = worker->crew;
    uint64_t was_preparing = worker->preparing;
    pid_t pid = worker->pid;
    struct buf reason = {0};

    crew_describe_death(worker, status, &reason);
    channel_close(worker->channel);
    worker->channel = NULL;
    worker->pid = 0;
    worker->live = worker->preparing = worker->prepared = 0;
    crew_publish_live(crew);
    crew_fail_questions(crew, worker, 0);
    if (crew->ending) {
        check_empty(crew);
    } else {
        crew_report_death(worker, pid, buf_slice(&reason));
        bool steady = clock_monotonic_ms() - worker->started_ms >= STEADY_MS;
        worker->quick_deaths = steady ? 0 : worker->quick_deaths + 1;
        worker->restarts++;
        schedule_restart(worker);
        if (crew->canary.number)
            crew->options.on_trouble(crew->options.owner, crew_is_own_fault(worker, status),
                                     buf_slice(&reason));
        if (was_preparing && was_preparing == crew->candidate)
            crew->options.on_verdict(crew->options.owner, worker->number, was_preparing, false,
                                     buf_slice(&reason));
    }
    buf_free(&reason);
}

bool crew_reaped(struct crew *crew, pid_t pid, int status)
{
    for (unsigned i = 0; i < crew->options.workers; i++)
        if (crew->workers[i].pid == pid) {
            bury(&crew->workers[i], status);
            return true;
        }
    return false;
}

/* ---- votes ---- */

void crew_prepare(struct crew *crew, uint64_t number, const struct bundle *bundle)
{
    if (crew->ending)
        return;
    crew->candidate = number;
    for (unsigned i = 0; i < crew->options.workers; i++) {
        struct worker *worker = &crew->workers[i];
        if (!worker->pid)
            start_worker(worker);
        if (worker->channel)
            send_prepare(worker, number, bundle);
        else
            worker->preparing = number; /* dying: its burial votes no */
    }
}

void crew_commit(struct crew *crew, uint64_t number, const struct bundle *bundle)
{
    crew->committed = number;
    crew->bundle = bundle;
    crew->candidate = 0;
    crew->canary = (struct crew_canary){0};
    for (unsigned i = 0; i < crew->options.workers; i++) {
        struct worker *worker = &crew->workers[i];
        if (!worker->channel)
            continue;
        /* One that died after its yes and is back has not heard of this bundle yet. */
        if (worker->prepared == number)
            go_live(worker, number);
        else if (worker->preparing != number)
            send_prepare(worker, number, bundle);
    }
}

void crew_try(struct crew *crew, const struct crew_canary *canary)
{
    crew->candidate = 0;
    crew->canary = *canary;
    for (unsigned i = 0; i < crew->options.workers; i++) {
        struct worker *worker = &crew->workers[i];
        if (worker->live && worker->prepared == canary->number) {
            send_canary(worker);
        } else if (worker->channel) { /* new, or back since its yes: first what it stands beside */
            send_to(worker, CHANNEL_ABORT, canary->number);
            send_prepare(worker, crew->committed, crew->bundle);
        }
    }
}

void crew_withdraw(struct crew *crew)
{
    uint64_t number = crew->canary.number;

    crew->canary = (struct crew_canary){0};
    for (unsigned i = 0; i < crew->options.workers; i++) {
        struct worker *worker = &crew->workers[i];
        send_to(worker, CHANNEL_ABORT, number);
        if (worker->preparing == number)
            worker->preparing = 0;
        if (worker->prepared == number)
            worker->prepared = 0;
    }
}

void crew_abort(struct crew *crew, uint64_t number)
{
    crew->candidate = 0;
    for (unsigned i = 0; i < crew->options.workers; i++) {
        struct worker *worker = &crew->workers[i];
        send_to(worker, CHANNEL_ABORT, number);
        worker->preparing = 0;
        if (worker->channel && !worker->live && crew->committed)
            send_prepare(worker, crew->committed, crew->bundle);
    }
}

/* ---- ending ---- */

void crew_reopen_logs(struct crew *crew)
{
    for (unsigned i = 0; i < crew->options.workers; i++)
        send_to(&crew->workers[i], CHANNEL_REOPEN, 0);
}

static void end_all(struct crew *crew, enum channel_kind how, int64_t limit_ms)
{
    crew->ending = true;
    for (unsigned i = 0; i < crew->options.workers; i++) {
        struct worker *worker = &crew->workers[i];
        loop_timer_stop(worker->restart);
        send_to(worker, how, (uint64_t)limit_ms);
        worker->kill_at_ms = clock_monotonic_ms() + limit_ms + STOP_GRACE_MS;
    }
    check_empty(crew);
}

void crew_drain(struct crew *crew, int64_t limit_ms)
{
    end_all(crew, CHANNEL_DRAIN, limit_ms);
}

void crew_stop(struct crew *crew)
{
    end_all(crew, CHANNEL_STOP, 0);
}

/* ---- life and figures ---- */

struct crew *crew_new(const struct crew_options *options)
{
    struct crew *crew = mem_new(struct crew);
    crew->options = *options;
    crew->workers = mem_zalloc(options->workers * sizeof *crew->workers);
    for (unsigned i = 0; i < options->workers; i++) {
        crew->workers[i].crew = crew;
        crew->workers[i].number = i + 1;
        crew->workers[i].crash = crash_note_new();
        crew->workers[i].restart = loop_timer_new(options->loop, on_restart_due, &crew->workers[i]);
    }
    crew->ticked_ms = clock_monotonic_ms();
    crew->tick = loop_timer_new(options->loop, on_tick, crew);
    loop_timer_start(crew->tick, TICK_MS);
    return crew;
}

void crew_free(struct crew *crew)
{
    for (unsigned i = 0; i < crew->options.workers; i++) {
        struct worker *worker = &crew->workers[i];
        channel_close(worker->channel);
        crash_note_free(worker->crash);
        loop_timer_free(worker->restart);
        buf_free(&worker->last_words);
    }
    loop_later_cancel(&crew->empty);
    loop_timer_free(crew->tick);
    free(crew->workers);
    free(crew);
}

unsigned crew_size(const struct crew *crew)
{
    return crew->options.workers;
}

unsigned crew_live(const struct crew *crew)
{
    unsigned count = 0;
    for (unsigned i = 0; i < crew->options.workers; i++)
        count += crew->workers[i].live != 0;
    return count;
}

unsigned crew_any_live(const struct crew *crew)
{
    for (unsigned i = 0; i < crew->options.workers; i++)
        if (crew->workers[i].live && crew->workers[i].channel)
            return i + 1;
    return 0;
}
