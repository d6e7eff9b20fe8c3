/* redis_greeting.h: what a connection asks before it carries commands: who we are, which database,
 * and whether this server is the one we want and ready. */
#pragma once

#include "base/buf.h"
#include "base/result.h"

#include <stdbool.h>

struct redis_conn_spec;
struct redisReply;

enum { REDIS_GREETING_MAX = 4 };

struct redis_greeting {
    struct buf out;
    size_t written;
    const struct redis_greeting_step *steps[REDIS_GREETING_MAX];
    unsigned count, answered;
};

void redis_greeting_begin(struct redis_greeting *greeting, const struct redis_conn_spec *spec);
/* Anything but R_OK: this connection must be given up. */
enum result redis_greeting_take(struct redis_greeting *greeting, const struct redisReply *reply,
                                struct failure *why);
bool redis_greeting_is_over(const struct redis_greeting *greeting);
void redis_greeting_clear(struct redis_greeting *greeting);

/* An error reply after the greeting may say that the server changed its mind about us (it restarted
 * and loads, became a replica, wants a password now). Gives the reason to reconnect, or NULL. */
const char *redis_greeting_verdict(const struct redisReply *reply, bool must_be_master);
