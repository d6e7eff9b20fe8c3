/* pgsql_lease.c: a connection lent to one caller, for transactions and session locks. */
#include "base/mem.h"
#include "net/pgsql_conn.h"

#include <stdlib.h>

enum { LEASE_DEPTH = 64 };

struct pgsql_lease {
    struct pgsql_conn *conn; /* NULL once the connection is gone */
    bool
        spent; /* a statement timed out: whatever its transaction was meant to do, it is not done */
};

void pgsql_lease_new(struct pgsql_conn *conn, struct pgsql_job *wish)
{
    struct pgsql_lease *lease = mem_new(struct pgsql_lease);
    lease->conn = conn;
    conn->lease = lease;
    pgsql_grant_later(&conn->pgsql->answers, wish, lease);
}

void pgsql_lease_lost(struct pgsql_conn *conn)
{
    if (conn->lease)
        conn->lease->conn = NULL;
    conn->lease = NULL;
}

void pgsql_lease_spent(struct pgsql_conn *conn)
{
    if (conn->lease)
        conn->lease->spent = true;
}

enum result pgsql_lease_query(struct pgsql_lease *lease, struct slice sql,
                              const struct pgsql_param *params, unsigned count, unsigned timeout_ms,
                              pgsql_done *done, void *owner)
{
    struct pgsql_statement statement = {sql, params, count, timeout_ms};
    struct pgsql_job *job;
    struct pgsql_conn *conn = lease->conn;
    if (!conn || conn->state != CONN_READY || lease->spent)
        return R_CLOSED;
    if (conn->jobs.count >= LEASE_DEPTH)
        return R_OVERLOADED;
    enum result rc = pgsql_job_new(&statement, done, owner, &job);
    if (rc != R_OK || pgsql_conn_send(conn, job))
        return rc;
    pgsql_job_free(job);
    return R_CLOSED;
}

void pgsql_lease_end(struct pgsql_lease *lease)
{
    struct pgsql_conn *conn = lease->conn;
    free(lease);
    if (!conn)
        return;
    conn->lease = NULL;
    conn->returning = true;
    if (conn->state != CONN_READY)
        return;
    pgsql_conn_abandon(conn);
    pgsql_conn_tend(conn);
}
