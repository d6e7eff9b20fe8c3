/* redis_server.h: a real redis-server of the test's own, in a temporary folder, gone with the test.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct redis_server {
    char folder[64];
    char socket[96]; /* its unix socket, always there */
    uint16_t port;   /* TCP, on 127.0.0.1; 0 unless redis_server_use_tcp() came first */
    const char *args[24];
    unsigned arg_count;
    pid_t pid;
    void (*run)(const struct redis_server *server); /* private: what the child becomes */
};

/* Make the folder. Then choose options, then start. */
void redis_server_init(struct redis_server *server);
void redis_server_add(struct redis_server *server, const char *name, const char *value);
void redis_server_use_tcp(struct redis_server *server,
                          const char *option); /* "--port", "--tls-port" */

void redis_server_start(struct redis_server *server); /* returns when it answers */
/* As a sentinel of `master`, impatient and on its own (quorum 1). */
void redis_server_start_sentinel(struct redis_server *sentinel, const struct redis_server *master,
                                 const char *name);
void redis_server_kill(struct redis_server *server); /* kill -9; may be started again */
void redis_server_end(struct redis_server *server);  /* kill, and remove the folder */

/* A port that was free a moment ago. */
uint16_t redis_server_free_port(void);
