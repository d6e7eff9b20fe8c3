/* counts.h: how often each text was seen, for instance the stacks of a profile. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct counts;

/* Texts of together at most `max_bytes` are kept apart. */
struct counts *counts_new(size_t max_bytes);
void counts_free(struct counts *counts); /* NULL is fine */

/* False when a text not seen before has no place any more: it was not counted. */
bool counts_add(struct counts *counts, struct slice text, uint64_t times);
uint64_t counts_total(const struct counts *counts);

/* The most frequent first, equals by their text; at most `max` of them, 0 = all. */
void counts_each(const struct counts *counts, unsigned max,
                 void (*visit)(void *owner, struct slice text, uint64_t times), void *owner);
