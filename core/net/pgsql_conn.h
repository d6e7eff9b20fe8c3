/* pgsql_conn.h: the inside of the PostgreSQL driver, for core/net/pgsql*.c only.
 *
 * A job is one statement of a caller. It waits in the pool, is sent on a connection, and is
 * answered exactly once. Every job has its own Sync, so a failing statement never touches its
 * neighbours in the pipeline. A job whose caller was answered early (timeout, lease ended) stays on
 * its connection as a husk, `done` NULL, until the server is through with it. */
#pragma once

#include "net/loop.h"
#include "net/pgsql.h"

#include <libpq-fe.h>

struct pgsql_target; /* pgsql_target.h */
struct pgsql_lookup;
struct pgsql_listening;
struct offload;

/* What callers get as `struct failure`: pgsql_constraint() finds the rest. */
struct pgsql_failure {
    struct failure base; /* first */
    char constraint[64];
};

struct pgsql_result {
    const PGresult *native;
};

/* ---- jobs and answers (pgsql_job.c) ---- */
struct pgsql_job {
    struct pgsql_job *next;
    pgsql_done *done;       /* NULL: a husk */
    pgsql_granted *granted; /* instead of a statement: the wish for a lease */
    void *owner;
    int64_t deadline_ms;
    PGresult *result;  /* arrived; the Sync after it has not yet */
    bool housekeeping; /* the driver's own: its timeout ends the connection */
    bool retried;
    const char *sql; /* this and what follows lies in the same allocation */
    int count;
    Oid *types;
    const char **values;
};

struct pgsql_jobs {
    struct pgsql_job *first, *last;
    unsigned count;
};

struct pgsql_statement {
    struct slice sql;
    const struct pgsql_param *params;
    unsigned count;
    unsigned timeout_ms;
};

/* R_INVALID for a NUL byte, which the protocol cannot carry, or too many parameters. Gives `out`.
 */
enum result pgsql_job_new(const struct pgsql_statement *statement, pgsql_done *done, void *owner,
                          struct pgsql_job **out);
struct pgsql_job *pgsql_job_lease(unsigned timeout_ms, pgsql_granted *granted, void *owner);
void pgsql_job_free(struct pgsql_job *job);
void pgsql_jobs_append(struct pgsql_jobs *jobs, struct pgsql_job *job);
void pgsql_jobs_prepend_all(struct pgsql_jobs *jobs,
                            struct pgsql_jobs *moved);      /* empties `moved` */
struct pgsql_job *pgsql_jobs_take(struct pgsql_jobs *jobs); /* NULL when empty */

/* Answers that must not be given inside the present call wait here for the loop's next turn. */
struct pgsql_answer;
struct pgsql_answers {
    struct loop *loop;
    struct loop_later later;
    struct pgsql_answer *first, *last;
};

/* Answer the job's caller soon; what is left of `job` is a husk. */
void pgsql_answer_later(struct pgsql_answers *answers, struct pgsql_job *job, enum result rc,
                        const struct pgsql_failure *why);
void pgsql_grant_later(struct pgsql_answers *answers, struct pgsql_job *job,
                       struct pgsql_lease *lease);
void pgsql_answers_flush(struct pgsql_answers *answers);

/* Fill `why` from an error result and give the result code: R_CLOSED for FATAL, else R_REJECTED. */
enum result pgsql_failure_of(const PGresult *result, struct pgsql_failure *why);
bool pgsql_result_is_fatal(const PGresult *result);

/* ---- one connection (pgsql_conn.c, pgsql_pipe.c) ---- */
enum conn_state {
    CONN_CLOSED,
    CONN_LOCATING,   /* names are being resolved */
    CONN_CONNECTING, /* libpq's handshake */
    CONN_SETTING_UP, /* our first statement is on its way */
    CONN_READY,
    CONN_BROKEN, /* on_broken will run from the loop and close it */
};

struct pgsql_conn;
struct conn_events {
    void (*ready)(struct pgsql_conn *conn);
    void (*room)(struct pgsql_conn *conn); /* a job ended or the connection became free */
    /* Closed again, or never came up (`conn->was_ready` says which); `conn->trouble` has the
     * reason. `moved` holds jobs that surely did not run. */
    void (*lost)(struct pgsql_conn *conn, struct pgsql_jobs *moved);
    void (*notified)(struct pgsql_conn *conn, const char *channel, const char *payload);
};

struct pgsql_conn {
    struct pgsql *pgsql;
    const struct conn_events *events;
    enum conn_state state;
    bool was_ready;
    PGconn *native;
    struct pgsql_lookup *lookup;
    struct loop_fd *watch;
    struct loop_later broken;
    struct pgsql_failure trouble;
    int64_t connect_deadline_ms, ready_since_ms;

    struct pgsql_jobs jobs; /* sent, oldest first */
    unsigned husks;
    unsigned empty_reads;       /* in a row: libpq and we disagree about what is outstanding */
    int64_t head_since_ms;      /* when the oldest job became the oldest */
    struct conn_cancel *cancel; /* a cancel request is on its way */
    int64_t cancelled_ms, cancel_again_ms, give_up_ms;

    struct pgsql_lease *lease;
    bool returning; /* a lease ended here: it must be found clean before others may use it */
};

void pgsql_conn_init(struct pgsql_conn *conn, struct pgsql *pgsql,
                     const struct conn_events *events);
void pgsql_conn_open(struct pgsql_conn *conn);
/* Give up on it; everything else happens from the loop. `format` NULL: ask libpq for the reason. */
void pgsql_conn_break(struct pgsql_conn *conn, enum result rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void pgsql_conn_close_now(
    struct pgsql_conn *conn); /* for pgsql_close: answers its jobs, tells nobody */
/* Something ends our connections as soon as they are made: do not try again at once. */
bool pgsql_conn_died_young(const struct pgsql_conn *conn);
/* Nobody holds it and nothing keeps it from taking another statement. */
bool pgsql_conn_is_open(const struct pgsql_conn *conn);
/* Look for a FIN that the loop has not reported yet; breaks the connection when there is one. */
bool pgsql_conn_is_alive(struct pgsql_conn *conn);

/* Takes the job. False: nothing was sent and the connection breaks; the job is still the caller's.
 */
bool pgsql_conn_send(struct pgsql_conn *conn, struct pgsql_job *job);
void pgsql_conn_read(struct pgsql_conn *conn);
/* Answer its callers R_CANCELLED and have the server stop. */
void pgsql_conn_abandon(struct pgsql_conn *conn);
/* Time out what is due; gives when to look again. */
int64_t pgsql_conn_expire(struct pgsql_conn *conn, int64_t now_ms);
/* Something ended here: stop husks, roll back what a lease left, offer the room. */
void pgsql_conn_tend(struct pgsql_conn *conn);
/* A statement of the driver itself. `done` runs only when the connection lives to answer it. NULL:
 * not sent. */
struct pgsql_job *pgsql_conn_send_housekeeping(struct pgsql_conn *conn, const char *sql,
                                               pgsql_done *done, void *owner);
void pgsql_conn_forget_cancel(struct pgsql_conn *conn);

/* ---- the pool (pgsql.c) ---- */
struct pgsql {
    struct loop *loop;
    struct offload *offload; /* cancel requests: libpq's PQcancel blocks */
    struct pgsql_target *target;
    unsigned pool_size, max_waiting, connect_timeout_ms;
    struct pgsql_conn *slots;
    struct pgsql_jobs waiting;
    struct pgsql_answers answers;
    struct loop_timer *watchdog;
    int64_t watchdog_at_ms;
    struct loop_timer *retry;
    bool retry_pending, away, closing;
    unsigned pause_ms;
    struct pgsql_failure trouble; /* the last one that was logged */
    struct pgsql_listening *listening;
};

void pgsql_wake_at(struct pgsql *pgsql, int64_t at_ms); /* run the watchdog at that time */
void pgsql_requeue(struct pgsql *pgsql, struct pgsql_job *job);
void pgsql_lease_new(struct pgsql_conn *conn, struct pgsql_job *wish);
void pgsql_lease_lost(struct pgsql_conn *conn);
void pgsql_lease_spent(struct pgsql_conn *conn);
/* The pause before the next attempt: doubling from `pause_ms`, with jitter so that workers do not
 * march in step. */
int64_t pgsql_next_pause(unsigned *pause_ms, enum result rc);

/* pgsql_listen.c: its connection takes part in the watchdog and the close. */
int64_t pgsql_listening_expire(struct pgsql *pgsql, int64_t now_ms);
void pgsql_listening_close(struct pgsql *pgsql);
