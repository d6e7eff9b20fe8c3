/* pgsql.h: PostgreSQL for one process: a pool of asynchronous libpq connections in pipeline mode.
 * Calls return at once; results arrive later, on the loop. Parameters only, never SQL text with
 * values. Knows no Lua. This header hides libpq: only pgsql*.c include it. */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct pgsql;
struct pgsql_lease;
struct pgsql_result;

struct pgsql_options {
    const char *url; /* libpq URI; socket folders are fine */
    unsigned pool_size;
    unsigned max_waiting; /* queries waiting for a connection; beyond it R_OVERLOADED */
    unsigned connect_timeout_ms;
    const char *application_name;
};

struct pgsql_param {
    struct slice value; /* text format; data NULL is SQL NULL */
    uint32_t type;      /* an OID, 0 = let the server infer */
};

/* Runs exactly once per accepted query, never before the call returned. On R_OK `result` holds
 * rows. On R_REJECTED `why` carries the SQLSTATE in `why->code` («sqlstate_23505») and the server's
 * message. Both are borrowed until it returns. */
typedef void pgsql_done(void *owner, enum result rc, const struct pgsql_result *result,
                        const struct failure *why);

enum result pgsql_open(struct loop *loop, const struct pgsql_options *options, struct pgsql **out,
                       struct failure *why);
/* What waits or is in flight fails with R_CLOSED before this returns; leases still out stay valid
 * for pgsql_lease_end(). Not from inside a callback. */
void pgsql_close(struct pgsql *pgsql);
bool pgsql_is_up(const struct pgsql *pgsql); /* at least one connection is usable */
/* idle, busy, waiting callers: for metrics and readiness. */
void pgsql_stats(const struct pgsql *pgsql, unsigned *idle, unsigned *busy, unsigned *waiting);

/* One statement on any connection; without transaction control, which a lease is for. Unnamed
 * statements only, so that PgBouncer works. A query whose connection died before it was sent is
 * tried on another; one that may have run fails with R_CLOSED. On timeout the server is told to
 * cancel. R_UNAVAILABLE or R_DENIED at once while the database is known to be away; R_INVALID for a
 * NUL byte in a text. */
enum result pgsql_query(struct pgsql *pgsql, struct slice sql, const struct pgsql_param *params,
                        unsigned count, unsigned timeout_ms, pgsql_done *done, void *owner);

/* A connection of one's own, for a transaction. `granted` runs exactly once, with NULL on failure.
 */
typedef void pgsql_granted(void *owner, enum result rc, struct pgsql_lease *lease,
                           const struct failure *why);
enum result pgsql_lease(struct pgsql *pgsql, unsigned timeout_ms, pgsql_granted *granted,
                        void *owner);
enum result pgsql_lease_query(struct pgsql_lease *lease, struct slice sql,
                              const struct pgsql_param *params, unsigned count, unsigned timeout_ms,
                              pgsql_done *done, void *owner);
/* Give the connection back. If a transaction is open it is rolled back first; if a query is in
 * flight it is cancelled. May be called at any time, also inside a callback. */
void pgsql_lease_end(struct pgsql_lease *lease);

/* Notifications of one channel, on a connection of its own that reconnects. `payload` with data
 * NULL says: the connection was (re)made, anything may have been missed, read everything again. */
struct pgsql_listener;
struct pgsql_listener *pgsql_listen(struct pgsql *pgsql, const char *channel,
                                    void (*on_notice)(void *owner, struct slice payload),
                                    void *owner);
/* `on_notice` will not run again; may be called inside it. Before pgsql_close(). */
void pgsql_unlisten(struct pgsql_listener *listener);

/* ---- reading a result ---- */
unsigned pgsql_rows(const struct pgsql_result *result);
unsigned pgsql_columns(const struct pgsql_result *result);
const char *pgsql_column_name(const struct pgsql_result *result, unsigned column);
uint32_t pgsql_column_type(const struct pgsql_result *result, unsigned column); /* OID */
/* Text format; data NULL is SQL NULL. */
struct slice pgsql_value(const struct pgsql_result *result, unsigned row, unsigned column);
int64_t pgsql_affected(const struct pgsql_result *result);
/* The command tag: «INSERT 0 1», or «ROLLBACK» for a COMMIT that came too late. */
struct slice pgsql_command(const struct pgsql_result *result);
/* The constraint that refused; empty when none did. Only for a `why` that this driver gave. */
const char *pgsql_constraint(const struct failure *why);

/* For `fura version`: «15.8». */
void pgsql_library(char *out, size_t size);
