/* pgsql_pipe.c: what happens on a set-up connection: statements out, results in, timeouts and
 * cancel requests. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/offload.h"
#include "net/pgsql_conn.h"
#include "net/pgsql_target.h"

#include <stdlib.h>

enum {
    HOUSEKEEPING_MS = 5000,
    DRAIN_MS = 5000,        /* from the first cancel request to giving the connection up */
    CANCEL_AGAIN_MS = 1000, /* a request that overtook its statement did nothing */
    COLLATERAL_MS = 5000,   /* how long after a cancel request a stray cancellation is ours */
    EMPTY_READS_MAX = 3,
};

static const struct pgsql_failure timed_out = {
    .base = {.rc = R_TIMEOUT, .text = "the database did not answer in time"}};
static const struct pgsql_failure abandoned = {
    .base = {.rc = R_CANCELLED, .text = "the lease ended before the answer"}};

/* ---- cancel requests ---- */

struct conn_cancel {
    struct pgsql_conn *conn; /* NULL once the connection is gone */
    PGcancel *request;
};

static void send_cancel(void *owner)
{
    struct conn_cancel *cancel = owner;
    char error[256];
    PQcancel(cancel->request, error, sizeof error); /* failing, it is tried again from expire() */
}

static void on_cancel_sent(void *owner)
{
    struct conn_cancel *cancel = owner;
    struct pgsql_conn *conn = cancel->conn;
    if (conn) {
        conn->cancel = NULL;
        pgsql_conn_tend(conn);
    }
    PQfreeCancel(cancel->request);
    free(cancel);
}

static void request_cancel(struct pgsql_conn *conn, int64_t now_ms)
{
    PGcancel *request = PQgetCancel(conn->native);
    if (!request)
        return;
    struct conn_cancel *cancel = mem_new(struct conn_cancel);
    cancel->conn = conn;
    cancel->request = request;
    conn->cancelled_ms = now_ms;
    conn->cancel_again_ms = now_ms + CANCEL_AGAIN_MS;
    if (offload_run(conn->pgsql->offload, send_cancel, on_cancel_sent, cancel) == R_OK) {
        conn->cancel = cancel;
        return;
    }
    PQfreeCancel(request);
    free(cancel);
}

void pgsql_conn_forget_cancel(struct pgsql_conn *conn)
{
    if (conn->cancel)
        conn->cancel->conn = NULL;
    conn->cancel = NULL;
    conn->cancelled_ms = conn->cancel_again_ms = 0;
}

/* A husk that runs now must be stopped; one further back waits for its turn, or the request would
 * hit a neighbour. */
static void stop_husk(struct pgsql_conn *conn, int64_t now_ms)
{
    const struct pgsql_job *head = conn->jobs.first;
    if (!head || head->done)
        return;
    if (conn->give_up_ms == 0)
        conn->give_up_ms = now_ms + DRAIN_MS;
    if (!conn->cancel && conn->cancel_again_ms <= now_ms)
        request_cancel(conn, now_ms);
    pgsql_wake_at(conn->pgsql, now_ms + CANCEL_AGAIN_MS);
}

static void answer_early(struct pgsql_conn *conn, struct pgsql_job *job,
                         const struct pgsql_failure *why)
{
    pgsql_answer_later(&conn->pgsql->answers, job, why->base.rc, why);
    conn->husks++;
}

void pgsql_conn_abandon(struct pgsql_conn *conn)
{
    for (struct pgsql_job *job = conn->jobs.first; job; job = job->next)
        if (job->done)
            answer_early(conn, job, &abandoned);
    stop_husk(conn, clock_monotonic_ms());
}

/* ---- time ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t expire_connecting(struct pgsql_conn *conn, int64_t now_ms)
{
    if (conn->connect_deadline_ms > now_ms)
        return conn->connect_deadline_ms;
    pgsql_target_rotate(conn->pgsql->target);
    pgsql_conn_break(conn, R_UNAVAILABLE, "no connection within %u ms",
                     conn->pgsql->connect_timeout_ms);
    return INT64_MAX;
}

static int64_t expire_jobs(struct pgsql_conn *conn, int64_t now_ms)
{
    int64_t next = INT64_MAX;
    for (struct pgsql_job *job = conn->jobs.first; job; job = job->next) {
        if (!job->done)
            continue;
        if (job->deadline_ms > now_ms) {
            next = sooner(next, job->deadline_ms);
        } else if (job->housekeeping) {
            pgsql_conn_break(conn, R_CLOSED, "the server stopped answering");
            return INT64_MAX;
        } else {
            answer_early(conn, job, &timed_out);
            pgsql_lease_spent(conn);
        }
    }
    return next;
}

int64_t pgsql_conn_expire(struct pgsql_conn *conn, int64_t now_ms)
{
    if (conn->state == CONN_CLOSED || conn->state == CONN_BROKEN)
        return INT64_MAX;
    if (conn->state != CONN_READY)
        return expire_connecting(conn, now_ms);
    if (conn->give_up_ms && conn->give_up_ms <= now_ms) {
        pgsql_conn_break(conn, R_CLOSED, "a cancelled statement did not end");
        return INT64_MAX;
    }
    int64_t next = expire_jobs(conn, now_ms);
    if (conn->state == CONN_READY)
        stop_husk(conn, now_ms);
    return next;
}

/* ---- sending ---- */

/* libpq may close the socket inside any call. The loop must hear of it before anything else runs
 * that could open a descriptor with the same number. */
static void notice_closed_socket(struct pgsql_conn *conn)
{
    if (PQsocket(conn->native) < 0)
        loop_fd_want(conn->watch, 0);
}

/* Read always, write while libpq has unsent bytes. */
static void watch_socket(struct pgsql_conn *conn)
{
    int unsent = PQflush(conn->native);
    notice_closed_socket(conn);
    if (PQsocket(conn->native) >= 0)
        loop_fd_want(conn->watch, LOOP_READ | (unsent == 1 ? LOOP_WRITE : 0));
}

bool pgsql_conn_send(struct pgsql_conn *conn, struct pgsql_job *job)
{
    if (!PQsendQueryParams(conn->native, job->sql, job->count, job->types, job->values, NULL, NULL,
                           0)) {
        pgsql_conn_break(conn, R_CLOSED, NULL);
        return false;
    }
    if (!conn->jobs.first)
        conn->head_since_ms = clock_monotonic_ms();
    pgsql_jobs_append(&conn->jobs, job);
    pgsql_wake_at(conn->pgsql, job->deadline_ms);
    if (PQpipelineSync(conn->native))
        watch_socket(conn);
    else
        pgsql_conn_break(conn, R_CLOSED, NULL); /* part of it may have left: no second try */
    return true;
}

struct pgsql_job *pgsql_conn_send_housekeeping(struct pgsql_conn *conn, const char *sql,
                                               pgsql_done *done, void *owner)
{
    struct pgsql_statement statement = {.sql = slice_cstr(sql), .timeout_ms = HOUSEKEEPING_MS};
    struct pgsql_job *job;
    pgsql_job_new(&statement, done, owner, &job);
    job->housekeeping = true;
    if (pgsql_conn_send(conn, job))
        return job;
    pgsql_job_free(job);
    return NULL;
}

/* ---- results ---- */

/* A cancel request names a connection, not a statement: when it came late it stopped the next one,
 * which then surely left nothing behind and may run again. */
static bool is_collateral(const struct pgsql_conn *conn, const struct pgsql_job *job)
{
    const char *state = PQresultErrorField(job->result, PG_DIAG_SQLSTATE);
    return state && strcmp(state, "57014") == 0 && !job->retried && !job->housekeeping &&
           !conn->lease && conn->cancelled_ms &&
           clock_monotonic_ms() - conn->cancelled_ms < COLLATERAL_MS;
}

static void answer(struct pgsql_job *job)
{
    ExecStatusType status = PQresultStatus(job->result);
    struct pgsql_result result = {job->result};
    struct pgsql_failure why;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
        job->done(job->owner, R_OK, &result, NULL);
        return;
    }
    enum result rc = pgsql_failure_of(job->result, &why);
    job->done(job->owner, rc, NULL, &why.base);
}

static void finish_head(struct pgsql_conn *conn)
{
    struct pgsql_job *job = pgsql_jobs_take(&conn->jobs);
    conn->head_since_ms = clock_monotonic_ms();
    conn->give_up_ms = conn->cancel_again_ms = 0;
    if (!job->done) {
        conn->husks--;
    } else if (is_collateral(conn, job)) {
        PQclear(job->result);
        job->result = NULL;
        job->retried = true;
        pgsql_requeue(conn->pgsql, job);
        job = NULL;
    } else {
        answer(job);
    }
    if (job)
        pgsql_job_free(job);
}

/* False: the conversation is broken. */
static bool take_result(struct pgsql_conn *conn, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    struct pgsql_job *head = conn->jobs.first;
    conn->empty_reads = result ? 0 : conn->empty_reads + 1;
    if (!result)
        return conn->empty_reads < EMPTY_READS_MAX;
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
        PQclear(result);
        return false; /* COPY is not part of the pipeline protocol */
    }
    if (status == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        finish_head(conn);
        return true;
    }
    PQclear(head->result);
    head->result = result;
    return !pgsql_result_is_fatal(result);
}

static bool is_usable(const struct pgsql_conn *conn)
{
    return conn->state == CONN_READY || conn->state == CONN_SETTING_UP;
}

static void read_results(struct pgsql_conn *conn)
{
    while (is_usable(conn) && conn->jobs.first && !PQisBusy(conn->native)) {
        PGresult *result = PQgetResult(conn->native);
        notice_closed_socket(conn);
        if (!take_result(conn, result))
            pgsql_conn_break(conn, R_CLOSED, NULL);
    }
}

static void read_notifications(struct pgsql_conn *conn)
{
    PGnotify *notice;
    while (is_usable(conn) && (notice = PQnotifies(conn->native))) {
        if (conn->events->notified)
            conn->events->notified(conn, notice->relname, notice->extra);
        PQfreemem(notice);
    }
}

void pgsql_conn_read(struct pgsql_conn *conn)
{
    if (!is_usable(conn))
        return;
    bool sound = PQconsumeInput(conn->native);
    notice_closed_socket(conn);
    unsigned before = conn->jobs.count;
    read_results(conn);
    read_notifications(conn);
    if (!is_usable(conn))
        return;
    if (!sound || PQstatus(conn->native) == CONNECTION_BAD) {
        pgsql_conn_break(conn, R_CLOSED, NULL);
        return;
    }
    watch_socket(conn);
    if (before > 0)
        pgsql_conn_tend(conn);
}

/* ---- between statements ---- */

static void on_rolled_back(void *owner, enum result rc, const struct pgsql_result *result,
                           const struct failure *why)
{
    struct pgsql_conn *conn = owner;
    (void)result;
    if (rc != R_OK)
        pgsql_conn_break(conn, R_CLOSED, "%s", why->text);
}

/* Nothing is outstanding: is the connection as clean as we got it? */
static void check_clean(struct pgsql_conn *conn)
{
    PQclear(PQgetResult(conn->native)); /* lets libpq notice that the pipeline is empty */
    bool clean = PQtransactionStatus(conn->native) == PQTRANS_IDLE;
    if (clean) {
        conn->returning = false;
    } else if (conn->returning) {
        pgsql_conn_send_housekeeping(conn, "ROLLBACK", on_rolled_back, conn);
    } else {
        log_error("a statement outside pg.transaction left a transaction open; it is rolled back");
        pgsql_conn_break(conn, R_CLOSED, "a statement left a transaction open");
    }
}

void pgsql_conn_tend(struct pgsql_conn *conn)
{
    if (conn->state != CONN_READY)
        return;
    stop_husk(conn, clock_monotonic_ms());
    if (!conn->jobs.first && !conn->cancel && !conn->lease)
        check_clean(conn);
    if (pgsql_conn_is_open(conn))
        conn->events->room(conn);
}
