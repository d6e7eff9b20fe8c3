/* reload_report.c: what is told of reloads, and remembered. */
#include "reload_inside.h"
#include "json.h"
#include "notify.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/state.h"

#include <stdlib.h>

enum { REASON_MAX = 2000 };

static void add_record(struct reload *reload, const struct reload_outcome *outcome)
{
    struct record *record = &reload->history[reload->records++ % RELOAD_HISTORY];
    struct slice text = outcome->ok ? outcome->note : outcome->problems;
    size_t len = text.len < REASON_MAX ? text.len : REASON_MAX;

    free(record->reason);
    *record = (struct record){.generation = outcome->generation,
                              .ok = outcome->ok,
                              .was_canary = outcome->canary != 0,
                              .at_ms = clock_wall_ms(),
                              .origin = outcome->origin,
                              .reason = mem_strndup(text.data ? text.data : "", len)};
    memcpy(record->hash, outcome->hash, strlen(outcome->hash));
}

static void count(struct reload *reload, const struct reload_outcome *outcome)
{
    struct server_state *state = reload->options.state;
    bool by_order = outcome->canary == CANARY_WITHDRAWN; /* nothing was wrong with it */
    struct slice labels = outcome->ok ? SLICE("result=\"applied\"")
                          : by_order  ? SLICE("result=\"withdrawn\"")
                                      : SLICE("result=\"rejected\"");
    metric_add(
        metrics_find(reload->options.metrics, METRIC_COUNTER, SLICE("fura_reloads_total"), labels),
        1);
    if (!by_order)
        atomic_fetch_add(outcome->ok ? &state->reloads_applied : &state->reloads_rejected, 1);
}

static void report(struct reload *reload, const struct reload_outcome *outcome)
{
    if (outcome->ok) {
        log_info("generation committed", LOG_INT("generation", outcome->generation),
                 LOG_STR("hash", outcome->hash), LOG_STR("origin", outcome->origin));
        if (outcome->canary)
            log_info("canary promoted", LOG_INT("generation", outcome->generation),
                     LOG_SLICE("note", outcome->note));
    } else if (outcome->canary == CANARY_WITHDRAWN) {
        log_warn("canary withdrawn", LOG_INT("generation", outcome->generation),
                 LOG_SLICE("reason", outcome->problems));
    } else {
        log_error(outcome->canary ? "canary failed" : "generation rejected",
                  LOG_INT("generation", outcome->generation), LOG_STR("origin", outcome->origin),
                  LOG_SLICE("reason", outcome->problems));
    }
    notify_send("READY=1\nSTATUS=generation %llu%s", (unsigned long long)reload->committed,
                outcome->ok ? "" : ", last reload rejected");
}

void reload_conclude(struct reload *reload, const struct reload_outcome *outcome)
{
    add_record(reload, outcome);
    if (reload->committed) {
        count(reload, outcome);
        report(reload, outcome);
    }
    reload->options.on_finished(reload->options.owner, outcome, reload->conf);
}

void reload_describe(const struct reload *reload, struct buf *out)
{
    unsigned count = reload->records < RELOAD_HISTORY ? reload->records : RELOAD_HISTORY;

    buf_append_char(out, '[');
    for (unsigned i = 1; i <= count; i++) {
        const struct record *record = &reload->history[(reload->records - i) % RELOAD_HISTORY];
        json_put_comma(out);
        buf_append_char(out, '{');
        json_put_integer(out, "generation", (int64_t)record->generation);
        json_put_bool(out, "ok", record->ok);
        json_put_bool(out, "canary", record->was_canary);
        json_put_integer(out, "at", record->at_ms / 1000);
        json_put_member(out, "origin", slice_cstr(record->origin));
        json_put_member(out, "hash", slice_cstr(record->hash));
        json_put_member(out, "reason", slice_cstr(record->reason));
        buf_append_char(out, '}');
    }
    buf_append_char(out, ']');
}
