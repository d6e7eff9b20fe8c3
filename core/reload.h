/* reload.h: bringing a new generation live, or not at all. The master reads configuration and
 * sources once into a bundle, every worker builds from it beside what it serves, and only when all
 * said yes they swap, or try it as a canary first (docs/adr/0009). Requests queue: each waits for the
 * running one, then runs its own. The very first one is the start. */
#pragma once

#include "base/buf.h"
#include "base/conf.h"

#include <stdbool.h>
#include <stdint.h>

struct bundle;
struct canary_plan;
struct crew;
struct loop;
struct metrics;
struct reload;
struct server_state;

struct reload_verdict {
    bool given, ok;
    struct buf reason;
};

/* How a canary came to its end. */
enum reload_canary_end { CANARY_STANDS = 1, CANARY_PROMOTED, CANARY_FAILED, CANARY_WITHDRAWN };

struct reload_outcome {
    bool ok;
    enum reload_canary_end canary;         /* 0: a plain reload, or a canary that was rejected */
    const char *share;                     /* of a canary; NULL for a plain reload */
    uint64_t generation;                   /* the one tried */
    const char *hash;                      /* of its bundle; empty when it could not be read */
    const char *origin;                    /* who asked: "start", "signal", "command", "watcher" */
    struct slice problems;                 /* a line each, without repeats; empty when ok */
    struct slice note;                     /* what is to be said of a success, perhaps nothing */
    const struct reload_verdict *verdicts; /* by worker, from 1 at [0] */
    unsigned workers;
};

/* Runs exactly once per request, never before reload_request() returned. */
typedef void reload_done(void *owner, const struct reload_outcome *outcome);

struct reload_options {
    struct loop *loop;
    struct crew *crew;
    struct server_state *state;
    struct metrics *metrics;
    struct conf_source source;
    struct conf *conf; /* taken: what the server starts with */
    /* After each one, before the requester is told. `conf` is the one in force now. */
    void (*on_finished)(void *owner, const struct reload_outcome *outcome, const struct conf *conf);
    void *owner;
};

struct reload *reload_new(const struct reload_options *options);
void reload_free(
    struct reload *reload); /* after the loop ended: requesters are told nothing any more */

/* `origin` is a literal. `done` may be NULL. */
void reload_request(struct reload *reload, const char *origin, reload_done *done, void *owner);
/* The same, but only a share of the requests meets the new generation, until the canary ends: promoted or withdrawn by
 * its own verdict or by the functions below. Takes the plan's text. `done` is told when it stands. */
void reload_request_canary(struct reload *reload, const struct canary_plan *plan, reload_done *done,
                           void *owner);
/* False when no canary stands. `reason` is for people. */
bool reload_promote(struct reload *reload, const char *reason);
bool reload_withdraw(struct reload *reload, const char *reason);
/* Tell the end of this canary: false, and nothing will be told, when it does not stand. */
bool reload_await(struct reload *reload, uint64_t generation, reload_done *done, void *owner);
uint64_t reload_canary(const struct reload *reload); /* its generation; 0 when none stands */
/* From the crew's on_trouble and on_complaint. */
void reload_take_trouble(struct reload *reload, bool is_certain, struct slice reason);
void reload_take_complaint(struct reload *reload, struct slice text);
/* From the crew's on_verdict. */
void reload_take_verdict(struct reload *reload, unsigned worker, uint64_t number, bool ok,
                         struct slice reason);
/* Read configuration and sources as a reload would, and keep nothing of it. */
enum result reload_read(const struct reload *reload, struct bundle **bundle, struct buf *problems);
bool reload_is_busy(const struct reload *reload);
const struct conf *reload_conf(const struct reload *reload);
uint64_t reload_generation(const struct reload *reload); /* committed; 0 before the first */
const char *reload_hash(const struct reload *reload);
/* Append the canary as a JSON object, or null. */
void reload_describe_canary(const struct reload *reload, struct buf *out);
/* Append a JSON list of the last twenty, newest first. */
void reload_describe(const struct reload *reload, struct buf *out);
