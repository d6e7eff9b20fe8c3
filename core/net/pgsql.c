/* pgsql.c: the pool: who gets which connection, who waits, when to connect again. See pgsql.h.
 *
 * Callers wait in one line, first come first served. A statement takes an idle connection, or waits
 * for the pool to grow; once it is full, it joins the shortest pipeline whose oldest statement is
 * young, so that hardly anybody queues behind a slow one. A lease needs an idle connection. */
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/offload.h"
#include "net/pgsql_conn.h"
#include "net/pgsql_target.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PIPELINE_DEPTH = 16,
    SLOW_HEAD_MS = 50,
    PAUSE_FIRST_MS = 100,
    PAUSE_MAX_MS = 3000,
    PAUSE_DENIED_MS = 15000, /* wrong credentials: do not hammer, perhaps an account gets locked */
};

static void pump(struct pgsql *pgsql);

/* ---- time ---- */

void pgsql_wake_at(struct pgsql *pgsql, int64_t at_ms)
{
    if (at_ms >= pgsql->watchdog_at_ms)
        return;
    pgsql->watchdog_at_ms = at_ms;
    loop_timer_start(pgsql->watchdog, at_ms - clock_monotonic_ms());
}

static int64_t expire_waiting(struct pgsql *pgsql, int64_t now_ms)
{
    static const struct pgsql_failure why = {
        .base = {.rc = R_TIMEOUT, .text = "no database connection became free in time"}};
    struct pgsql_jobs all = pgsql->waiting;
    struct pgsql_job *job;
    int64_t next = INT64_MAX;
    pgsql->waiting = (struct pgsql_jobs){0};
    while ((job = pgsql_jobs_take(&all))) {
        if (job->deadline_ms > now_ms) {
            next = job->deadline_ms < next ? job->deadline_ms : next;
            pgsql_jobs_append(&pgsql->waiting, job);
        } else {
            pgsql_answer_later(&pgsql->answers, job, R_TIMEOUT, &why);
            pgsql_job_free(job);
        }
    }
    return next;
}

static void on_watchdog(void *owner)
{
    struct pgsql *pgsql = owner;
    int64_t now = clock_monotonic_ms();
    pgsql->watchdog_at_ms = INT64_MAX;
    pgsql_wake_at(pgsql, expire_waiting(pgsql, now));
    for (unsigned i = 0; i < pgsql->pool_size; i++)
        pgsql_wake_at(pgsql, pgsql_conn_expire(&pgsql->slots[i], now));
    pgsql_wake_at(pgsql, pgsql_listening_expire(pgsql, now));
}

int64_t pgsql_next_pause(unsigned *pause_ms, enum result rc)
{
    uint32_t dice;
    crypto_random(&dice, sizeof dice);
    if (rc == R_DENIED)
        *pause_ms = PAUSE_DENIED_MS;
    else if (*pause_ms == 0)
        *pause_ms = PAUSE_FIRST_MS;
    else
        *pause_ms = *pause_ms * 2 < PAUSE_MAX_MS ? *pause_ms * 2 : PAUSE_MAX_MS;
    return *pause_ms / 2 + dice % *pause_ms;
}

/* ---- growing and healing ---- */

static unsigned count_state(const struct pgsql *pgsql, enum conn_state from, enum conn_state to)
{
    unsigned count = 0;
    for (unsigned i = 0; i < pgsql->pool_size; i++)
        count += pgsql->slots[i].state >= from && pgsql->slots[i].state <= to;
    return count;
}

static struct pgsql_conn *closed_slot(struct pgsql *pgsql)
{
    for (unsigned i = 0; i < pgsql->pool_size; i++)
        if (pgsql->slots[i].state == CONN_CLOSED)
            return &pgsql->slots[i];
    return NULL;
}

static bool may_grow(struct pgsql *pgsql)
{
    return !pgsql->retry_pending &&
           (closed_slot(pgsql) || count_state(pgsql, CONN_LOCATING, CONN_SETTING_UP) > 0);
}

/* As many attempts as callers wait, at least one connection always, and a single probe while none
 * works. */
static void grow(struct pgsql *pgsql)
{
    struct pgsql_conn *conn;
    unsigned under_way = count_state(pgsql, CONN_LOCATING, CONN_SETTING_UP);
    bool up = pgsql_is_up(pgsql);
    unsigned wanted = up ? pgsql->waiting.count : 1;
    if (pgsql->retry_pending || pgsql->closing)
        return;
    while (under_way++ < wanted && (conn = closed_slot(pgsql)))
        pgsql_conn_open(conn);
}

static void on_retry(void *owner)
{
    struct pgsql *pgsql = owner;
    pgsql->retry_pending = false;
    grow(pgsql);
}

static void fail_waiting(struct pgsql *pgsql, const struct pgsql_failure *why)
{
    struct pgsql_job *job;
    while ((job = pgsql_jobs_take(&pgsql->waiting))) {
        pgsql_answer_later(&pgsql->answers, job, why->base.rc, why);
        pgsql_job_free(job);
    }
}

/* One line for a new reason, none for its repetitions. */
static void log_trouble(struct pgsql *pgsql, const struct pgsql_failure *why)
{
    if (strcmp(pgsql->trouble.base.text, why->base.text) == 0)
        return;
    pgsql->trouble = *why;
    log_warn("no connection to the database", LOG_STR("code", result_code(why->base.rc)),
             LOG_STR("text", why->base.text));
}

static void pause_growth(struct pgsql *pgsql, enum result rc)
{
    if (pgsql->retry_pending)
        return;
    pgsql->retry_pending = true;
    loop_timer_start(pgsql->retry, pgsql_next_pause(&pgsql->pause_ms, rc));
}

static void on_attempt_failed(struct pgsql *pgsql, const struct pgsql_failure *why)
{
    log_trouble(pgsql, why);
    if (!pgsql_is_up(pgsql)) {
        pgsql->away = true;
        fail_waiting(pgsql, why);
    }
    pause_growth(pgsql, why->base.rc);
}

static void on_lost(struct pgsql_conn *conn, struct pgsql_jobs *moved)
{
    struct pgsql *pgsql = conn->pgsql;
    pgsql_jobs_prepend_all(&pgsql->waiting, moved);
    if (!conn->was_ready)
        on_attempt_failed(pgsql, &conn->trouble);
    else
        log_info("a database connection was lost", LOG_STR("text", conn->trouble.base.text));
    if (conn->was_ready && pgsql_conn_died_young(conn))
        pause_growth(pgsql, R_CLOSED);
    pump(pgsql);
}

static void on_ready(struct pgsql_conn *conn)
{
    struct pgsql *pgsql = conn->pgsql;
    if (pgsql->away)
        log_info("the database is back");
    pgsql->away = false;
    pgsql->pause_ms = 0;
    pgsql->trouble = (struct pgsql_failure){0};
    pump(pgsql);
}

static void on_room(struct pgsql_conn *conn)
{
    pump(conn->pgsql);
}

static const struct conn_events pool_events = {.ready = on_ready, .room = on_room, .lost = on_lost};

/* ---- placing callers ---- */

static struct pgsql_conn *idle_connection(struct pgsql *pgsql)
{
    for (unsigned i = 0; i < pgsql->pool_size; i++) {
        struct pgsql_conn *conn = &pgsql->slots[i];
        if (pgsql_conn_is_open(conn) && conn->jobs.count == 0 && pgsql_conn_is_alive(conn))
            return conn;
    }
    return NULL;
}

static struct pgsql_conn *shortest_pipeline(struct pgsql *pgsql)
{
    struct pgsql_conn *best = NULL;
    int64_t now = clock_monotonic_ms();
    for (unsigned i = 0; i < pgsql->pool_size; i++) {
        struct pgsql_conn *conn = &pgsql->slots[i];
        if (pgsql_conn_is_open(conn) && conn->jobs.count < PIPELINE_DEPTH &&
            now - conn->head_since_ms < SLOW_HEAD_MS &&
            (!best || conn->jobs.count < best->jobs.count))
            best = conn;
    }
    return best;
}

static bool place(struct pgsql *pgsql, struct pgsql_job *job)
{
    struct pgsql_conn *conn = idle_connection(pgsql);
    if (job->granted) {
        if (!conn)
            return false;
        pgsql_lease_new(conn, job);
        pgsql_job_free(job);
        return true;
    }
    if (!conn && !may_grow(pgsql))
        conn = shortest_pipeline(pgsql);
    return conn && pgsql_conn_send(conn, job);
}

static void pump(struct pgsql *pgsql)
{
    while (pgsql->waiting.first && !pgsql->closing) {
        struct pgsql_job *job = pgsql_jobs_take(&pgsql->waiting);
        if (place(pgsql, job))
            continue;
        struct pgsql_jobs back = {0};
        pgsql_jobs_append(&back, job);
        pgsql_jobs_prepend_all(&pgsql->waiting, &back);
        break;
    }
    grow(pgsql);
}

void pgsql_requeue(struct pgsql *pgsql, struct pgsql_job *job)
{
    struct pgsql_jobs back = {0};
    pgsql_jobs_append(&back, job);
    pgsql_jobs_prepend_all(&pgsql->waiting, &back);
    pgsql_wake_at(pgsql, job->deadline_ms);
    pump(pgsql);
}

/* ---- public ---- */

enum result pgsql_open(struct loop *loop, const struct pgsql_options *options, struct pgsql **out,
                       struct failure *why)
{
    struct pgsql_target *target;
    enum result rc = pgsql_target_new(loop, options, &target, why);
    if (rc != R_OK)
        return rc;
    struct pgsql *pgsql = mem_new(struct pgsql);
    pgsql->loop = loop;
    pgsql->target = target;
    pgsql->offload = offload_new(loop);
    pgsql->pool_size = options->pool_size ? options->pool_size : 1;
    pgsql->max_waiting = options->max_waiting;
    pgsql->connect_timeout_ms = options->connect_timeout_ms;
    pgsql->answers.loop = loop;
    pgsql->watchdog = loop_timer_new(loop, on_watchdog, pgsql);
    pgsql->watchdog_at_ms = INT64_MAX;
    pgsql->retry = loop_timer_new(loop, on_retry, pgsql);
    pgsql->slots = mem_zalloc(pgsql->pool_size * sizeof *pgsql->slots);
    for (unsigned i = 0; i < pgsql->pool_size; i++)
        pgsql_conn_init(&pgsql->slots[i], pgsql, &pool_events);
    grow(pgsql);
    *out = pgsql;
    return R_OK;
}

void pgsql_close(struct pgsql *pgsql)
{
    static const struct pgsql_failure closed = {
        .base = {.rc = R_CLOSED, .text = "the database pool was closed"}};
    if (!pgsql)
        return;
    pgsql->closing = true;
    for (unsigned i = 0; i < pgsql->pool_size; i++)
        pgsql_conn_close_now(&pgsql->slots[i]);
    pgsql_listening_close(pgsql);
    fail_waiting(pgsql, &closed);
    pgsql_answers_flush(&pgsql->answers);
    offload_free(pgsql->offload);
    loop_timer_free(pgsql->watchdog);
    loop_timer_free(pgsql->retry);
    pgsql_target_free(pgsql->target);
    free(pgsql->slots);
    free(pgsql);
}

bool pgsql_is_up(const struct pgsql *pgsql)
{
    return count_state(pgsql, CONN_READY, CONN_READY) > 0;
}

void pgsql_stats(const struct pgsql *pgsql, unsigned *idle, unsigned *busy, unsigned *waiting)
{
    *idle = *busy = 0;
    for (unsigned i = 0; i < pgsql->pool_size; i++) {
        const struct pgsql_conn *conn = &pgsql->slots[i];
        if (pgsql_conn_is_open(conn) && conn->jobs.count == 0)
            ++*idle;
        else if (conn->state == CONN_READY)
            ++*busy;
    }
    *waiting = pgsql->waiting.count;
}

static enum result admit(const struct pgsql *pgsql)
{
    if (pgsql->closing)
        return R_CLOSED;
    if (pgsql->away)
        return pgsql->trouble.base.rc == R_DENIED ? R_DENIED : R_UNAVAILABLE;
    return pgsql->waiting.count >= pgsql->max_waiting ? R_OVERLOADED : R_OK;
}

static void enqueue(struct pgsql *pgsql, struct pgsql_job *job)
{
    pgsql_jobs_append(&pgsql->waiting, job);
    pgsql_wake_at(pgsql, job->deadline_ms);
    pump(pgsql);
}

enum result pgsql_query(struct pgsql *pgsql, struct slice sql, const struct pgsql_param *params,
                        unsigned count, unsigned timeout_ms, pgsql_done *done, void *owner)
{
    struct pgsql_statement statement = {sql, params, count, timeout_ms};
    struct pgsql_job *job;
    enum result rc = admit(pgsql);
    if (rc == R_OK)
        rc = pgsql_job_new(&statement, done, owner, &job);
    if (rc == R_OK)
        enqueue(pgsql, job);
    return rc;
}

enum result pgsql_lease(struct pgsql *pgsql, unsigned timeout_ms, pgsql_granted *granted,
                        void *owner)
{
    enum result rc = admit(pgsql);
    if (rc == R_OK)
        enqueue(pgsql, pgsql_job_lease(timeout_ms, granted, owner));
    return rc;
}

void pgsql_library(char *out, size_t size)
{
    int version = PQlibVersion();
    snprintf(out, size, "%d.%d", version / 10000, version % 10000);
}
