/* tally.h: how the requests of one side of a comparison went. In shared memory: every worker adds, the master reads, and
 * what a killed worker had counted stays counted. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Steps of time, four to a doubling, from 1 µs to over two minutes. */
enum { TALLY_STEPS = 112 };

struct tally {
    _Atomic uint64_t requests;
    _Atomic uint64_t errors;   /* of them, answered 5xx */
    _Atomic uint64_t failures; /* mistakes that no answer shows: something else stepped in */
    _Atomic uint64_t took[TALLY_STEPS];
};

void tally_reset(struct tally *tally);
void tally_add(struct tally *tally, int64_t ns, bool is_error);
/* The time within which 95 of 100 requests were answered, at most a quarter too high; 0 without requests. */
double tally_p95_ms(const struct tally *tally);
