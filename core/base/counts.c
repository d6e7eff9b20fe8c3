/* counts.c: see counts.h. A table with open addressing that doubles when it is half full. */
#include "base/counts.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

enum { SLOTS_FIRST = 256 };

struct count {
    char *text; /* NULL: a free slot */
    size_t len;
    uint64_t times;
};

struct counts {
    struct count *slots;
    size_t slot_count, used;
    size_t bytes, max_bytes;
    uint64_t total;
};

struct counts *counts_new(size_t max_bytes)
{
    struct counts *counts = mem_new(struct counts);
    counts->max_bytes = max_bytes;
    counts->slot_count = SLOTS_FIRST;
    counts->slots = mem_zalloc(SLOTS_FIRST * sizeof *counts->slots);
    return counts;
}

void counts_free(struct counts *counts)
{
    if (!counts)
        return;
    for (size_t i = 0; i < counts->slot_count; i++)
        free(counts->slots[i].text);
    free(counts->slots);
    free(counts);
}

/* The slot of `text`, or the free one where it belongs. */
static struct count *find(const struct counts *counts, struct slice text)
{
    size_t at = hash_text(HASH_START, text) & (counts->slot_count - 1);
    while (counts->slots[at].text &&
           !slice_eq(slice_of(counts->slots[at].text, counts->slots[at].len), text))
        at = (at + 1) & (counts->slot_count - 1);
    return &counts->slots[at];
}

static void grow(struct counts *counts)
{
    struct count *old = counts->slots;
    size_t old_count = counts->slot_count;

    counts->slot_count *= 2;
    counts->slots = mem_zalloc(counts->slot_count * sizeof *counts->slots);
    for (size_t i = 0; i < old_count; i++)
        if (old[i].text)
            *find(counts, slice_of(old[i].text, old[i].len)) = old[i];
    free(old);
}

bool counts_add(struct counts *counts, struct slice text, uint64_t times)
{
    struct count *count = find(counts, text);
    if (!count->text) {
        if (counts->bytes + text.len > counts->max_bytes)
            return false;
        if (counts->used * 2 >= counts->slot_count) {
            grow(counts);
            count = find(counts, text);
        }
        *count = (struct count){.text = mem_strndup(text.data, text.len), .len = text.len};
        counts->used++;
        counts->bytes += text.len;
    }
    count->times += times;
    counts->total += times;
    return true;
}

uint64_t counts_total(const struct counts *counts)
{
    return counts->total;
}

static int compare(const void *a, const void *b)
{
    const struct count *left = a, *right = b;
    if (left->times != right->times)
        return left->times < right->times ? 1 : -1;
    return strcmp(left->text, right->text);
}

void counts_each(const struct counts *counts, unsigned max,
                 void (*visit)(void *owner, struct slice text, uint64_t times), void *owner)
{
    struct count *sorted = mem_alloc((counts->used + 1) * sizeof *sorted);
    size_t count = 0;

    for (size_t i = 0; i < counts->slot_count; i++)
        if (counts->slots[i].text)
            sorted[count++] = counts->slots[i];
    qsort(sorted, count, sizeof *sorted, compare);
    for (size_t i = 0; i < count && (max == 0 || i < max); i++)
        visit(owner, slice_of(sorted[i].text, sorted[i].len), sorted[i].times);
    free(sorted);
}
