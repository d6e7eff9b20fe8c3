/* listener.h: opening listening sockets from addresses as written in FURA_LISTEN.
 * The master opens them once; workers inherit the descriptors. */
#pragma once

#include "base/result.h"

#include <stdbool.h>

struct listen_address {
    char text[160]; /* as written, for logs */
    bool tls;
    bool loopback;       /* 127.0.0.0/8, ::1 or a unix socket */
    char unix_path[108]; /* empty for TCP */
    char host[64];
    int port;
};

/* `127.0.0.1:8080`, `[::]:80`, `unix:PATH`, `ssl:ADDR:PORT`. `*out_count` at most `max`. */
enum result listener_parse(const char *list, struct listen_address *out, unsigned max,
                           unsigned *out_count, struct failure *why);
/* Gives a non-blocking close-on-exec listening descriptor. A stale unix socket file is replaced; one in
 * use is R_EXISTS. Port 0 lets the system choose; listener_port() tells which. */
enum result listener_open(const struct listen_address *address, int *out_fd, struct failure *why);
int listener_port(int fd);
