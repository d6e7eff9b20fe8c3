/* shm_shard.c: see shm_shard.h.
 *
 * Memory is cut into blocks of one size, and an entry is a chain of them: no fragmentation, so that
 * evicting enough entries always makes room. Block 0 is never used: index 0 means «none». */
#include "base/shm_shard.h"

#include <assert.h>

/* The first block of an entry starts with this; its text (key, then value) follows and goes on in
 * further blocks. */
struct entry {
    uint64_t hash;
    int64_t expires_ms;
    double number;
    uint32_t next_in_bucket, newer, older;
    uint32_t key_len, text_len;
    uint32_t kind;
};

struct block {
    uint32_t next; /* of the same entry, or of the free list */
    uint32_t unused;
    union {
        struct entry entry;
        char data[SHM_BLOCK_BYTES - 8];
    } as;
};

static_assert(sizeof(struct block) == SHM_BLOCK_BYTES, "blocks are packed");

enum {
    FIRST_DATA = sizeof(struct entry),
    FIRST_ROOM = SHM_BLOCK_BYTES - 8 - FIRST_DATA,
    NEXT_ROOM = SHM_BLOCK_BYTES - 8,
};

struct shm_shard {
    uint32_t blocks, buckets; /* buckets is a power of two */
    uint32_t free_head, free_count;
    uint32_t newest, oldest;
    uint64_t entries, evictions;
};

static uint32_t bucket_count(uint32_t blocks)
{
    uint32_t count = 16;
    while (count < blocks / 2)
        count *= 2;
    return count;
}

/* Behind the shard's head: the blocks, then the buckets. */
static struct block *block_at(const struct shm_shard *shard, uint32_t index)
{
    char *base = (char *)(uintptr_t)shard + SHM_BLOCK_BYTES;
    return (struct block *)(void *)(base + (size_t)index * SHM_BLOCK_BYTES);
}

static uint32_t *bucket_of(const struct shm_shard *shard, uint64_t hash)
{
    uint32_t *buckets = (uint32_t *)(void *)block_at(shard, shard->blocks);
    return &buckets[hash & (shard->buckets - 1)];
}

static struct entry *entry_at(const struct shm_shard *shard, uint32_t index)
{
    return &block_at(shard, index)->as.entry;
}

size_t shm_shard_bytes(uint32_t blocks)
{
    size_t bytes = SHM_BLOCK_BYTES + (size_t)blocks * SHM_BLOCK_BYTES +
                   (size_t)bucket_count(blocks) * sizeof(uint32_t);
    return (bytes + SHM_BLOCK_BYTES - 1) / SHM_BLOCK_BYTES * SHM_BLOCK_BYTES;
}

void shm_shard_reset(struct shm_shard *shard, uint32_t blocks)
{
    *shard = (struct shm_shard){
        .blocks = blocks,
        .buckets = bucket_count(blocks),
        .free_head = blocks > 1 ? 1 : 0,
        .free_count = blocks - 1,
    };
    for (uint32_t i = 1; i < blocks; i++)
        block_at(shard, i)->next = i + 1 < blocks ? i + 1 : 0;
    memset(bucket_of(shard, 0), 0, shard->buckets * sizeof(uint32_t));
}

/* ---- the recency list ---- */

static void unlink_recent(struct shm_shard *shard, struct entry *entry)
{
    *(entry->newer ? &entry_at(shard, entry->newer)->older : &shard->newest) = entry->older;
    *(entry->older ? &entry_at(shard, entry->older)->newer : &shard->oldest) = entry->newer;
}

static void link_newest(struct shm_shard *shard, uint32_t index)
{
    struct entry *entry = entry_at(shard, index);
    entry->newer = 0;
    entry->older = shard->newest;
    *(shard->newest ? &entry_at(shard, shard->newest)->newer : &shard->oldest) = index;
    shard->newest = index;
}

/* ---- text across blocks ---- */

/* A place inside an entry's chain. */
struct cursor {
    const struct shm_shard *shard;
    uint32_t block;
    size_t offset, room;
};

static struct cursor text_start(const struct shm_shard *shard, uint32_t entry)
{
    return (struct cursor){shard, entry, FIRST_DATA, FIRST_ROOM};
}

/* The next run of at most `len` bytes; `*run` says how many. */
static char *next_run(struct cursor *at, size_t len, size_t *run)
{
    if (at->room == 0) {
        at->block = block_at(at->shard, at->block)->next;
        at->offset = 0;
        at->room = NEXT_ROOM;
    }
    *run = len < at->room ? len : at->room;
    char *place = block_at(at->shard, at->block)->as.data + at->offset;
    at->offset += *run;
    at->room -= *run;
    return place;
}

static void write_text(struct cursor *at, struct slice text)
{
    for (size_t run; text.len > 0; text = slice_from(text, run)) {
        char *place = next_run(at, text.len, &run);
        memcpy(place, text.data, run);
    }
}

static bool equals_text(struct cursor *at, struct slice text)
{
    for (size_t run; text.len > 0; text = slice_from(text, run)) {
        const char *place = next_run(at, text.len, &run);
        if (memcmp(place, text.data, run) != 0)
            return false;
    }
    return true;
}

static void skip_text(struct cursor *at, size_t len)
{
    for (size_t run; len > 0; len -= run)
        next_run(at, len, &run);
}

static struct cursor value_start(const struct shm_shard *shard, uint32_t index)
{
    struct cursor at = text_start(shard, index);
    skip_text(&at, entry_at(shard, index)->key_len);
    return at;
}

/* ---- entries ---- */

static uint32_t blocks_for(size_t bytes)
{
    return bytes <= FIRST_ROOM ? 1
                               : 1 + (uint32_t)((bytes - FIRST_ROOM + NEXT_ROOM - 1) / NEXT_ROOM);
}

/* The link that points at the entry of this key; it holds 0 when there is none. */
static uint32_t *link_of(const struct shm_shard *shard, const struct shm_key *key)
{
    uint32_t *link = bucket_of(shard, key->hash);
    for (; *link; link = &entry_at(shard, *link)->next_in_bucket) {
        const struct entry *entry = entry_at(shard, *link);
        struct cursor at = text_start(shard, *link);
        if (entry->hash == key->hash && entry->key_len == key->text.len &&
            equals_text(&at, key->text))
            break;
    }
    return link;
}

static void free_entry(struct shm_shard *shard, uint32_t *link)
{
    uint32_t index = *link, last = index, count = 1;
    struct entry *entry = entry_at(shard, index);
    *link = entry->next_in_bucket;
    unlink_recent(shard, entry);
    while (block_at(shard, last)->next) {
        last = block_at(shard, last)->next;
        count++;
    }
    block_at(shard, last)->next = shard->free_head;
    shard->free_head = index;
    shard->free_count += count;
    shard->entries--;
}

static void evict_oldest(struct shm_shard *shard)
{
    uint32_t *link = bucket_of(shard, entry_at(shard, shard->oldest)->hash);
    while (*link != shard->oldest)
        link = &entry_at(shard, *link)->next_in_bucket;
    free_entry(shard, link);
    shard->evictions++;
}

static uint32_t take_chain(struct shm_shard *shard, uint32_t count)
{
    uint32_t first = shard->free_head, last = first;
    for (uint32_t i = 1; i < count; i++)
        last = block_at(shard, last)->next;
    shard->free_head = block_at(shard, last)->next;
    shard->free_count -= count;
    block_at(shard, last)->next = 0;
    return first;
}

struct shm_found shm_shard_find(struct shm_shard *shard, const struct shm_key *key, int64_t now_ms)
{
    uint32_t *link = link_of(shard, key);
    if (*link == 0)
        return (struct shm_found){0};
    struct entry *entry = entry_at(shard, *link);
    if (entry->expires_ms && entry->expires_ms <= now_ms) {
        free_entry(shard, link);
        return (struct shm_found){0};
    }
    uint32_t index = *link;
    unlink_recent(shard, entry);
    link_newest(shard, index);
    return (struct shm_found){.entry = index,
                              .kind = (enum shm_kind)entry->kind,
                              .number = entry->number,
                              .text_len = entry->text_len,
                              .expires_ms = entry->expires_ms};
}

void shm_shard_copy_text(const struct shm_shard *shard, const struct shm_found *found, char *out)
{
    struct cursor at = value_start(shard, found->entry);
    size_t left = found->text_len;
    for (size_t run; left > 0; left -= run, out += run) {
        const char *place = next_run(&at, left, &run);
        memcpy(out, place, run);
    }
}

bool shm_shard_text_equals(const struct shm_shard *shard, const struct shm_found *found,
                           struct slice text)
{
    struct cursor at = value_start(shard, found->entry);
    return text.len == found->text_len && equals_text(&at, text);
}

void shm_shard_set_number(struct shm_shard *shard, const struct shm_found *found, double number)
{
    entry_at(shard, found->entry)->number = number;
}

enum result shm_shard_put(struct shm_shard *shard, const struct shm_key *key,
                          const struct shm_value *value, int64_t expires_ms)
{
    struct slice text = value->kind == SHM_STRING ? value->text : SLICE("");
    size_t room = (size_t)shard->blocks * NEXT_ROOM;
    if (key->text.len > room || text.len > room ||
        blocks_for(key->text.len + text.len) > shard->blocks - 1)
        return R_TOO_BIG;

    shm_shard_remove(shard, key);
    uint32_t need = blocks_for(key->text.len + text.len);
    while (shard->free_count < need)
        evict_oldest(shard);

    uint32_t index = take_chain(shard, need);
    uint32_t *bucket = bucket_of(shard, key->hash);
    *entry_at(shard, index) = (struct entry){
        .hash = key->hash,
        .expires_ms = expires_ms,
        .number = value->number,
        .next_in_bucket = *bucket,
        .key_len = (uint32_t)key->text.len,
        .text_len = (uint32_t)text.len,
        .kind = value->kind,
    };
    struct cursor at = text_start(shard, index);
    write_text(&at, key->text);
    write_text(&at, text);
    *bucket = index;
    link_newest(shard, index);
    shard->entries++;
    return R_OK;
}

void shm_shard_remove(struct shm_shard *shard, const struct shm_key *key)
{
    uint32_t *link = link_of(shard, key);
    if (*link)
        free_entry(shard, link);
}

void shm_shard_count(const struct shm_shard *shard, struct shm_stats *out)
{
    out->entries += shard->entries;
    out->evictions += shard->evictions;
    out->bytes_total += (uint64_t)(shard->blocks - 1) * SHM_BLOCK_BYTES;
    out->bytes_used += (uint64_t)(shard->blocks - 1 - shard->free_count) * SHM_BLOCK_BYTES;
}
