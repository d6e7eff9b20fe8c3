/* shm.h: a memory zone made before fork and shared by all workers of a node: a small key-value store with TTL,
 * counters and compare-and-set. Survives a kill -9 of any process at any point (SPEC 12): robust locks around bounded
 * C code, records published by one atomic store, an orphaned shard emptied. It is a cache: anything may be
 * evicted when a shard is full (least recently used first). */
#pragma once

#include "base/buf.h"
#include "base/result.h"
#include "base/slice.h"

#include <stdint.h>

struct shm;

struct shm *shm_create(size_t bytes); /* call before fork; dies when the system refuses */
void shm_free(struct shm *shm);

enum shm_kind { SHM_STRING, SHM_NUMBER, SHM_BOOL };
struct shm_value {
    enum shm_kind kind;
    struct slice text; /* STRING */
    double number;     /* NUMBER; BOOL as 0 or 1 */
};

/* A string value is appended to `text` and `value->text` points into it. R_NOT_FOUND when absent or expired. */
enum result shm_get(struct shm *shm, struct slice key, struct shm_value *value, struct buf *text,
                    int64_t *ttl_ms /* may be NULL; -1 = no expiry */);
/* ttl_ms 0 = no expiry. R_TOO_BIG when it cannot fit a shard at all. */
enum result shm_set(struct shm *shm, struct slice key, const struct shm_value *value,
                    int64_t ttl_ms);
enum result shm_add(struct shm *shm, struct slice key, const struct shm_value *value,
                    int64_t ttl_ms); /* R_EXISTS */
/* Only when the present value equals `expected` (NULL = absent): else R_REJECTED. */
enum result shm_compare_and_set(struct shm *shm, struct slice key, const struct shm_value *expected,
                                const struct shm_value *value, int64_t ttl_ms);
/* Absent counts as 0 and then takes ttl_ms; a number keeps its expiry. R_INVALID when it holds another kind. */
enum result shm_increment(struct shm *shm, struct slice key, double delta, int64_t ttl_ms,
                          double *out);
void shm_delete(struct shm *shm, struct slice key);
struct shm_stats {
    uint64_t entries, bytes_used, bytes_total, evictions, orphaned_shards;
};
void shm_stats(struct shm *shm, struct shm_stats *out);
