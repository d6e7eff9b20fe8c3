/* questions.h: what a worker has asked its master and not heard of yet. */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#include <stdint.h>

struct channel;
struct channel_frame;
struct question;

struct questions {
    struct question *list;
    uint64_t last;
};

/* `answered` runs exactly once, never before this returned. R_CLOSED, and nothing will come, without a channel. */
enum result questions_ask(struct questions *questions, struct channel *channel,
                          struct slice request,
                          void (*answered)(void *owner, enum result rc, struct slice lines),
                          void *owner);
void questions_answer(struct questions *questions, const struct channel_frame *frame);
void questions_fail(struct questions *questions); /* the master is gone */
