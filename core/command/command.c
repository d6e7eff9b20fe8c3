/* command.c: see command.h. */
#include "command/command.h"
#include "base/mem.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int command_usage(const struct invocation *invocation)
{
    fprintf(stderr, "usage: fura %s\n", invocation->command->usage);
    return EXIT_USAGE;
}

struct conf *command_conf(const struct invocation *invocation)
{
    struct buf problems = {0};
    struct conf *conf = NULL;

    if (conf_load(&invocation->source, &conf, &problems) != R_OK)
        fprintf(stderr, "%s", buf_cstr(&problems));
    buf_free(&problems);
    return conf;
}

/* ---- where the application is ---- */

static bool is_application(const char *folder)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/lua/init.lua", folder);
    return len > 0 && (size_t)len < sizeof path && access(path, F_OK) == 0;
}

/* Go up from the file or folder `path` until there is an application; gives NULL at the root. */
static char *find_above(const char *path)
{
    char folder[PATH_MAX];
    char *slash;

    if (!realpath(path, folder))
        return NULL;
    do {
        if (is_application(folder))
            return mem_strdup(folder);
        slash = strrchr(folder, '/');
        if (slash)
            *slash = '\0';
    } while (slash && folder[0]);
    return NULL;
}

void command_locate(struct conf_source *source)
{
    char here[PATH_MAX];
    char *root = source->conf_path ? find_above(source->conf_path) : NULL;

    if (!getcwd(here, sizeof here))
        here[0] = '\0';
    if (!root && is_application(here))
        root = mem_strdup(here);
    if (!root)
        root = find_above("/proc/self/exe");
    source->root = root ? root : mem_strdup(here);
}
