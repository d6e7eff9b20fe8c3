/* shm.c: see shm.h. The zone is an anonymous shared mapping made before fork: a head, then the
 * shards.
 *
 * Every operation holds one shard's robust mutex around bounded C code: no allocation, no system
 * call, no Lua. When its holder was killed, the next one to lock is told (EOWNERDEAD) and empties
 * the shard: half a write is never seen, and nobody waits for the dead. */
#include "base/shm.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/shm_shard.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { SHARDS_MAX = 32, SHARD_LEAST_BYTES = 1 << 20, BLOCKS_LEAST = 64 };

struct shard_lock {
    _Alignas(64) pthread_mutex_t mutex;
};

struct zone_head {
    struct shard_lock locks[SHARDS_MAX];
    atomic_ullong orphaned;
};

/* The same in every process, since fork copies it. */
struct shm {
    struct zone_head *head;
    char *shards;
    size_t mapped_bytes, shard_bytes;
    uint32_t shard_count, shard_blocks;
    uint64_t seed[2]; /* secret, so that nobody outside can choose keys that collide */
};

_Noreturn static void die(const char *what)
{
    perror(what);
    abort();
}

static struct shm_shard *shard_at(const struct shm *shm, uint32_t index)
{
    return (struct shm_shard *)(void *)(shm->shards + (size_t)index * shm->shard_bytes);
}

static void init_lock(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    if (pthread_mutex_init(mutex, &attr) != 0)
        die("fura: shared lock");
    pthread_mutexattr_destroy(&attr);
}

/* Few large shards would make workers wait for each other, many small ones could not hold a long
 * list. */
static void plan(struct shm *shm, size_t bytes)
{
    shm->shard_count = 1;
    while (shm->shard_count < SHARDS_MAX && bytes / (shm->shard_count * 2) >= SHARD_LEAST_BYTES)
        shm->shard_count *= 2;
    size_t blocks = bytes / shm->shard_count / SHM_BLOCK_BYTES;
    shm->shard_blocks = (uint32_t)(blocks < BLOCKS_LEAST ? BLOCKS_LEAST : blocks);
    shm->shard_bytes = shm_shard_bytes(shm->shard_blocks);
}

struct shm *shm_create(size_t bytes)
{
    struct shm *shm = mem_new(struct shm);
    plan(shm, bytes);
    size_t head_bytes = (sizeof(struct zone_head) + 4095) / 4096 * 4096;
    shm->mapped_bytes = head_bytes + shm->shard_count * shm->shard_bytes;
    void *zone =
        mmap(NULL, shm->mapped_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (zone == MAP_FAILED)
        die("fura: shared memory");
    shm->head = zone;
    shm->shards = (char *)zone + head_bytes;
    crypto_random(shm->seed, sizeof shm->seed);
    for (uint32_t i = 0; i < shm->shard_count; i++) {
        init_lock(&shm->head->locks[i].mutex);
        shm_shard_reset(shard_at(shm, i), shm->shard_blocks);
    }
    return shm;
}

void shm_free(struct shm *shm)
{
    if (!shm)
        return;
    munmap(shm->head, shm->mapped_bytes);
    free(shm);
}

/* ---- keys ---- */

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

/* SipHash-1-3. */
static uint64_t hash_of(const uint64_t seed[2], struct slice text)
{
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
                     seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573};
    uint64_t last = (uint64_t)text.len << 56, word;
    while (text.len >= 8) {
        memcpy(&word, text.data, 8);
        sip_word(v, word);
        text = slice_from(text, 8);
    }
    for (size_t i = 0; i < text.len; i++)
        last |= (uint64_t)(unsigned char)text.data[i] << (8 * i);
    sip_word(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- locking ---- */

/* One operation under way: the shard of its key, locked. */
struct hold {
    struct shm_key key;
    struct shm_shard *shard;
    pthread_mutex_t *mutex;
    int64_t now_ms;
};

static struct hold lock_shard(struct shm *shm, uint32_t index)
{
    struct hold hold = {.shard = shard_at(shm, index),
                        .mutex = &shm->head->locks[index].mutex,
                        .now_ms = clock_monotonic_ms()};
    int rc = pthread_mutex_lock(hold.mutex);
    if (rc == EOWNERDEAD) {
        shm_shard_reset(hold.shard, shm->shard_blocks);
        atomic_fetch_add(&shm->head->orphaned, 1);
        pthread_mutex_consistent(hold.mutex);
    } else if (rc != 0) {
        errno = rc;
        die("fura: shared lock");
    }
    return hold;
}

static struct hold lock_key(struct shm *shm, struct slice text)
{
    uint64_t hash = hash_of(shm->seed, text);
    struct hold hold = lock_shard(shm, (uint32_t)(hash >> 32) & (shm->shard_count - 1));
    hold.key = (struct shm_key){.text = text, .hash = hash};
    return hold;
}

static void unlock(struct hold *hold)
{
    pthread_mutex_unlock(hold->mutex);
}

static struct shm_found find(struct hold *hold)
{
    return shm_shard_find(hold->shard, &hold->key, hold->now_ms);
}

static enum result put(struct hold *hold, const struct shm_value *value, int64_t ttl_ms)
{
    return shm_shard_put(hold->shard, &hold->key, value, ttl_ms > 0 ? hold->now_ms + ttl_ms : 0);
}

/* ---- operations ---- */

enum result shm_get(struct shm *shm, struct slice key, struct shm_value *value, struct buf *text,
                    int64_t *ttl_ms)
{
    struct hold hold = lock_key(shm, key);
    struct shm_found found = find(&hold);
    /* Growing the buffer may take the allocator's locks: not while holding ours. */
    while (found.entry && text->len + found.text_len > text->cap) {
        unlock(&hold);
        buf_reserve(text, found.text_len);
        hold = lock_key(shm, key);
        found = find(&hold);
    }
    size_t start = text->len;
    if (found.text_len > 0) {
        shm_shard_copy_text(hold.shard, &found, text->data + start);
        text->len += found.text_len;
    }
    unlock(&hold);
    if (!found.entry)
        return R_NOT_FOUND;

    *value =
        (struct shm_value){.kind = found.kind,
                           .text = slice_of(text->data ? text->data + start : "", found.text_len),
                           .number = found.number};
    if (ttl_ms)
        *ttl_ms = found.expires_ms ? found.expires_ms - hold.now_ms : -1;
    return R_OK;
}

enum result shm_set(struct shm *shm, struct slice key, const struct shm_value *value,
                    int64_t ttl_ms)
{
    struct hold hold = lock_key(shm, key);
    enum result rc = put(&hold, value, ttl_ms);
    unlock(&hold);
    return rc;
}

enum result shm_add(struct shm *shm, struct slice key, const struct shm_value *value,
                    int64_t ttl_ms)
{
    struct hold hold = lock_key(shm, key);
    enum result rc = find(&hold).entry ? R_EXISTS : put(&hold, value, ttl_ms);
    unlock(&hold);
    return rc;
}

static bool equals(const struct hold *hold, const struct shm_found *found,
                   const struct shm_value *expected)
{
    if (!expected || !found->entry)
        return !expected && !found->entry;
    if (found->kind != expected->kind)
        return false;
    if (found->kind == SHM_STRING)
        return shm_shard_text_equals(hold->shard, found, expected->text);
    return !(found->number < expected->number) && !(found->number > expected->number);
}

enum result shm_compare_and_set(struct shm *shm, struct slice key, const struct shm_value *expected,
                                const struct shm_value *value, int64_t ttl_ms)
{
    struct hold hold = lock_key(shm, key);
    struct shm_found found = find(&hold);
    enum result rc = equals(&hold, &found, expected) ? put(&hold, value, ttl_ms) : R_REJECTED;
    unlock(&hold);
    return rc;
}

enum result shm_increment(struct shm *shm, struct slice key, double delta, int64_t ttl_ms,
                          double *out)
{
    struct hold hold = lock_key(shm, key);
    struct shm_found found = find(&hold);
    enum result rc = R_OK;
    *out = found.number + delta;
    if (!found.entry)
        rc = put(&hold, &(struct shm_value){.kind = SHM_NUMBER, .number = delta}, ttl_ms);
    else if (found.kind != SHM_NUMBER)
        rc = R_INVALID;
    else
        shm_shard_set_number(hold.shard, &found, *out);
    unlock(&hold);
    return rc;
}

void shm_delete(struct shm *shm, struct slice key)
{
    struct hold hold = lock_key(shm, key);
    shm_shard_remove(hold.shard, &hold.key);
    unlock(&hold);
}

void shm_stats(struct shm *shm, struct shm_stats *out)
{
    *out = (struct shm_stats){0};
    for (uint32_t i = 0; i < shm->shard_count; i++) {
        struct hold hold = lock_shard(shm, i);
        shm_shard_count(hold.shard, out);
        unlock(&hold);
    }
    out->orphaned_shards = atomic_load(&shm->head->orphaned);
}
