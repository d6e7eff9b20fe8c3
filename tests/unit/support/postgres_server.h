/* postgres_server.h: a private PostgreSQL for one test program: temp folder, unix socket, gone at
 * the end. */
#pragma once

#include <stddef.h>

struct postgres_server;

/* Dies with a message when PostgreSQL cannot be set up. `more` holds extra lines for
 * postgresql.conf, or NULL. */
struct postgres_server *postgres_server_start(const char *more);
void postgres_server_end(struct postgres_server *server);

/* Superuser `fura`, database `postgres`, no password. */
const char *postgres_server_url(const struct postgres_server *server);
const char *postgres_server_folder(const struct postgres_server *server); /* socket folder */

void postgres_server_kill(struct postgres_server *server); /* kill -9 of the postmaster */
void postgres_server_stop(struct postgres_server *server); /* sessions are told FATAL 57P01 */
void postgres_server_resume(struct postgres_server *server);

/* Run SQL on a connection of its own and give the first value as text (empty when there is none);
 * dies when the server refuses. The text is valid until the next call. */
const char *postgres_server_ask(struct postgres_server *server, const char *sql);
