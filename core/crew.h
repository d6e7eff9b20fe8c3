/* crew.h: the worker processes as the master sees them: forked, listened to, replaced. A worker
 * that dies is started again with growing pauses; one that is silent for five seconds is killed
 * first. A worker always begins with the last committed bundle. Which generation comes next is
 * reload.c's business. */
#pragma once

#include "base/buf.h"
#include "base/result.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct bundle;
struct crew;
struct loop;
struct metrics;
struct server_state;
struct worker_setup;

struct crew_options {
    struct loop *loop;
    unsigned workers;
    struct server_state *state;
    struct metrics *metrics;
    const struct worker_setup
        *setup;                    /* what a worker begins with, but for its number and channel */
    void (*in_child)(void *owner); /* just forked: close what belongs to the master alone */
    /* A verdict on crew_prepare(): a worker that dies first counts as a no. */
    void (*on_verdict)(void *owner, unsigned worker, uint64_t number, bool ok, struct slice reason);
    /* While a canary is tried. A worker that cannot have it or died by a fault of its own (`is_certain`), or
     * just died; and what the canary's scripts did wrong. */
    void (*on_trouble)(void *owner, bool is_certain, struct slice reason);
    void (*on_complaint)(void *owner, uint64_t number, struct slice text);
    /* A worker's script asks the master something: answer with crew_answer(), also later. */
    void (*on_ask)(void *owner, unsigned worker, uint64_t number, struct slice request);
    void (*on_empty)(void *owner); /* after crew_drain() or crew_stop(): the last process ended */
    void *owner;
};

struct crew *crew_new(const struct crew_options *options);
void crew_free(struct crew *crew);

/* Have every worker build generation `number` from the bundle; a worker that is not there is
 * started now. */
void crew_prepare(struct crew *crew, uint64_t number, const struct bundle *bundle);
/* All said yes: everybody swaps, and workers to come begin with it. Borrows `bundle` until the next
 * commit. */
void crew_commit(struct crew *crew, uint64_t number, const struct bundle *bundle);
void crew_abort(struct crew *crew, uint64_t number);

/* All said yes: everybody, workers to come too, tries it on a share of the requests beside the committed one, until it
 * is committed or withdrawn. Bundle and share are borrowed until then. */
struct crew_canary {
    uint64_t number;
    const struct bundle *bundle;
    const char *share; /* base/share.h */
};
void crew_try(struct crew *crew, const struct crew_canary *canary);
void crew_withdraw(struct crew *crew);

void crew_reopen_logs(struct crew *crew);
/* No restarts any more: workers finish what runs, at most `limit_ms`. */
void crew_drain(struct crew *crew, int64_t limit_ms);
void crew_stop(struct crew *crew); /* now; what does not obey within a second is killed */

/* SIGCHLD: did `pid` belong to us? */
bool crew_reaped(struct crew *crew, pid_t pid, int status);

unsigned crew_size(const struct crew *crew);
unsigned crew_live(const struct crew *crew);
/* The number of some worker that serves, 0 when none does. */
unsigned crew_any_live(const struct crew *crew);
/* Ask the worker with this number. `answered` runs exactly once, never before this returned; R_UNAVAILABLE is
 * refused. */
typedef void crew_answered(void *owner, unsigned worker, enum result rc, struct slice reply);
enum result crew_ask(struct crew *crew, unsigned number, struct slice request,
                     crew_answered *answered, void *owner);
/* Why there was no answer, in words for whoever asked: `rc` is not R_OK. */
const char *crew_silence(enum result rc);
/* The same by another kind of frame (channel.h), with a descriptor (borrowed) or -1. */
struct crew_order {
    int kind, fd;
    struct slice body;
};
enum result crew_ask_with(struct crew *crew, unsigned number, const struct crew_order *order,
                          crew_answered *answered, void *owner);
void crew_answer(struct crew *crew, unsigned number, uint64_t question, struct slice lines);
/* Append a JSON list with an object for each worker. */
void crew_describe(const struct crew *crew, struct buf *out);
