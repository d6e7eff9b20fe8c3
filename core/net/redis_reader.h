/* redis_reader.h: hiredis' protocol reader with replies in one reused arena, so that a reply costs
 * no malloc. */
#pragma once

#include "base/result.h"

#include <stddef.h>

struct redisReply;
struct redis_reader;

/* A reply over `limit_bytes` is refused with R_TOO_BIG. */
struct redis_reader *redis_reader_new(size_t limit_bytes);
void redis_reader_free(struct redis_reader *reader); /* NULL is fine */

void redis_reader_feed(struct redis_reader *reader, const void *data, size_t len);

/* The next whole reply, or NULL when more bytes are needed; it is valid until the next call.
 * R_INVALID and R_TOO_BIG are final: the stream cannot be read further. */
enum result redis_reader_next(struct redis_reader *reader, const struct redisReply **out);
/* What was wrong, after R_INVALID. */
const char *redis_reader_error(const struct redis_reader *reader);
