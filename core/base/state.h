/* state.h: what every process of one running server knows about it: shared memory made before fork.
 * The master writes, workers read; each member is a single atomic, so nobody ever waits for
 * anybody. */
#pragma once

#include "base/tally.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A candidate beside the live generation. Workers count, the master compares. */
struct canary_counts {
    _Atomic uint64_t generation; /* which candidate is counted; 0 when none is */
    struct tally live, candidate;
};

struct server_state {
    atomic_bool draining;             /* the server is going away: /readyz?serve=1 answers 503 */
    _Atomic uint64_t generation;      /* the last committed one; 0 before the first */
    _Atomic int64_t started_at_ms;    /* wall clock */
    _Atomic uint32_t workers;         /* wanted */
    _Atomic uint32_t workers_live;    /* serving now */
    _Atomic uint64_t reloads_applied; /* since the start */
    _Atomic uint64_t reloads_rejected;
    struct canary_counts canary; /* the one member that workers write */
};

struct server_state *state_create(void); /* dies when the system refuses */
void state_free(struct server_state *state);
