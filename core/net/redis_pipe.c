/* redis_pipe.c: see redis_pipe.h. Commands are formatted straight into the out-buffer and waiters
 * live in a ring: in the steady state a command allocates nothing. */
#include "net/redis_pipe.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

enum { RING_FIRST = 64, NUMBER_MAX = 24 };

void redis_pipe_init(struct redis_pipe *pipe)
{
    *pipe = (struct redis_pipe){.due_ms = INT64_MAX};
}

void redis_pipe_clear(struct redis_pipe *pipe)
{
    buf_free(&pipe->out);
    free(pipe->ring);
    redis_pipe_init(pipe);
}

/* "*12\r\n" or "$12\r\n" */
static char *put_number(char *out, char kind, size_t value)
{
    char digits[NUMBER_MAX];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    *out++ = kind;
    while (n > 0)
        *out++ = digits[--n];
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

void redis_pipe_format(struct buf *out, size_t argc, const struct slice *argv)
{
    size_t room = NUMBER_MAX;
    for (size_t i = 0; i < argc; i++)
        room += argv[i].len + NUMBER_MAX + 2;
    char *start = buf_reserve(out, room);
    char *at = put_number(start, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        at = put_number(at, '$', argv[i].len);
        if (argv[i].len > 0)
            memcpy(at, argv[i].data, argv[i].len);
        at += argv[i].len;
        *at++ = '\r';
        *at++ = '\n';
    }
    out->len += (size_t)(at - start);
}

static struct redis_flight *flight_at(const struct redis_pipe *pipe, unsigned index)
{
    return &pipe->ring[(pipe->head + index) & (pipe->capacity - 1)];
}

static void grow(struct redis_pipe *pipe)
{
    unsigned capacity = pipe->capacity ? pipe->capacity * 2 : RING_FIRST;
    struct redis_flight *ring = mem_alloc(capacity * sizeof *ring);
    for (unsigned i = 0; i < pipe->count; i++)
        ring[i] = *flight_at(pipe, i);
    free(pipe->ring);
    pipe->ring = ring;
    pipe->capacity = capacity;
    pipe->head = 0;
}

bool redis_pipe_push(struct redis_pipe *pipe, size_t argc, const struct slice *argv,
                     const struct redis_flight *flight)
{
    if (pipe->count == pipe->capacity)
        grow(pipe);
    if (pipe->count == 0)
        pipe->quiet_since_ms = clock_monotonic_ms();
    redis_pipe_format(&pipe->out, argc, argv);
    *flight_at(pipe, pipe->count++) = *flight;
    if (flight->deadline_ms >= pipe->due_ms)
        return false;
    pipe->due_ms = flight->deadline_ms;
    return true;
}

static struct redis_flight pop(struct redis_pipe *pipe)
{
    struct redis_flight flight = *flight_at(pipe, 0);
    pipe->head = (pipe->head + 1) & (pipe->capacity - 1);
    pipe->count--;
    return flight;
}

bool redis_pipe_answer(struct redis_pipe *pipe, enum result rc, const struct redisReply *reply)
{
    if (pipe->count == 0)
        return false;
    struct redis_flight flight = pop(pipe);
    if (flight.done)
        flight.done(flight.owner, rc, reply);
    return true;
}

void redis_pipe_expire(struct redis_pipe *pipe, int64_t now_ms)
{
    int64_t due_ms = INT64_MAX;
    unsigned count = pipe->count;
    pipe->due_ms = INT64_MAX; /* what callbacks push lowers it from here */
    for (unsigned i = 0; i < count && i < pipe->count; i++) {
        struct redis_flight *flight = flight_at(pipe, i);
        if (!flight->done)
            continue;
        if (flight->deadline_ms > now_ms) {
            due_ms = flight->deadline_ms < due_ms ? flight->deadline_ms : due_ms;
            continue;
        }
        redis_done *done = flight->done;
        flight->done = NULL; /* `flight` may move once the callback pushes */
        done(flight->owner, R_TIMEOUT, NULL);
    }
    if (due_ms < pipe->due_ms)
        pipe->due_ms = due_ms;
}

void redis_pipe_fail(struct redis_pipe *pipe, enum result rc)
{
    buf_free(&pipe->out);
    pipe->written = 0;
    while (redis_pipe_answer(pipe, rc, NULL))
        continue;
    pipe->due_ms = INT64_MAX;
}

int64_t redis_pipe_late_since(const struct redis_pipe *pipe)
{
    return pipe->count > 0 && !flight_at(pipe, 0)->done ? pipe->quiet_since_ms : INT64_MAX;
}
