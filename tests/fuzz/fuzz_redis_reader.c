/* Replies of a Redis that has gone mad. */
#include "fuzz.h"

#include "net/redis_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redis_reader *reader = redis_reader_new(1 << 16);
    const struct redisReply *reply = NULL;
    size_t half = size / 2;

    redis_reader_feed(reader, data, half);
    while (redis_reader_next(reader, &reply) == R_OK && reply)
        ;
    redis_reader_feed(reader, data + half, size - half);
    while (redis_reader_next(reader, &reply) == R_OK && reply)
        ;
    redis_reader_free(reader);
    return 0;
}
