/* reload.c: see reload.h. */
#include "reload.h"
#include "crew.h"
#include "json.h"
#include "notify.h"
#include "base/bundle.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/state.h"
#include "net/loop.h"

#include <stdlib.h>

enum {
    HISTORY = 20,
    REASON_MAX = 2000,
    VERDICT_LIMIT_MS = 90000, /* a drain deadline that must pass first, plus a slow start() */
};

struct request {
    const char *origin;
    reload_done *done;
    void *owner;
    struct request *next;
};

struct record {
    uint64_t generation;
    bool ok;
    int64_t at_ms;
    const char *origin;
    char hash[65];
    char *reason;
};

struct reload {
    struct reload_options options;
    struct conf *conf; /* in force */
    struct bundle *bundle;
    uint64_t committed, last_number;

    struct request *queue, **queue_tail;
    struct loop_later begin;
    struct loop_timer *limit;
    bool voting;
    struct conf *next_conf;
    struct bundle *next_bundle;
    struct buf problems;
    struct reload_verdict *verdicts;

    struct record history[HISTORY];
    unsigned records;
};

/* ---- reporting ---- */

static void add_record(struct reload *reload, const struct reload_outcome *outcome)
{
    struct record *record = &reload->history[reload->records++ % HISTORY];
    size_t len = outcome->problems.len < REASON_MAX ? outcome->problems.len : REASON_MAX;

    free(record->reason);
    *record = (struct record){
        .generation = outcome->generation,
        .ok = outcome->ok,
        .at_ms = clock_wall_ms(),
        .origin = outcome->origin,
        .reason = mem_strndup(outcome->problems.data ? outcome->problems.data : "", len)};
    memcpy(record->hash, outcome->hash, strlen(outcome->hash));
}

static void report(struct reload *reload, const struct reload_outcome *outcome)
{
    struct slice labels = outcome->ok ? SLICE("result=\"applied\"") : SLICE("result=\"rejected\"");

    metric_add(
        metrics_find(reload->options.metrics, METRIC_COUNTER, SLICE("fura_reloads_total"), labels),
        1);
    if (outcome->ok) {
        atomic_fetch_add(&reload->options.state->reloads_applied, 1);
        log_info("generation committed", LOG_INT("generation", outcome->generation),
                 LOG_STR("hash", outcome->hash), LOG_STR("origin", outcome->origin));
    } else {
        atomic_fetch_add(&reload->options.state->reloads_rejected, 1);
        log_error("generation rejected", LOG_INT("generation", outcome->generation),
                  LOG_STR("origin", outcome->origin), LOG_SLICE("reason", outcome->problems));
    }
    notify_send("READY=1\nSTATUS=generation %llu%s", (unsigned long long)reload->committed,
                outcome->ok ? "" : ", last reload rejected");
}

static void clear_vote(struct reload *reload)
{
    for (unsigned i = 0; i < crew_size(reload->options.crew); i++) {
        buf_free(&reload->verdicts[i].reason);
        reload->verdicts[i] = (struct reload_verdict){0};
    }
    buf_free(&reload->problems);
}

static void on_begin(void *owner);

/* The request at the head of the queue is done: tell everybody and turn to the next. */
static void finish(struct reload *reload, bool ok, const char *hash)
{
    struct request *request = reload->queue;
    struct reload_outcome outcome = {.ok = ok,
                                     .generation = reload->last_number,
                                     .hash = hash,
                                     .origin = request->origin,
                                     .problems = buf_slice(&reload->problems),
                                     .verdicts = reload->verdicts,
                                     .workers = crew_size(reload->options.crew)};

    reload->queue = request->next;
    if (!reload->queue)
        reload->queue_tail = &reload->queue;
    add_record(reload, &outcome);
    if (reload->committed)
        report(reload, &outcome);
    reload->options.on_finished(reload->options.owner, &outcome, reload->conf);
    if (request->done)
        request->done(request->owner, &outcome);
    free(request);
    clear_vote(reload);
    if (reload->queue)
        loop_later(reload->options.loop, &reload->begin, on_begin, reload);
}

/* ---- the vote ---- */

static void commit(struct reload *reload)
{
    struct bundle *old_bundle = reload->bundle;

    reload->committed = reload->last_number;
    reload->bundle = reload->next_bundle;
    reload->next_bundle = NULL;
    if (reload->next_conf) {
        conf_free(reload->conf);
        reload->conf = reload->next_conf;
        reload->next_conf = NULL;
    }
    crew_commit(reload->options.crew, reload->committed, reload->bundle);
    if (old_bundle)
        bundle_free(old_bundle);
    atomic_store(&reload->options.state->generation, reload->committed);
    metric_set(
        metrics_find(reload->options.metrics, METRIC_GAUGE, SLICE("fura_generation"), SLICE("")),
        (double)reload->committed);
    finish(reload, true, bundle_hash(reload->bundle));
}

static void drop_candidate(struct reload *reload)
{
    if (reload->next_conf)
        conf_free(reload->next_conf);
    if (reload->next_bundle)
        bundle_free(reload->next_bundle);
    reload->next_conf = NULL;
    reload->next_bundle = NULL;
}

static void reject(struct reload *reload)
{
    char hash[65] = "";
    if (reload->next_bundle)
        memcpy(hash, bundle_hash(reload->next_bundle), sizeof hash);
    if (reload->voting)
        crew_abort(reload->options.crew, reload->last_number);
    reload->voting = false;
    drop_candidate(reload);
    finish(reload, false, hash);
}

/* Every worker found the same mistakes: say each once. */
static void add_problem(struct reload *reload, struct slice line)
{
    struct buf *all = &reload->problems;
    if (line.len == 0 || (all->len > 0 && memmem(all->data, all->len, line.data, line.len)))
        return;
    buf_append_slice(all, line);
    if (line.data[line.len - 1] != '\n')
        buf_append_char(all, '\n');
}

static void count_votes(struct reload *reload)
{
    bool all_ok = true;

    for (unsigned i = 0; i < crew_size(reload->options.crew); i++) {
        if (!reload->verdicts[i].given)
            return;
        all_ok = all_ok && reload->verdicts[i].ok;
    }
    loop_timer_stop(reload->limit);
    if (all_ok) {
        reload->voting = false;
        commit(reload);
        return;
    }
    for (unsigned i = 0; i < crew_size(reload->options.crew); i++)
        if (!reload->verdicts[i].ok)
            add_problem(reload, buf_slice(&reload->verdicts[i].reason));
    reject(reload);
}

void reload_take_verdict(struct reload *reload, unsigned worker, uint64_t number, bool ok,
                         struct slice reason)
{
    struct reload_verdict *verdict = &reload->verdicts[worker - 1];
    if (!reload->voting || number != reload->last_number || verdict->given)
        return;
    verdict->given = true;
    verdict->ok = ok;
    buf_append_slice(&verdict->reason, reason);
    count_votes(reload);
}

static void on_limit(void *owner)
{
    struct reload *reload = owner;
    for (unsigned i = 0; i < crew_size(reload->options.crew); i++) {
        struct reload_verdict *verdict = &reload->verdicts[i];
        if (verdict->given)
            continue;
        verdict->given = true;
        buf_printf(&verdict->reason, "worker %u gave no answer within %d s", i + 1,
                   VERDICT_LIMIT_MS / 1000);
    }
    count_votes(reload);
}

/* ---- reading ---- */

/* The start uses the conf that the master was started with. */
static bool read_conf(struct reload *reload)
{
    if (!reload->committed)
        return true;
    if (conf_load(&reload->options.source, &reload->next_conf, &reload->problems) != R_OK)
        return false;
    return conf_restart_changes(reload->conf, reload->next_conf, &reload->problems) == 0;
}

enum result reload_read(const struct reload *reload, struct bundle **bundle, struct buf *problems)
{
    struct conf *conf = NULL;
    enum result rc = conf_load(&reload->options.source, &conf, problems);

    if (rc == R_OK && conf_restart_changes(reload->conf, conf, problems) > 0)
        rc = R_INVALID;
    if (rc == R_OK)
        rc = bundle_read(&reload->options.source, conf, bundle, problems);
    if (conf)
        conf_free(conf);
    return rc;
}

static void on_begin(void *owner)
{
    struct reload *reload = owner;

    reload->last_number++;
    if (reload->committed)
        notify_reloading();
    if (!read_conf(reload) ||
        bundle_read(&reload->options.source, reload->next_conf ? reload->next_conf : reload->conf,
                    &reload->next_bundle, &reload->problems) != R_OK) {
        reject(reload);
        return;
    }
    reload->voting = true;
    loop_timer_start(reload->limit, VERDICT_LIMIT_MS);
    crew_prepare(reload->options.crew, reload->last_number, reload->next_bundle);
}

void reload_request(struct reload *reload, const char *origin, reload_done *done, void *owner)
{
    struct request *request = mem_new(struct request);
    request->origin = origin;
    request->done = done;
    request->owner = owner;
    if (!reload->queue)
        loop_later(reload->options.loop, &reload->begin, on_begin, reload);
    *reload->queue_tail = request;
    reload->queue_tail = &request->next;
}

/* ---- life and figures ---- */

struct reload *reload_new(const struct reload_options *options)
{
    struct reload *reload = mem_new(struct reload);
    reload->options = *options;
    reload->conf = options->conf;
    reload->queue_tail = &reload->queue;
    reload->limit = loop_timer_new(options->loop, on_limit, reload);
    reload->verdicts = mem_zalloc(crew_size(options->crew) * sizeof *reload->verdicts);
    return reload;
}

void reload_free(struct reload *reload)
{
    while (reload->queue) {
        struct request *request = reload->queue;
        reload->queue = request->next;
        free(request);
    }
    clear_vote(reload);
    drop_candidate(reload);
    loop_later_cancel(&reload->begin);
    loop_timer_free(reload->limit);
    for (unsigned i = 0; i < HISTORY; i++)
        free(reload->history[i].reason);
    if (reload->bundle)
        bundle_free(reload->bundle);
    conf_free(reload->conf);
    free(reload->verdicts);
    free(reload);
}

bool reload_is_busy(const struct reload *reload)
{
    return reload->queue != NULL;
}

const struct conf *reload_conf(const struct reload *reload)
{
    return reload->conf;
}

uint64_t reload_generation(const struct reload *reload)
{
    return reload->committed;
}

const char *reload_hash(const struct reload *reload)
{
    return reload->bundle ? bundle_hash(reload->bundle) : "";
}

void reload_describe(const struct reload *reload, struct buf *out)
{
    unsigned count = reload->records < HISTORY ? reload->records : HISTORY;

    buf_append_char(out, '[');
    for (unsigned i = 1; i <= count; i++) {
        const struct record *record = &reload->history[(reload->records - i) % HISTORY];
        json_put_comma(out);
        buf_append_char(out, '{');
        json_put_integer(out, "generation", (int64_t)record->generation);
        json_put_bool(out, "ok", record->ok);
        json_put_integer(out, "at", record->at_ms / 1000);
        json_put_member(out, "origin", slice_cstr(record->origin));
        json_put_member(out, "hash", slice_cstr(record->hash));
        json_put_member(out, "reason", slice_cstr(record->reason));
        buf_append_char(out, '}');
    }
    buf_append_char(out, ']');
}
