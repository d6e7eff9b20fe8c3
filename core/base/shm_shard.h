/* shm_shard.h: one shard of the shared zone as a plain data structure: entries in chained blocks, a
 * hash table and a recency list, all by index, so that it means the same in every process. Knows no
 * locks (shm.c does), allocates nothing and never loops over more than the shard. */
#pragma once

#include "base/shm.h"

#include <stdbool.h>

enum { SHM_BLOCK_BYTES = 256 };

struct shm_shard; /* lives inside the shared mapping */

/* What an operation works on; `hash` decides shard and bucket. */
struct shm_key {
    struct slice text;
    uint64_t hash;
};

struct shm_found {
    uint32_t entry; /* 0 = absent or expired */
    enum shm_kind kind;
    double number;
    size_t text_len;
    int64_t expires_ms; /* 0 = never */
};

size_t shm_shard_bytes(uint32_t blocks);
/* Make or empty it; whatever the memory held is forgotten. */
void shm_shard_reset(struct shm_shard *shard, uint32_t blocks);

/* Finding counts as use: the entry becomes the most recent one. */
struct shm_found shm_shard_find(struct shm_shard *shard, const struct shm_key *key, int64_t now_ms);
/* `out` has room for found->text_len bytes. */
void shm_shard_copy_text(const struct shm_shard *shard, const struct shm_found *found, char *out);
bool shm_shard_text_equals(const struct shm_shard *shard, const struct shm_found *found,
                           struct slice text);
void shm_shard_set_number(struct shm_shard *shard, const struct shm_found *found, double number);

/* Replaces what the key held; the least recently used go when there is no room. R_TOO_BIG changes
 * nothing. */
enum result shm_shard_put(struct shm_shard *shard, const struct shm_key *key,
                          const struct shm_value *value, int64_t expires_ms);
void shm_shard_remove(struct shm_shard *shard, const struct shm_key *key);
/* Adds to the sums in `out`. */
void shm_shard_count(const struct shm_shard *shard, struct shm_stats *out);
