/* crew_inside.h: what crew.c, crew_ask.c and crew_report.c share; nobody else includes it. */
#pragma once

#include "crew.h"
#include "worker.h"
#include "base/buf.h"
#include "net/loop.h"

struct worker {
    struct crew *crew;
    unsigned number;
    pid_t pid; /* 0: none */
    struct channel *channel;
    struct crash_note *crash;
    uint64_t live;      /* the generation it serves, 0 while it starts */
    uint64_t preparing; /* told to build, no verdict yet */
    uint64_t prepared;  /* built and not committed yet */
    int64_t started_ms, heard_ms, kill_at_ms;
    struct worker_figures figures;
    struct buf last_words; /* why we ended it, when we did */
    unsigned restarts, quick_deaths;
    struct loop_timer *restart;
};

struct crew {
    struct crew_options options;
    struct worker *workers;
    struct question *questions;
    uint64_t last_question;
    uint64_t committed; /* 0 before the first commit */
    const struct bundle *bundle;
    uint64_t candidate;        /* being voted on; 0 when none */
    struct crew_canary canary; /* tried beside the committed one; number 0 when none */
    struct loop_timer *tick;
    int64_t ticked_ms;
    bool ending;
    struct loop_later empty;
};

/* ---- crew_ask.c ---- */

struct channel_frame;
void crew_take_reply(struct crew *crew, const struct channel_frame *frame);
/* Those to this worker, which is gone; with NULL those that waited too long. */
void crew_fail_questions(struct crew *crew, const struct worker *worker, int64_t now_ms);

/* ---- crew_report.c: words and figures ---- */

/* Take a heartbeat's figures into the worker and the metrics. */
void crew_take_figures(struct worker *worker, struct slice body);
void crew_publish_live(const struct crew *crew);
/* Append «killed by signal 9 (SIGKILL): it was silent …». */
void crew_describe_death(const struct worker *worker, int status, struct buf *out);
/* Not killed by somebody else: it crashed, or was stuck until we ended it. */
bool crew_is_own_fault(const struct worker *worker, int status);
void crew_report_death(const struct worker *worker, pid_t pid, struct slice reason);
