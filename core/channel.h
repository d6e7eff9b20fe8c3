/* channel.h: the line between the master and one worker: framed messages over a socket pair, with a
 * descriptor travelling along where the kind says so. Both ends run the same binary, so numbers are
 * in native order; the parser is bounded all the same. */
#pragma once

#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

enum channel_kind {
    CHANNEL_PREPARE = 1, /* master: build generation `number` from the bundle in the descriptor */
    CHANNEL_PREPARED,    /* worker: `status` 1 it stands, 0 it does not and the body says why */
    CHANNEL_COMMIT,      /* master: `number` is the live one from now on */
    CHANNEL_CANARY,      /* master: `number` serves the share in the body, beside the live one */
    CHANNEL_COMPLAINT,   /* worker: the canary `number` made a mistake; the body says which */
    CHANNEL_ABORT,       /* master: forget `number` */
    CHANNEL_DRAIN, /* master: accept nothing more, finish what runs; `number` = milliseconds left */
    CHANNEL_STOP,  /* master: end now */
    CHANNEL_REOPEN,    /* master: open the log file again */
    CHANNEL_HEARTBEAT, /* worker: alive; the body is a struct worker_figures */
    CHANNEL_REQUEST,   /* master: a command (JSON), answered by a REPLY with the same number */
    CHANNEL_REPLY,
    CHANNEL_ASK, /* worker: a control command for the master, answered by ANSWER */
    CHANNEL_ANSWER,
    CHANNEL_RECORDED, /* master: which requests do you keep? Answered by a REPLY */
    CHANNEL_REPLAY, /* master: answer those in the body again, with what runs and with the bundle in
                         the descriptor; answered by a REPLY */
    CHANNEL_KINDS,
};

/* A longer body ends the line, and with it the worker. Of the texts of scripts so much is sent. */
enum { CHANNEL_BODY_MAX = 8 * 1024 * 1024, CHANNEL_TEXT_MAX = 64 * 1024 };

/* An answer, or the refusal that stands for one which is too long. */
static inline struct slice channel_answer(struct slice json)
{
    return json.len <= CHANNEL_BODY_MAX
               ? json
               : SLICE("{\"ok\":false,\"error\":\"the answer is longer than 8 MiB\"}");
}

struct channel_frame {
    enum channel_kind kind;
    unsigned status;
    uint64_t number;
    struct slice body;
};

/* The first frame of `input`: bytes it takes, 0 when more must come, negative when it is malformed.
 */
long channel_parse(struct slice input, struct channel_frame *frame);

struct loop;
struct channel;

struct channel_callbacks {
    /* `fd` is -1, or taken by the callee. May close the channel. */
    void (*on_frame)(void *owner, const struct channel_frame *frame, int fd);
    /* The other end is gone or spoke nonsense. Once, from the loop. */
    void (*on_closed)(void *owner);
    void *owner;
};

/* Takes `fd`, one end of a stream socket pair. */
struct channel *channel_open(struct loop *loop, int fd, const struct channel_callbacks *callbacks);
/* Queue a frame; `fd` (or -1) is borrowed. A peer that reads nothing for CHANNEL_BODY_MAX × 2 bytes
 * counts as gone. */
void channel_send(struct channel *channel, const struct channel_frame *frame, int fd);
void channel_close(struct channel *channel); /* NULL is fine */
/* In a forked child: close the copy of the descriptor, touch nothing else. */
void channel_disown(struct channel *channel);
