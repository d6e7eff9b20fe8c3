/* pgsql_conn.c: one connection's life: locate, connect, set up, break. What happens on it is in
 * pgsql_pipe.c. */
#include "net/pgsql_conn.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/pgsql_target.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

/* Set by a statement, not by start-up options: PgBouncer refuses those. The value texts of
 * bind_pg_types.c depend on it. */
static const char set_up_sql[] = "SELECT set_config('DateStyle', 'ISO', false),"
                                 " set_config('TimeZone', 'UTC', false),"
                                 " set_config('bytea_output', 'hex', false)";

enum { YOUNG_MS = 1000, PEEKS_MAX = 4 };

static void on_socket(void *owner, int ready);

void pgsql_conn_init(struct pgsql_conn *conn, struct pgsql *pgsql, const struct conn_events *events)
{
    *conn = (struct pgsql_conn){.pgsql = pgsql, .events = events};
}

/* ---- breaking ---- */

/* libpq's words take several lines; the first says what happened. */
static void copy_first_line(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%.*s", (int)strcspn(text, "\n"), text);
}

/* In verbose form the server's refusal reads «FATAL:  28P01: password …», whatever its language. */
static bool find_sqlstate(const char *text, char state[6])
{
    for (const char *at = strstr(text, ":  "); at; at = strstr(at + 1, ":  ")) {
        const char *code = at + 3;
        if (strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && code[5] == ':') {
            memcpy(state, code, 5);
            state[5] = '\0';
            return true;
        }
    }
    return false;
}

/* Credentials, rights and a missing database do not heal by themselves in a second. */
static bool is_denial(const struct pgsql_conn *conn, const char *state)
{
    return strncmp(state, "28", 2) == 0 || strcmp(state, "3D000") == 0 ||
           strcmp(state, "42501") == 0 || PQconnectionNeedsPassword(conn->native);
}

static void learn_trouble(struct pgsql_conn *conn, enum result rc)
{
    struct failure *why = &conn->trouble.base;
    const char *text = conn->native ? PQerrorMessage(conn->native) : "";
    char state[6] = "";
    if (find_sqlstate(text, state))
        snprintf(why->code, sizeof why->code, "sqlstate_%s", state);
    if (conn->native && is_denial(conn, state))
        rc = R_DENIED;
    why->rc = rc;
    copy_first_line(why->text, sizeof why->text, text[0] ? text : "the connection was closed");
}

static bool may_move(const struct pgsql_conn *conn, const struct pgsql_job *job, bool head_fatal)
{
    /* The server works in order: when it ended itself over the oldest statement, it never saw the
     * next ones. */
    return head_fatal && job != conn->jobs.first && job->done && !job->housekeeping &&
           !conn->lease && !conn->returning;
}

static void fail_jobs(struct pgsql_conn *conn, struct pgsql_jobs *moved)
{
    const struct pgsql_job *head = conn->jobs.first;
    bool head_fatal = head && pgsql_result_is_fatal(head->result);
    struct pgsql_jobs staying = {0}, all = conn->jobs;
    struct pgsql_job *job;
    if (head_fatal)
        pgsql_failure_of(head->result, &conn->trouble);
    while ((job = pgsql_jobs_take(&all)))
        pgsql_jobs_append(may_move(conn, job, head_fatal) ? moved : &staying, job);
    conn->jobs = (struct pgsql_jobs){0};
    while ((job = pgsql_jobs_take(&staying))) {
        if (!job->housekeeping)
            pgsql_answer_later(&conn->pgsql->answers, job, R_CLOSED, &conn->trouble);
        pgsql_job_free(job);
    }
}

static void drop_socket(struct pgsql_conn *conn)
{
    if (conn->lookup)
        pgsql_lookup_forget(conn->lookup);
    conn->lookup = NULL;
    loop_fd_free(conn->watch);
    conn->watch = NULL;
    PQfinish(conn->native); /* NULL is fine */
    conn->native = NULL;
    pgsql_conn_forget_cancel(conn);
    conn->state = CONN_CLOSED;
}

static void reset(struct pgsql_conn *conn, struct pgsql_jobs *moved)
{
    fail_jobs(conn, moved);
    pgsql_lease_lost(conn);
    drop_socket(conn);
    conn->husks = conn->empty_reads = 0;
    conn->returning = false;
    conn->give_up_ms = 0;
}

static void on_broken(void *owner)
{
    struct pgsql_conn *conn = owner;
    struct pgsql_jobs moved = {0};
    reset(conn, &moved);
    conn->events->lost(conn, &moved);
}

void pgsql_conn_break(struct pgsql_conn *conn, enum result rc, const char *format, ...)
{
    if (conn->state == CONN_BROKEN || conn->state == CONN_CLOSED)
        return;
    conn->trouble = (struct pgsql_failure){.base = {.rc = rc}};
    if (format) {
        va_list args;
        va_start(args, format);
        vsnprintf(conn->trouble.base.text, sizeof conn->trouble.base.text, format, args);
        va_end(args);
    } else {
        learn_trouble(conn, rc);
    }
    conn->was_ready = conn->state == CONN_READY;
    conn->state = CONN_BROKEN;
    if (conn->watch)
        loop_fd_want(conn->watch, 0);
    loop_later(conn->pgsql->loop, &conn->broken, on_broken, conn);
}

void pgsql_conn_close_now(struct pgsql_conn *conn)
{
    struct pgsql_jobs moved = {0};
    loop_later_cancel(&conn->broken);
    if (conn->state != CONN_BROKEN)
        fail(&conn->trouble.base, R_CLOSED, "the database pool was closed");
    reset(conn, &moved);
    struct pgsql_job *job;
    while ((job = pgsql_jobs_take(&moved))) {
        pgsql_answer_later(&conn->pgsql->answers, job, R_CLOSED, &conn->trouble);
        pgsql_job_free(job);
    }
}

/* ---- connecting ---- */

static void on_notice(void *owner, const PGresult *notice)
{
    struct pgsql_conn *conn = owner;
    const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    if (pgsql_result_is_fatal(notice)) /* the server takes leave of an idle connection */
        pgsql_conn_break(conn, R_CLOSED, "%s", text ? text : "the server closed the connection");
    else
        log_debug("notice from the database", LOG_STR("text", text ? text : ""));
}

static void on_set_up(void *owner, enum result rc, const struct pgsql_result *result,
                      const struct failure *why)
{
    struct pgsql_conn *conn = owner;
    (void)result;
    if (rc != R_OK) {
        pgsql_conn_break(conn, R_UNAVAILABLE, "%s", why->text);
        return;
    }
    conn->state = CONN_READY;
    conn->ready_since_ms = clock_monotonic_ms();
    conn->events->ready(conn);
}

static void set_up(struct pgsql_conn *conn)
{
    PQsetErrorVerbosity(conn->native, PQERRORS_DEFAULT);
    if (PQsetnonblocking(conn->native, 1) != 0 || !PQenterPipelineMode(conn->native)) {
        pgsql_conn_break(conn, R_UNAVAILABLE, NULL);
        return;
    }
    conn->state = CONN_SETTING_UP;
    pgsql_conn_send_housekeeping(conn, set_up_sql, on_set_up, conn);
}

/* libpq may change to another socket between two polls, perhaps under the same number: so the watch
 * is dropped before every poll and made again after it. */
static void advance(struct pgsql_conn *conn)
{
    loop_fd_free(conn->watch);
    conn->watch = NULL;
    PostgresPollingStatusType status = PQconnectPoll(conn->native);
    if (status == PGRES_POLLING_FAILED) {
        pgsql_conn_break(conn, R_UNAVAILABLE, NULL);
        return;
    }
    conn->watch = loop_fd_new(conn->pgsql->loop, PQsocket(conn->native), on_socket, conn);
    if (status == PGRES_POLLING_OK)
        set_up(conn);
    else
        loop_fd_want(conn->watch, status == PGRES_POLLING_READING ? LOOP_READ : LOOP_WRITE);
}

static void on_socket(void *owner, int ready)
{
    struct pgsql_conn *conn = owner;
    (void)ready;
    if (conn->state == CONN_CONNECTING)
        advance(conn);
    else
        pgsql_conn_read(conn);
}

static void on_located(void *owner, enum result rc, const char *const *keywords,
                       const char *const *values, const struct failure *why)
{
    struct pgsql_conn *conn = owner;
    conn->lookup = NULL;
    if (rc != R_OK) {
        pgsql_conn_break(conn, R_UNAVAILABLE, "%s", why->text);
        return;
    }
    conn->state = CONN_CONNECTING;
    conn->native = PQconnectStartParams(keywords, values, 0);
    if (!conn->native || PQstatus(conn->native) == CONNECTION_BAD) {
        pgsql_conn_break(conn, R_UNAVAILABLE, NULL);
        return;
    }
    PQsetErrorVerbosity(conn->native, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(conn->native, on_notice, conn);
    conn->watch = loop_fd_new(conn->pgsql->loop, PQsocket(conn->native), on_socket, conn);
    loop_fd_want(conn->watch, LOOP_WRITE);
}

void pgsql_conn_open(struct pgsql_conn *conn)
{
    conn->state = CONN_LOCATING;
    conn->was_ready = false;
    conn->connect_deadline_ms = clock_monotonic_ms() + conn->pgsql->connect_timeout_ms;
    pgsql_wake_at(conn->pgsql, conn->connect_deadline_ms);
    conn->lookup = pgsql_target_locate(conn->pgsql->target, on_located, conn);
}

/* ---- questions ---- */

bool pgsql_conn_died_young(const struct pgsql_conn *conn)
{
    return clock_monotonic_ms() - conn->ready_since_ms < YOUNG_MS;
}

bool pgsql_conn_is_open(const struct pgsql_conn *conn)
{
    return conn->state == CONN_READY && !conn->lease && !conn->returning && !conn->cancel &&
           conn->husks == 0;
}

bool pgsql_conn_is_alive(struct pgsql_conn *conn)
{
    char byte;
    for (int tries = 0; tries < PEEKS_MAX && conn->state == CONN_READY; tries++) {
        ssize_t got = recv(PQsocket(conn->native), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (got <= 0)
            pgsql_conn_break(conn, R_CLOSED, "the server closed the connection");
        else
            pgsql_conn_read(conn); /* a notice, a parameter change or the server's farewell */
    }
    return conn->state == CONN_READY;
}
