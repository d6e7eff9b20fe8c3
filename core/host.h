/* host.h: everything the scripts of one process may reach: its drivers, opened from the settings.
 * Used by workers and by the commands that run scripts (run, console, test, check). */
#pragma once

#include "base/result.h"
#include "bind/bind.h"

struct host_options {
    struct loop *loop;
    const struct conf *conf; /* borrowed for the life of the host */
    const char *role;        /* literal */
    unsigned workers;        /* that share the node's database pool; 0 = just this process */
    struct shm *shm;         /* NULL: one of its own */
    struct metrics *metrics; /* NULL: ones of its own */
};

/* No driver waits for its service: each connects when it can. R_INVALID names a setting that cannot
 * work. */
enum result host_open(const struct host_options *options, struct host **out, struct failure *why);
void host_close(struct host *host); /* after the last generation; NULL is fine */
