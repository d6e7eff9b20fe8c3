/* redis_reader.c: see redis_reader.h. hiredis calls the make_* functions below while it reads; it
 * never frees a part of a reply, so the arena is simply emptied after each whole one. */
#include "net/redis_reader.h"
#include "base/mem.h"
#include "net/redis.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 16 * 1024, ALIGN = 8, KEEP_BUFFER = 256 * 1024 };

struct block {
    struct block *older;
    size_t size, used;
    _Alignas(16) char data[];
};

struct redis_reader {
    redisReader *hiredis;
    struct block *newest;
    size_t limit, in_arena;
    bool over_limit;
};

static struct block *block_new(size_t size, struct block *older)
{
    struct block *block = mem_alloc(sizeof *block + size);
    block->older = older;
    block->size = size;
    block->used = 0;
    return block;
}

/* NULL over the limit: hiredis then stops reading. */
static void *arena_take(struct redis_reader *reader, size_t size)
{
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (size > reader->limit - reader->in_arena) {
        reader->over_limit = true;
        return NULL;
    }
    if (size > reader->newest->size - reader->newest->used)
        reader->newest = block_new(size > FIRST_BLOCK ? size : FIRST_BLOCK, reader->newest);
    void *place = reader->newest->data + reader->newest->used;
    reader->newest->used += size;
    reader->in_arena += size;
    return place;
}

static void arena_clear(struct redis_reader *reader)
{
    while (reader->newest->older) {
        struct block *block = reader->newest;
        reader->newest = block->older;
        free(block);
    }
    reader->newest->used = 0;
    reader->in_arena = 0;
}

static redisReply *make_reply(const redisReadTask *task)
{
    redisReply *reply = arena_take(task->privdata, sizeof *reply);
    if (!reply)
        return NULL;
    *reply = (redisReply){.type = task->type};
    if (task->parent) {
        redisReply *parent = task->parent->obj;
        parent->element[task->idx] = reply;
    }
    return reply;
}

static void *make_string(const redisReadTask *task, char *text, size_t len)
{
    redisReply *reply = make_reply(task);
    char *copy = reply ? arena_take(task->privdata, len + 1) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    reply->str = copy;
    reply->len = len;
    return reply;
}

static void *make_array(const redisReadTask *task, int count)
{
    redisReply *reply = make_reply(task);
    if (!reply || count <= 0)
        return reply;
    reply->element = arena_take(task->privdata, (size_t)count * sizeof(redisReply *));
    reply->elements = (size_t)count;
    return reply->element ? reply : NULL;
}

static void *make_integer(const redisReadTask *task, long long value)
{
    redisReply *reply = make_reply(task);
    if (reply)
        reply->integer = value;
    return reply;
}

/* The task says string or array here: what is nil was announced as one of them. */
static void *make_nil(const redisReadTask *task)
{
    redisReply *reply = make_reply(task);
    if (reply)
        reply->type = REDIS_REPLY_NIL;
    return reply;
}

static void free_nothing(void *reply)
{
    (void)reply;
}

static redisReplyObjectFunctions makers = {
    .createString = make_string,
    .createArray = make_array,
    .createInteger = make_integer,
    .createNil = make_nil,
    .freeObject = free_nothing,
};

struct redis_reader *redis_reader_new(size_t limit_bytes)
{
    struct redis_reader *reader = mem_new(struct redis_reader);
    reader->hiredis = redisReaderCreateWithFunctions(&makers);
    reader->hiredis->privdata = reader;
    reader->hiredis->maxbuf = KEEP_BUFFER;
    reader->newest = block_new(FIRST_BLOCK, NULL);
    reader->limit = limit_bytes;
    return reader;
}

void redis_reader_free(struct redis_reader *reader)
{
    if (!reader)
        return;
    arena_clear(reader);
    free(reader->newest);
    redisReaderFree(reader->hiredis);
    free(reader);
}

void redis_reader_feed(struct redis_reader *reader, const void *data, size_t len)
{
    redisReaderFeed(reader->hiredis, data, len);
}

enum result redis_reader_next(struct redis_reader *reader, const struct redisReply **out)
{
    redisReader *hiredis = reader->hiredis;
    void *reply = NULL;
    *out = NULL;
    if (hiredis->ridx == -1) /* not in the middle of a reply */
        arena_clear(reader);
    if (redisReaderGetReply(hiredis, &reply) != REDIS_OK)
        return reader->over_limit ? R_TOO_BIG : R_INVALID;
    if (!reply && reader->in_arena + (hiredis->len - hiredis->pos) > reader->limit)
        return R_TOO_BIG;
    *out = reply;
    return R_OK;
}

const char *redis_reader_error(const struct redis_reader *reader)
{
    return reader->hiredis->errstr;
}

#define TEXT_OF(number)   #number
#define NUMBER_OF(number) TEXT_OF(number)

const char *redis_library(void)
{
    return NUMBER_OF(HIREDIS_MAJOR) "." NUMBER_OF(HIREDIS_MINOR) "." NUMBER_OF(HIREDIS_PATCH);
}
