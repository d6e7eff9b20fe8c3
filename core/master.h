/* master.h: the process that opens the sockets, keeps workers alive, brings new generations live and ends
 * everything in order. It serves nothing itself. */
#pragma once

#include "base/conf.h"

struct master_options {
    struct conf_source source;
    struct conf *conf; /* taken */
    char **argv;       /* for the binary that may replace this one */
};

/* Serve until told to end; gives the exit status. */
int master_run(const struct master_options *options);
