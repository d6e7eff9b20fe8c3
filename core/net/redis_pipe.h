/* redis_pipe.h: the commands of one connection: their bytes on the way out, and who waits for which
 * reply. Replies come in the order of the commands; one that comes after its deadline is dropped at
 * its place, so the two sides never get out of step. Knows no sockets. */
#pragma once

#include "base/buf.h"
#include "net/redis.h"

#include <stdint.h>

struct redis_flight {
    redis_done *done; /* NULL once its deadline passed */
    void *owner;
    int64_t deadline_ms;
};

struct redis_pipe {
    struct buf out;
    size_t written; /* bytes of `out` that are already on the wire */
    struct redis_flight *ring;
    unsigned capacity; /* a power of two, or 0 */
    unsigned head, count;
    int64_t due_ms;         /* no deadline is nearer than this */
    int64_t quiet_since_ms; /* the last byte from the server, or the start of waiting for one */
};

void redis_pipe_init(struct redis_pipe *pipe);
void redis_pipe_clear(struct redis_pipe *pipe); /* nothing may be in flight */

/* Write one command in the wire format. */
void redis_pipe_format(struct buf *out, size_t argc, const struct slice *argv);

/* Queue one command. True when its deadline is the nearest of all: the timer must be set to
 * `due_ms`. */
bool redis_pipe_push(struct redis_pipe *pipe, size_t argc, const struct slice *argv,
                     const struct redis_flight *flight);

/* Hand a reply (or R_INVALID, R_TOO_BIG with NULL) to the oldest command. False when nobody waits.
 */
bool redis_pipe_answer(struct redis_pipe *pipe, enum result rc, const struct redisReply *reply);
/* Tell R_TIMEOUT to everybody whose time has passed, and set `due_ms` anew. Callbacks may push or
 * fail. */
void redis_pipe_expire(struct redis_pipe *pipe, int64_t now_ms);
/* End everything in flight with `rc` and forget what was not sent. */
void redis_pipe_fail(struct redis_pipe *pipe, enum result rc);

/* The oldest command is overdue, so the server is late: since when has it been silent? INT64_MAX
 * when on time. */
int64_t redis_pipe_late_since(const struct redis_pipe *pipe);
