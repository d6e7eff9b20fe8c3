/* reload_canary.c: a candidate that stands beside the live generation, from all workers' yes to its end. */
#include "reload_inside.h"
#include "crew.h"
#include "notify.h"
#include "base/bundle.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <stdlib.h>

static void on_canary_verdict(void *owner, bool is_good, struct slice why);

static void publish_canary(struct reload *reload)
{
    metric_set(metrics_find(reload->options.metrics, METRIC_GAUGE, SLICE("fura_canary_generation"),
                            SLICE("")),
               reload->canary ? (double)canary_generation(reload->canary) : 0);
}

void reload_begin_canary(struct reload *reload)
{
    struct request *request = reload->queue;
    const char *hash = bundle_hash(reload->next_bundle);

    reload->canary = canary_new(&(struct canary_options){.loop = reload->options.loop,
                                                         .state = reload->options.state,
                                                         .generation = reload->last_number,
                                                         .hash = hash,
                                                         .plan = request->plan,
                                                         .on_verdict = on_canary_verdict,
                                                         .owner = reload});
    request->plan.share = mem_strdup(canary_share(reload->canary));
    crew_try(reload->options.crew, &(struct crew_canary){.number = reload->last_number,
                                                         .bundle = reload->next_bundle,
                                                         .share = canary_share(reload->canary)});
    publish_canary(reload);
    log_info("canary stands", LOG_INT("generation", reload->last_number), LOG_STR("hash", hash),
             LOG_STR("share", canary_share(reload->canary)),
             LOG_INT("for_s", request->plan.for_ms / 1000));
    notify_send("READY=1\nSTATUS=generation %llu, canary %llu for %s",
                (unsigned long long)reload->committed, (unsigned long long)reload->last_number,
                canary_share(reload->canary));
    reload_finish(reload,
                  &(struct reload_outcome){.ok = true, .canary = CANARY_STANDS, .hash = hash});
}

static void tell_listeners(struct reload *reload, const struct reload_outcome *outcome)
{
    while (reload->listeners) {
        struct listener *listener = reload->listeners;
        reload->listeners = listener->next;
        listener->done(listener->owner, outcome);
        free(listener);
    }
}

/* `end` is one of the last three. */
static void end_canary(struct reload *reload, enum reload_canary_end end, struct slice why)
{
    struct canary *canary = reload->canary;
    struct buf text = {0};
    char hash[65];
    struct reload_outcome outcome = {.ok = end == CANARY_PROMOTED,
                                     .canary = end,
                                     .generation = canary_generation(canary),
                                     .hash = hash,
                                     .origin = "canary",
                                     .share = canary_share(canary)};

    memcpy(hash, canary_hash(canary), sizeof hash);
    buf_printf(&text, "canary %s %s: %.*s", canary_share(canary),
               outcome.ok ? "promoted" : "withdrawn", (int)why.len, why.data);
    *(outcome.ok ? &outcome.note : &outcome.problems) = buf_slice(&text);
    reload->canary = NULL;
    if (outcome.ok) {
        reload_commit(reload, outcome.generation);
    } else {
        crew_withdraw(reload->options.crew);
        reload_drop_candidate(reload);
    }
    publish_canary(reload);
    reload_conclude(reload, &outcome);
    tell_listeners(reload, &outcome);
    canary_free(canary);
    buf_free(&text);
}

static void on_canary_verdict(void *owner, bool is_good, struct slice why)
{
    end_canary(owner, is_good ? CANARY_PROMOTED : CANARY_FAILED, why);
}

static bool end_by_order(struct reload *reload, enum reload_canary_end end, const char *reason)
{
    struct buf why = {0};

    if (!reload->canary)
        return false;
    buf_printf(&why, "%s, ", reason);
    canary_sum_up(reload->canary, &why);
    end_canary(reload, end, buf_slice(&why));
    buf_free(&why);
    return true;
}

bool reload_promote(struct reload *reload, const char *reason)
{
    return end_by_order(reload, CANARY_PROMOTED, reason);
}

bool reload_withdraw(struct reload *reload, const char *reason)
{
    return end_by_order(reload, CANARY_WITHDRAWN, reason);
}

bool reload_await(struct reload *reload, uint64_t generation, reload_done *done, void *owner)
{
    if (!reload->canary || canary_generation(reload->canary) != generation)
        return false;
    struct listener *listener = mem_new(struct listener);
    *listener = (struct listener){done, owner, reload->listeners};
    reload->listeners = listener;
    return true;
}

uint64_t reload_canary(const struct reload *reload)
{
    return reload->canary ? canary_generation(reload->canary) : 0;
}

void reload_take_trouble(struct reload *reload, bool is_certain, struct slice reason)
{
    if (reload->canary)
        canary_take_trouble(reload->canary, is_certain, reason);
}

void reload_take_complaint(struct reload *reload, struct slice text)
{
    if (reload->canary)
        canary_take_complaint(reload->canary, text);
}

void reload_describe_canary(const struct reload *reload, struct buf *out)
{
    if (reload->canary)
        canary_describe(reload->canary, out);
    else
        buf_append_slice(out, SLICE("null"));
}
