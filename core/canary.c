/* canary.c: see canary.h. */
#include "canary.h"
#include "json.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/state.h"
#include "net/loop.h"

#include <stdlib.h>

/* Numbers of docs/operations.md. */
enum {
    TICK_MS = 500,
    REQUESTS_ENOUGH = 20, /* to judge by, on the side in question */
    MISHAPS_ENOUGH = 5,   /* to judge by, however few the requests */
    MISHAPS_MIN = 2,      /* one may be anybody's fault */
    SLOWER_MS = 20,
    TIMES_ENOUGH =
        50, /* to compare times by before the end: of fewer, the 95th is one unlucky one */
    DEATHS_TOLERATED = 1,
    COMPLAINT_MAX = 1000,
};
static const double mishaps_margin = 0.02, slower_times = 1.5;

struct canary {
    struct canary_options options;
    int64_t began_ms, began_at_ms; /* monotonic, wall */
    unsigned deaths;
    struct buf complaint; /* the first one */
    struct loop_timer *timer;
};

/* What one side came to. */
struct side {
    uint64_t requests, errors, failures;
    double p95_ms;
};

static struct side read_side(const struct tally *tally)
{
    return (struct side){.requests = atomic_load(&tally->requests),
                         .errors = atomic_load(&tally->errors),
                         .failures = atomic_load(&tally->failures),
                         .p95_ms = tally_p95_ms(tally)};
}

static struct side live_side(const struct canary *canary)
{
    return read_side(&canary->options.state->canary.live);
}

static struct side own_side(const struct canary *canary)
{
    return read_side(&canary->options.state->canary.candidate);
}

/* ---- judging ---- */

/* A rule may fail many times in one request. */
static uint64_t mishaps(const struct side *side)
{
    uint64_t all = side->errors + side->failures;
    return all < side->requests ? all : side->requests;
}

static double share_of_mishaps(const struct side *side)
{
    return side->requests ? (double)mishaps(side) / (double)side->requests : 0;
}

static bool fails_more(const struct side *own, const struct side *live, bool is_over)
{
    bool enough = is_over || own->requests >= REQUESTS_ENOUGH || mishaps(own) >= MISHAPS_ENOUGH;
    uint64_t least = is_over ? 1 : MISHAPS_MIN;
    return enough && mishaps(own) >= least &&
           share_of_mishaps(own) > share_of_mishaps(live) + mishaps_margin;
}

static bool is_slower(const struct side *own, const struct side *live, bool is_over)
{
    uint64_t enough = is_over ? REQUESTS_ENOUGH : TIMES_ENOUGH;
    return own->requests >= enough && live->requests >= enough &&
           own->p95_ms > live->p95_ms * slower_times && own->p95_ms > live->p95_ms + SLOWER_MS;
}

enum judgement { GOES_ON, GOOD, FAILS, SLOW, UNSEEN };

static enum judgement judge(const struct side *own, const struct side *live, bool is_over)
{
    if (fails_more(own, live, is_over))
        return FAILS;
    if (is_slower(own, live, is_over))
        return SLOW;
    if (!is_over)
        return GOES_ON;
    return own->requests ? GOOD : UNSEEN;
}

/* ---- telling ---- */

void canary_sum_up(const struct canary *canary, struct buf *out)
{
    struct side own = own_side(canary), live = live_side(canary);
    buf_printf(out,
               "after %lld s: %llu of %llu requests went wrong (live: %llu of %llu), p95 %.0f ms "
               "(live: %.0f ms)",
               (long long)((clock_monotonic_ms() - canary->began_ms) / 1000),
               (unsigned long long)mishaps(&own), (unsigned long long)own.requests,
               (unsigned long long)mishaps(&live), (unsigned long long)live.requests, own.p95_ms,
               live.p95_ms);
}

static void put_side(struct buf *out, const char *name, const struct side *side)
{
    json_put_name(out, name);
    buf_append_char(out, '{');
    json_put_integer(out, "requests", (int64_t)side->requests);
    json_put_integer(out, "errors", (int64_t)side->errors);
    json_put_integer(out, "failures", (int64_t)side->failures);
    json_put_name(out, "p95_ms");
    buf_printf(out, "%.1f", side->p95_ms);
    buf_append_char(out, '}');
}

void canary_describe(const struct canary *canary, struct buf *out)
{
    const struct canary_options *options = &canary->options;
    int64_t left_ms = canary->began_ms + options->plan.for_ms - clock_monotonic_ms();
    struct side own = own_side(canary), live = live_side(canary);

    buf_append_char(out, '{');
    json_put_integer(out, "generation", (int64_t)options->generation);
    json_put_member(out, "hash", slice_cstr(options->hash));
    json_put_member(out, "share", slice_cstr(options->plan.share));
    json_put_integer(out, "since", canary->began_at_ms / 1000);
    json_put_integer(out, "for_s", options->plan.for_ms / 1000);
    json_put_integer(out, "left_s", left_ms > 0 ? (left_ms + 999) / 1000 : 0);
    put_side(out, "candidate", &own);
    put_side(out, "live", &live);
    json_put_member(out, "complaint", buf_slice(&canary->complaint));
    buf_append_char(out, '}');
}

/* ---- verdicts ---- */

/* The owner may free the canary, so nothing may touch it afterwards. */
static void give_verdict(struct canary *canary, bool is_good, struct buf *why)
{
    const struct canary_options *options = &canary->options;
    loop_timer_stop(canary->timer);
    options->on_verdict(options->owner, is_good, buf_slice(why));
    buf_free(why);
}

static void convict(struct canary *canary, const char *of_what)
{
    struct buf why = {0};
    buf_append_slice(&why, slice_cstr(of_what));
    buf_append_char(&why, ' ');
    canary_sum_up(canary, &why);
    if (canary->complaint.len > 0) {
        buf_append_char(&why, '\n');
        buf_append_slice(&why, buf_slice(&canary->complaint));
    }
    give_verdict(canary, false, &why);
}

static void dismiss(struct canary *canary)
{
    struct buf why = {0};
    buf_printf(&why, "no request came to it in %lld s, so nothing is known of it",
               (long long)(canary->options.plan.for_ms / 1000));
    give_verdict(canary, false, &why);
}

static void acquit(struct canary *canary)
{
    struct buf why = {0};
    canary_sum_up(canary, &why);
    give_verdict(canary, true, &why);
}

static int64_t left_ms(const struct canary *canary)
{
    return canary->began_ms + canary->options.plan.for_ms - clock_monotonic_ms();
}

static void on_tick(void *owner)
{
    struct canary *canary = owner;
    struct side own = own_side(canary), live = live_side(canary);
    int64_t left = left_ms(canary);

    switch (judge(&own, &live, left <= 0)) {
    case GOES_ON:
        loop_timer_start(canary->timer, left < TICK_MS ? left : TICK_MS);
        break;
    case GOOD:
        acquit(canary);
        break;
    case FAILS:
        convict(canary, "it fails more often,");
        break;
    case SLOW:
        convict(canary, "it is slower,");
        break;
    case UNSEEN:
        dismiss(canary);
        break;
    }
}

void canary_take_trouble(struct canary *canary, bool is_certain, struct slice reason)
{
    struct buf why = {0};
    if (!is_certain && canary->deaths++ < DEATHS_TOLERATED)
        return;
    buf_append_slice(&why, SLICE("a worker had trouble: "));
    buf_append_slice(&why, reason);
    give_verdict(canary, false, &why);
}

void canary_take_complaint(struct canary *canary, struct slice text)
{
    if (canary->complaint.len == 0)
        buf_append_slice(&canary->complaint,
                         slice_of(text.data, text.len < COMPLAINT_MAX ? text.len : COMPLAINT_MAX));
}

/* ---- life ---- */

struct canary *canary_new(const struct canary_options *options)
{
    struct canary *canary = mem_new(struct canary);
    struct canary_counts *counts = &options->state->canary;

    canary->options = *options;
    canary->began_ms = clock_monotonic_ms();
    canary->began_at_ms = clock_wall_ms();
    tally_reset(&counts->live);
    tally_reset(&counts->candidate);
    atomic_store(&counts->generation, options->generation);
    canary->timer = loop_timer_new(options->loop, on_tick, canary);
    loop_timer_start(canary->timer, TICK_MS);
    return canary;
}

void canary_free(struct canary *canary)
{
    if (!canary)
        return;
    atomic_store(&canary->options.state->canary.generation, 0);
    loop_timer_free(canary->timer);
    buf_free(&canary->complaint);
    free(canary->options.plan.share);
    free(canary);
}

uint64_t canary_generation(const struct canary *canary)
{
    return canary->options.generation;
}

const char *canary_hash(const struct canary *canary)
{
    return canary->options.hash;
}

const char *canary_share(const struct canary *canary)
{
    return canary->options.plan.share;
}
