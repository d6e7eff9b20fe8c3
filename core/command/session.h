/* session.h: a generation without a server, for the commands that run scripts: settings, drivers, one VM. */
#pragma once

#include "command/command.h"

#include <lua.h>
#include <stdbool.h>

struct session;
struct task_end;
struct generation;
struct host;

/* `role` is what host.script.info() says; `tooling` gives scripts the standard libraries too. On failure NULL comes
 * back and the problems are on stderr. */
struct session *session_open(const struct invocation *invocation, const char *role, bool tooling);
/* The same with settings that are loaded already (takes them), and with the problems collected instead. */
struct session *session_try(const struct invocation *invocation, struct conf *conf,
                            const char *role, bool tooling, struct buf *problems);
void session_close(struct session *session);

struct generation *session_generation(const struct session *session);
lua_State *session_lua(const struct session *session);
struct host *session_host(const struct session *session);
const struct conf *session_conf(const struct session *session);

/* SIGINT and SIGTERM end the script of session_call() from now on: its stack is printed, and the exit status is 128 + signal, as
 * shells have it. `handle` (may be NULL) is told instead of the task that waits. Needs watchdog_start(). */
void session_heed_signals(struct session *session, void (*handle)(void *owner), void *owner);
/* What went wrong with a task and where, on stderr. */
void session_print_end(const struct task_end *end);

/* Load Lua text as a function onto session_lua(); false after saying why on stderr. */
bool session_load(struct session *session, struct slice source, const char *chunk_name);
/* The same from the bundle; false when it has no such file (said only when `required`). */
bool session_load_bundled(struct session *session, const char *path);
/* Run the function and `nargs` arguments on top of session_lua() as a task, with the loop turning, and give its exit
 * status: 0; a number it returned; 1 for nil and a failure, or an error, which are printed. */
int session_call(struct session *session, int nargs, const char *label);
