/* reload.c: see reload.h. Canaries are in reload_canary.c, what is told and remembered in reload_report.c. */
#include "reload_inside.h"
#include "crew.h"
#include "notify.h"
#include "base/bundle.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/state.h"

#include <stdlib.h>

enum { VERDICT_LIMIT_MS = 90000 }; /* a drain deadline that must pass first, plus a slow start() */

static void clear_vote(struct reload *reload)
{
    for (unsigned i = 0; i < crew_size(reload->options.crew); i++) {
        buf_free(&reload->verdicts[i].reason);
        reload->verdicts[i] = (struct reload_verdict){0};
    }
    buf_free(&reload->problems);
}

static void on_begin(void *owner);

void reload_finish(struct reload *reload, struct reload_outcome *outcome)
{
    struct request *request = reload->queue;

    outcome->generation = reload->last_number;
    outcome->origin = request->origin;
    outcome->share = request->plan.share;
    outcome->verdicts = reload->verdicts;
    outcome->workers = crew_size(reload->options.crew);
    reload->queue = request->next;
    if (!reload->queue)
        reload->queue_tail = &reload->queue;
    if (outcome->canary != CANARY_STANDS)
        reload_conclude(reload, outcome);
    if (request->done)
        request->done(request->owner, outcome);
    free(request->plan.share);
    free(request);
    clear_vote(reload);
    if (reload->queue)
        loop_later(reload->options.loop, &reload->begin, on_begin, reload);
}

/* ---- live, or dropped ---- */

void reload_commit(struct reload *reload, uint64_t number)
{
    struct bundle *old_bundle = reload->bundle;

    reload->committed = number;
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
}

void reload_drop_candidate(struct reload *reload)
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
    reload_drop_candidate(reload);
    reload_finish(reload,
                  &(struct reload_outcome){.hash = hash, .problems = buf_slice(&reload->problems)});
}

/* ---- the vote ---- */

static void accept_candidate(struct reload *reload)
{
    if (reload->queue->plan.share) {
        reload_begin_canary(reload);
        return;
    }
    reload_commit(reload, reload->last_number);
    reload_finish(reload,
                  &(struct reload_outcome){.ok = true, .hash = bundle_hash(reload->bundle)});
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
        accept_candidate(reload);
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

/* Settings and sources as they lie on disk; what could be read is given also when the rest could not. */
static enum result read_disk(const struct reload *reload, struct conf **conf,
                             struct bundle **bundle, struct buf *problems)
{
    const struct conf_source *source = &reload->options.source;
    if (conf_load(source, conf, problems) != R_OK ||
        conf_restart_changes(reload->conf, *conf, problems) > 0)
        return R_INVALID;
    return bundle_read(source, *conf, bundle, problems);
}

enum result reload_read(const struct reload *reload, struct bundle **bundle, struct buf *problems)
{
    struct conf *conf = NULL;
    enum result rc = read_disk(reload, &conf, bundle, problems);
    if (conf)
        conf_free(conf);
    return rc;
}

/* The start uses the conf that the master was started with. */
static enum result read_candidate(struct reload *reload)
{
    if (!reload->committed)
        return bundle_read(&reload->options.source, reload->conf, &reload->next_bundle,
                           &reload->problems);
    return read_disk(reload, &reload->next_conf, &reload->next_bundle, &reload->problems);
}

static void on_begin(void *owner)
{
    struct reload *reload = owner;

    reload_withdraw(reload, "another reload takes its place");
    reload->last_number++;
    if (reload->committed)
        notify_reloading();
    if (read_candidate(reload) != R_OK) {
        reject(reload);
        return;
    }
    reload->voting = true;
    loop_timer_start(reload->limit, VERDICT_LIMIT_MS);
    crew_prepare(reload->options.crew, reload->last_number, reload->next_bundle);
}

static void add_request(struct reload *reload, const struct request *wish)
{
    struct request *request = mem_new(struct request);
    *request = *wish;
    if (!reload->queue)
        loop_later(reload->options.loop, &reload->begin, on_begin, reload);
    *reload->queue_tail = request;
    reload->queue_tail = &request->next;
}

void reload_request(struct reload *reload, const char *origin, reload_done *done, void *owner)
{
    add_request(reload, &(struct request){.origin = origin, .done = done, .owner = owner});
}

void reload_request_canary(struct reload *reload, const struct canary_plan *plan, reload_done *done,
                           void *owner)
{
    add_request(reload, &(struct request){
                            .origin = "command", .done = done, .owner = owner, .plan = *plan});
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
        free(request->plan.share);
        free(request);
    }
    while (reload->listeners) {
        struct listener *listener = reload->listeners;
        reload->listeners = listener->next;
        free(listener);
    }
    canary_free(reload->canary);
    clear_vote(reload);
    reload_drop_candidate(reload);
    loop_later_cancel(&reload->begin);
    loop_timer_free(reload->limit);
    for (unsigned i = 0; i < RELOAD_HISTORY; i++)
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
