/* bind_pg.h: what the files of host.pg share. */
#pragma once

#include "bind/bind.h"
#include "net/pgsql.h"

struct task;
struct wait;

/* ---- bind_pg_types.c ---- */

/* The values from `first` to the top of the stack as parameters $1, $2, … They live on the Lua stack: query before
 * touching it. Raises on what SQL cannot say. Pushes what keeps them alive. */
struct pgsql_param *bind_pg_params(lua_State *L, int first, unsigned *count);
/* Push a list of rows with `affected`. Raises on a JSON value too deep for us. */
void bind_pg_push_rows(lua_State *L, const struct pgsql_result *result);
/* Push the first row, or nil. */
void bind_pg_push_first(lua_State *L, const struct pgsql_result *result);
/* Push one value; never NULL. */
void bind_pg_push_value(lua_State *L, uint32_t type, struct slice value);
int l_pg_json(lua_State *L);
int l_pg_bytea(lua_State *L);
int l_pg_array(lua_State *L);
void bind_pg_types_open(lua_State *L); /* once a state */

/* ---- bind_pg.c ---- */

/* What a statement of this task may take: the database.statement_timeout_ms setting, or what is left of the task. */
unsigned bind_pg_timeout_ms(const struct task *task);
int bind_pg_failure(lua_State *L, const struct failure *why);
/* Refuses, by raising, statements that belong to pg.transaction, pg.listen or nowhere. */
struct slice bind_pg_check_sql(lua_State *L, int index);
/* Completions of a query whose owner is a wait ticket: all rows, or the first. */
pgsql_done bind_pg_on_rows, bind_pg_on_first;

/* ---- bind_pg_tx.c ---- */

/* The module table is on top of the stack; adds `transaction`. */
void bind_pg_tx_open(lua_State *L, struct host *host);
