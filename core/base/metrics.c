/* metrics.c: see metrics.h. A fixed table of series in shared memory, made before fork.
 *
 * Looking a series up takes no lock: an open-addressed table of indexes, each published by one
 * atomic store after its record was filled. Only adding one locks. A process killed while adding
 * leaves at worst one unused record. */
#include "base/metrics.h"
#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { NAME_MAX_BYTES = 80, LABELS_MAX_BYTES = 320, HELP_MAX_BYTES = 200, HELPS_MAX = 256 };

static const double bounds[] = {0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1,
                                0.25,  0.5,   1,     2.5,  5,     10};
enum { BOUNDS = sizeof bounds / sizeof *bounds };

struct metric {
    uint64_t hash;
    enum metric_kind kind;
    uint32_t name_len, labels_len;
    char name[NAME_MAX_BYTES], labels[LABELS_MAX_BYTES];
    atomic_ullong value; /* the bits of a double; of a histogram the sum */
    atomic_ullong buckets[BOUNDS + 1];
};

struct help {
    char name[NAME_MAX_BYTES], text[HELP_MAX_BYTES];
};

struct metrics {
    size_t mapped_bytes;
    unsigned max_series;
    uint32_t slots; /* a power of two, at least twice max_series */
    pthread_mutex_t mutex;
    atomic_uint series_used, helps_used;
    atomic_ullong dropped;
    struct help helps[HELPS_MAX];
    _Alignas(64) struct metric series[];
    /* behind it: atomic_uint[slots], index + 1 of a series or 0 */
};

static atomic_uint *slot_at(struct metrics *metrics, uint64_t index)
{
    atomic_uint *slots = (atomic_uint *)(void *)&metrics->series[metrics->max_series];
    return &slots[index & (metrics->slots - 1)];
}

struct metrics *metrics_create(unsigned max_series)
{
    uint32_t slots = 64;
    while (slots < max_series * 2)
        slots *= 2;
    size_t bytes =
        sizeof(struct metrics) + max_series * sizeof(struct metric) + slots * sizeof(atomic_uint);
    struct metrics *metrics =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (metrics == MAP_FAILED) {
        perror("fura: shared memory for metrics");
        abort();
    }
    metrics->mapped_bytes = bytes;
    metrics->max_series = max_series;
    metrics->slots = slots;

    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&metrics->mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (metrics)
        munmap(metrics, metrics->mapped_bytes);
}

/* Whoever died in here left at worst an unpublished record, so nothing needs repair. */
static void lock(struct metrics *metrics)
{
    if (pthread_mutex_lock(&metrics->mutex) == EOWNERDEAD)
        pthread_mutex_consistent(&metrics->mutex);
}

static void unlock(struct metrics *metrics)
{
    pthread_mutex_unlock(&metrics->mutex);
}

/* ---- series ---- */

/* Over both, with a byte between that neither contains. */
static uint64_t hash_of(struct slice name, struct slice labels)
{
    uint64_t hash = hash_text(hash_byte(hash_text(HASH_START, name), 0xff), labels);
    return hash ^ hash >> 29;
}

static struct slice name_of(const struct metric *metric)
{
    return slice_of(metric->name, metric->name_len);
}

static struct slice labels_of(const struct metric *metric)
{
    return slice_of(metric->labels, metric->labels_len);
}

/* The published series, or NULL and the slot where it would go. */
static struct metric *look_up(struct metrics *metrics, uint64_t hash, struct slice name,
                              struct slice labels, atomic_uint **free_slot)
{
    for (uint64_t i = hash;; i++) { /* ends: at least half of the slots are free */
        atomic_uint *slot = slot_at(metrics, i);
        unsigned index = atomic_load_explicit(slot, memory_order_acquire);
        if (index == 0) {
            *free_slot = slot;
            return NULL;
        }
        struct metric *metric = &metrics->series[index - 1];
        if (metric->hash == hash && slice_eq(name_of(metric), name) &&
            slice_eq(labels_of(metric), labels))
            return metric;
    }
}

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.len > 0;
}

/* One name has one kind, else the text would be refused as a whole by Prometheus. */
static bool is_other_kind(struct metrics *metrics, enum metric_kind kind, struct slice name)
{
    for (uint32_t i = 0; i < metrics->slots; i++) {
        unsigned index = atomic_load_explicit(slot_at(metrics, i), memory_order_relaxed);
        if (index && metrics->series[index - 1].kind != kind &&
            slice_eq(name_of(&metrics->series[index - 1]), name))
            return true;
    }
    return false;
}

static struct metric *add_series(struct metrics *metrics, const struct metric *wanted)
{
    struct slice name = name_of(wanted), labels = labels_of(wanted);
    atomic_uint *slot;
    lock(metrics);
    struct metric *metric = look_up(metrics, wanted->hash, name, labels, &slot);
    unsigned index = atomic_load(&metrics->series_used);
    if (!metric && index < metrics->max_series && !is_other_kind(metrics, wanted->kind, name)) {
        metric = &metrics->series[index];
        /* Counted before it is filled: a death in between wastes the record and can never hand it
         * out twice. */
        atomic_store(&metrics->series_used, index + 1);
        metric->hash = wanted->hash;
        metric->kind = wanted->kind;
        metric->name_len = wanted->name_len;
        metric->labels_len = wanted->labels_len;
        memcpy(metric->name, wanted->name, name.len);
        memcpy(metric->labels, wanted->labels, labels.len);
        atomic_store_explicit(slot, index + 1, memory_order_release);
    }
    unlock(metrics);
    return metric;
}

struct metric *metrics_find(struct metrics *metrics, enum metric_kind kind, struct slice name,
                            struct slice labels)
{
    struct metric *metric = NULL;
    if (name.len <= NAME_MAX_BYTES && labels.len <= LABELS_MAX_BYTES && is_name(name)) {
        uint64_t hash = hash_of(name, labels);
        atomic_uint *slot;
        metric = look_up(metrics, hash, name, labels, &slot);
        if (!metric && atomic_load(&metrics->series_used) < metrics->max_series) {
            struct metric wanted = {.hash = hash,
                                    .kind = kind,
                                    .name_len = (uint32_t)name.len,
                                    .labels_len = (uint32_t)labels.len};
            memcpy(wanted.name, name.data, name.len);
            if (labels.len > 0)
                memcpy(wanted.labels, labels.data, labels.len);
            metric = add_series(metrics, &wanted);
        }
    }
    if (metric && metric->kind == kind)
        return metric;
    atomic_fetch_add_explicit(&metrics->dropped, 1, memory_order_relaxed);
    return NULL;
}

/* ---- values ---- */

static double of_bits(unsigned long long bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static unsigned long long to_bits(double number)
{
    unsigned long long bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

void metric_add(struct metric *metric, double delta)
{
    if (!metric)
        return;
    unsigned long long old = atomic_load_explicit(&metric->value, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&metric->value, &old,
                                                  to_bits(of_bits(old) + delta),
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void metric_set(struct metric *metric, double value)
{
    if (metric)
        atomic_store_explicit(&metric->value, to_bits(value), memory_order_relaxed);
}

void metric_observe(struct metric *metric, double seconds)
{
    if (!metric)
        return;
    unsigned bucket = 0;
    while (bucket < BOUNDS && seconds > bounds[bucket])
        bucket++;
    atomic_fetch_add_explicit(&metric->buckets[bucket], 1, memory_order_relaxed);
    metric_add(metric, seconds);
}

/* ---- help ---- */

static const struct help *find_help(const struct metrics *metrics, struct slice name)
{
    unsigned count = atomic_load_explicit(&metrics->helps_used, memory_order_acquire);
    for (unsigned i = 0; i < count; i++)
        if (slice_eq(slice_cstr(metrics->helps[i].name), name))
            return &metrics->helps[i];
    return NULL;
}

void metrics_describe(struct metrics *metrics, struct slice name, const char *help)
{
    lock(metrics);
    unsigned count = atomic_load(&metrics->helps_used);
    if (count < HELPS_MAX && name.len < NAME_MAX_BYTES && !find_help(metrics, name)) {
        struct help *slot = &metrics->helps[count];
        snprintf(slot->name, sizeof slot->name, "%.*s", (int)name.len, name.data);
        snprintf(slot->text, sizeof slot->text, "%s", help);
        atomic_store_explicit(&metrics->helps_used, count + 1, memory_order_release);
    }
    unlock(metrics);
}

/* ---- text ---- */

static void append_sample(struct buf *out, const struct metric *metric, const char *suffix,
                          const char *extra_label)
{
    const char *comma = metric->labels_len && *extra_label ? "," : "";
    bool braces = metric->labels_len || *extra_label;
    buf_append_slice(out, name_of(metric));
    buf_printf(out, "%s%s%.*s%s%s%s ", suffix, braces ? "{" : "", (int)metric->labels_len,
               metric->labels, comma, extra_label, braces ? "}" : "");
}

static void append_double(struct buf *out, double value)
{
    if (isnan(value))
        buf_append_slice(out, SLICE("NaN\n"));
    else if (isinf(value))
        buf_printf(out, "%sInf\n", value > 0 ? "+" : "-");
    else
        buf_printf(out, "%.15g\n", value);
}

static void append_histogram(struct buf *out, const struct metric *metric)
{
    unsigned long long total = 0;
    char label[40];
    for (unsigned i = 0; i <= BOUNDS; i++) {
        total += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        if (i < BOUNDS)
            snprintf(label, sizeof label, "le=\"%g\"", bounds[i]);
        else
            snprintf(label, sizeof label, "le=\"+Inf\"");
        append_sample(out, metric, "_bucket", label);
        buf_printf(out, "%llu\n", total);
    }
    append_sample(out, metric, "_sum", "");
    append_double(out, of_bits(atomic_load(&metric->value)));
    append_sample(out, metric, "_count", "");
    buf_printf(out, "%llu\n", total);
}

static void append_head(struct buf *out, const struct metrics *metrics, const struct metric *metric)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    const struct help *help = find_help(metrics, name_of(metric));
    if (help)
        buf_printf(out, "# HELP %s %s\n", help->name, help->text);
    buf_printf(out, "# TYPE %.*s %s\n", (int)metric->name_len, metric->name, kinds[metric->kind]);
}

static int compare(struct slice a, struct slice b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_name_and_labels(const void *a, const void *b)
{
    const struct metric *x = *(struct metric *const *)a, *y = *(struct metric *const *)b;
    int order = compare(name_of(x), name_of(y));
    return order ? order : compare(labels_of(x), labels_of(y));
}

void metrics_render(struct metrics *metrics, struct buf *out)
{
    struct metric **sorted = mem_alloc((metrics->max_series + 1) * sizeof *sorted);
    unsigned count = 0;
    for (uint32_t i = 0; i < metrics->slots; i++) {
        unsigned index = atomic_load_explicit(slot_at(metrics, i), memory_order_acquire);
        if (index && count < metrics->max_series)
            sorted[count++] = &metrics->series[index - 1];
    }
    qsort(sorted, count, sizeof *sorted, by_name_and_labels);
    for (unsigned i = 0; i < count; i++) {
        if (i == 0 || !slice_eq(name_of(sorted[i - 1]), name_of(sorted[i])))
            append_head(out, metrics, sorted[i]);
        if (sorted[i]->kind == METRIC_HISTOGRAM) {
            append_histogram(out, sorted[i]);
        } else {
            append_sample(out, sorted[i], "", "");
            append_double(out, of_bits(atomic_load(&sorted[i]->value)));
        }
    }
    free(sorted);
    buf_printf(
        out,
        "# HELP fura_metrics_dropped_total Updates lost because the table is full or misused.\n"
        "# TYPE fura_metrics_dropped_total counter\nfura_metrics_dropped_total %llu\n",
        (unsigned long long)atomic_load(&metrics->dropped));
}
