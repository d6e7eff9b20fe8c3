/* reload_inside.h: what reload.c, reload_canary.c and reload_report.c share; nobody else includes it. */
#pragma once

#include "canary.h"
#include "reload.h"
#include "net/loop.h"

enum { RELOAD_HISTORY = 20 };

struct request {
    const char *origin;
    reload_done *done;
    void *owner;
    struct canary_plan plan; /* share NULL: not a canary */
    struct request *next;
};

/* Somebody who wants to know how the canary ends. */
struct listener {
    reload_done *done;
    void *owner;
    struct listener *next;
};

struct record {
    uint64_t generation;
    bool ok, was_canary;
    int64_t at_ms;
    const char *origin;
    char hash[65];
    char *reason;
};

struct reload {
    struct reload_options options;
    struct conf *conf; /* in force */
    struct bundle *bundle;
    uint64_t committed, last_number;

    struct request *queue, **queue_tail;
    struct loop_later begin;
    struct loop_timer *limit;
    bool voting;
    struct conf *next_conf;
    struct bundle *next_bundle;
    struct buf problems;
    struct reload_verdict *verdicts;

    struct canary *canary; /* stands: next_bundle and next_conf are its */
    struct listener *listeners;

    struct record history[RELOAD_HISTORY];
    unsigned records;
};

/* ---- reload.c ---- */

/* The request at the head of the queue is done: tell it, and turn to the next. Fills in what it has in common. */
void reload_finish(struct reload *reload, struct reload_outcome *outcome);
/* The candidate, with this number, is the one in force. */
void reload_commit(struct reload *reload, uint64_t number);
void reload_drop_candidate(struct reload *reload);

/* ---- reload_canary.c ---- */

void reload_begin_canary(struct reload *reload); /* every worker said yes to the candidate */

/* ---- reload_report.c ---- */

/* The end of a generation's way, live or not: remember it, count it, tell everybody. */
void reload_conclude(struct reload *reload, const struct reload_outcome *outcome);
