/* lineage.h: the generations of one worker: the live one, its successor in the making or tried as a canary beside it,
 * and those that still finish what they began. At most three at a time: a further one waits for the oldest. */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct generation;
struct host;
struct lineage;
struct loop;

struct lineage_options {
    struct loop *loop;
    const struct host *host; /* drivers; each generation gets a copy with the conf of its bundle */
    unsigned build_timeout_ms;
    /* A generation stands: the last word before it counts as prepared. */
    enum result (*inspect)(void *owner, struct generation *generation, struct failure *why);
    /* The verdict on lineage_prepare(), unless it was aborted; may come inside it. */
    void (*on_prepared)(void *owner, uint64_t number, bool ok, struct slice problems);
    /* `generation` serves from now on. */
    void (*on_live)(void *owner, struct generation *generation);
    /* It serves a share of the requests, beside the live one … */
    void (*on_canary)(void *owner, struct generation *generation, struct slice share);
    /* … and no more: `winner` is the live one. */
    void (*on_canary_over)(void *owner, struct generation *winner);
    /* After lineage_end(), later: the last one is gone, and so is the lineage. */
    void (*on_ended)(void *owner);
    void *owner;
};

struct lineage *lineage_new(const struct lineage_options *options);
void lineage_prepare(struct lineage *lineage, uint64_t number, int bundle_fd); /* takes it */
/* Try a prepared one on a share of the requests, until it is committed or aborted. */
void lineage_try(struct lineage *lineage, uint64_t number, struct slice share);
void lineage_commit(struct lineage *lineage, uint64_t number);
void lineage_abort(struct lineage *lineage, uint64_t number);
/* Retire everything; what still runs at `deadline_ms` (monotonic) is cancelled. */
void lineage_end(struct lineage *lineage, int64_t deadline_ms);
struct generation *lineage_live(const struct lineage *lineage); /* NULL before the first commit */
unsigned lineage_count(const struct lineage *lineage);
