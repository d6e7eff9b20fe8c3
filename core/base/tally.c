/* tally.c: see tally.h. */
#include "base/tally.h"

void tally_reset(struct tally *tally)
{
    atomic_store(&tally->requests, 0);
    atomic_store(&tally->errors, 0);
    atomic_store(&tally->failures, 0);
    for (unsigned i = 0; i < TALLY_STEPS; i++)
        atomic_store(&tally->took[i], 0);
}

/* The doubling a time lies in, and the quarter of it. */
static unsigned step_of(int64_t ns)
{
    uint64_t us = ns > 1000 ? (uint64_t)ns / 1000 : 1;
    unsigned doubling = 63 - (unsigned)__builtin_clzll(us);
    unsigned quarter = (unsigned)(((us << 2) >> doubling) & 3);
    unsigned step = doubling * 4 + quarter;
    return step < TALLY_STEPS ? step : TALLY_STEPS - 1;
}

/* Where a step ends. */
static double end_ms(unsigned step)
{
    return (double)(1ull << (step / 4)) * (5 + step % 4) / 4 / 1000;
}

void tally_add(struct tally *tally, int64_t ns, bool is_error)
{
    atomic_fetch_add(&tally->requests, 1);
    if (is_error)
        atomic_fetch_add(&tally->errors, 1);
    atomic_fetch_add(&tally->took[step_of(ns)], 1);
}

double tally_p95_ms(const struct tally *tally)
{
    uint64_t total = 0, seen = 0;
    unsigned step = 0;

    for (unsigned i = 0; i < TALLY_STEPS; i++)
        total += atomic_load(&tally->took[i]);
    if (total == 0)
        return 0;
    while (step < TALLY_STEPS - 1 && (seen += atomic_load(&tally->took[step])) * 100 < total * 95)
        step++;
    return end_ms(step);
}
