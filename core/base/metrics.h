/* metrics.h: counters, gauges and histograms in shared memory, so that /metrics of any worker tells the whole node.
 * Updating is lock-free (atomic adds); a new series takes a robust lock once. Made before fork. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

struct metrics;

struct metrics *
metrics_create(unsigned max_series); /* beyond it new series are dropped and counted */
void metrics_free(struct metrics *metrics);

/* `labels` is the ready Prometheus label text without braces, e.g. `route="/x",status="200"`, or empty. */
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
struct
    metric; /* a handle of one series; stays valid for the life of the process, so hot paths keep it */
struct metric *metrics_find(struct metrics *metrics, enum metric_kind kind, struct slice name,
                            struct slice labels);     /* NULL when full */
void metric_add(struct metric *metric, double delta); /* counter or gauge; NULL metric is fine */
void metric_set(struct metric *metric, double value); /* gauge */
void metric_observe(struct metric *metric, double seconds); /* histogram: 1 ms … 10 s buckets */

/* Help text shown for a name; first one wins. */
void metrics_describe(struct metrics *metrics, struct slice name, const char *help);
/* Prometheus text format 0.0.4, sorted by name. */
void metrics_render(struct metrics *metrics, struct buf *out);
