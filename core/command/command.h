/* command.h: the commands of the binary: each one a file here with one function, listed in main.c. */
#pragma once

#include "base/conf.h"

#include <stdbool.h>

enum { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

/* What was typed, after the options that all commands share were taken out. */
struct invocation {
    const struct command *command;
    const char *word; /* as typed */
    struct conf_source source;
    bool json;
    int argc; /* arguments after the command */
    char **argv;
    char **all; /* the whole command line, for starting the same again */
};

struct command {
    const char *name, *usage, *about;
    int (*run)(const struct invocation *invocation);
    bool verbatim;      /* what follows the first argument belongs to a script, options included */
    const char *manual; /* what the usage line cannot say, or NULL */
};

/* Print «usage: fura …» to stderr; gives EXIT_USAGE. */
int command_usage(const struct invocation *invocation);
/* Find the application's folder: above the file given with -c, else here, else above the binary. Sets `root`, which the
 * caller frees. */
void command_locate(struct conf_source *source);
/* Settings, or the problems on stderr and NULL. */
struct conf *command_conf(const struct invocation *invocation);

int serve_run(const struct invocation *invocation);
int check_run(const struct invocation *invocation);
int reload_run(const struct invocation *invocation);
int status_run(const struct invocation *invocation);
int ps_run(const struct invocation *invocation);
int kill_run(const struct invocation *invocation);
int call_run(const struct invocation *invocation);
int replay_run(const struct invocation *invocation);
int profile_run(const struct invocation *invocation);
int stop_run(const struct invocation *invocation);
int migrate_run(const struct invocation *invocation);
int routes_run(const struct invocation *invocation);
int config_run(const struct invocation *invocation);
int test_run(const struct invocation *invocation);
int run_run(const struct invocation *invocation);
int console_run(const struct invocation *invocation);
int version_run(const struct invocation *invocation);

/* ---- commands the application brings: lua/commands/NAME.lua (command/extension.c) ---- */

bool extension_exists(const struct conf_source *source, const char *name);
int extension_run(const struct invocation *invocation);
int extension_help(const struct invocation *invocation);
/* One visit each, sorted. */
void extension_each(const struct conf_source *source,
                    void (*visit)(void *owner, const char *name, const char *about), void *owner);
