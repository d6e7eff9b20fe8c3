/* pgsql_target.h: where the database is: a libpq URI taken apart, its host names resolved on the
 * loop, and put together again with addresses, because libpq itself would block on a name. */
#pragma once

#include "base/result.h"
#include "net/pgsql.h"

struct pgsql_target;
struct pgsql_lookup;

/* R_INVALID for a URI libpq does not understand; `why` never repeats the URI, which may hold a
 * password. */
enum result pgsql_target_new(struct loop *loop, const struct pgsql_options *options,
                             struct pgsql_target **out, struct failure *why);
void pgsql_target_free(struct pgsql_target *target); /* NULL is fine; no look-up may be running */

/* Runs once, never before pgsql_target_locate() returned. On R_OK the two lists are what
 * PQconnectStartParams wants, borrowed until it returns. */
typedef void pgsql_located(void *owner, enum result rc, const char *const *keywords,
                           const char *const *values, const struct failure *why);
struct pgsql_lookup *pgsql_target_locate(struct pgsql_target *target, pgsql_located *done,
                                         void *owner);
void pgsql_lookup_forget(struct pgsql_lookup *lookup); /* `done` will not run */

/* A connection attempt ran out of time: the next one starts at the next address, since libpq leaves
 * an address only when it refuses, never when it is silent. */
void pgsql_target_rotate(struct pgsql_target *target);
