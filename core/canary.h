/* canary.h: the trial of a new generation on a share of the requests: compares both sides twice a second, gives a verdict when
 * the canary does worse, when it is in doubt for other reasons, or when its time is over. What a verdict leads to is
 * reload.c's business. */
#pragma once

#include "base/buf.h"
#include "base/result.h"

#include <stdbool.h>
#include <stdint.h>

struct canary;
struct loop;
struct server_state;

struct canary_plan {
    char *share; /* base/share.h; owned */
    int64_t for_ms;
};
enum { CANARY_FOR_MS = 300000, CANARY_FOR_MAX_MS = 24 * 3600 * 1000 };

struct canary_options {
    struct loop *loop;
    struct server_state *state;
    uint64_t generation;
    const char *hash;        /* of its bundle, which outlives it */
    struct canary_plan plan; /* taken */
    /* Once, from the loop or from the take functions below; may free the canary. */
    void (*on_verdict)(void *owner, bool is_good, struct slice why);
    void *owner;
};

struct canary *canary_new(const struct canary_options *options);
void canary_free(struct canary *canary); /* NULL is fine */

uint64_t canary_generation(const struct canary *canary);
const char *canary_hash(const struct canary *canary);
const char *canary_share(const struct canary *canary);
/* From the crew (crew.h). */
void canary_take_trouble(struct canary *canary, bool is_certain, struct slice reason);
void canary_take_complaint(struct canary *canary, struct slice text);

/* Append a JSON object: share, since, time left, both sides. */
void canary_describe(const struct canary *canary, struct buf *out);
/* Append «after 12 s: 5 of 40 requests went wrong (live: 0 of 360), p95 12 ms (live: 11 ms)». */
void canary_sum_up(const struct canary *canary, struct buf *out);
