/* client.h: the asking end of the control socket. */
#pragma once

#include "base/buf.h"
#include "command/command.h"

#include <stdio.h>

/* Send one request to the running server and collect its answer lines in `out`, each ended by a newline; `last` is the
 * one that carries "ok". Gives EXIT_OK when that says true; explains on stderr when nobody answers, and
 * with --json `out` is a line that says so. */
int client_ask(const struct invocation *invocation, struct slice request, struct buf *out,
               struct slice *last);
/* The same; with --json what came is printed as it is. */
int client_ask_aloud(const struct invocation *invocation, struct slice request, struct buf *out,
                     struct slice *last);
/* The same with a path that is known already, in words for a script: false and `why` when nobody answers. */
bool client_exchange(const char *path, struct slice request, struct buf *out, struct failure *why);
/* Where the control socket of these settings is; appended to `path`. */
bool client_path(const struct conf *conf, struct buf *path);

/* Print the texts of the list `name` of an object, a line each. */
void client_print_list(struct slice object, const char *name, FILE *out);

/* The next line of `lines`; false at the end. */
bool client_next_line(struct slice *lines, struct slice *line);
