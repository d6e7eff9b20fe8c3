/* access_log.c: see access_log.h. */
#include "bind/access_log.h"
#include "bind/exchange.h"
#include "bind/routes.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

#include <stdio.h>

enum { WAITS_KNOWN_MAX = 32 };

static struct metric *new_counter(struct metrics *metrics, const char *method, const char *route,
                                  int status)
{
    struct buf labels = {0};
    buf_printf(&labels, "method=\"%s\",route=\"%s\",status=\"%d\"", method, route, status);
    struct metric *metric = metrics_find(metrics, METRIC_COUNTER, SLICE("fura_http_requests_total"),
                                         buf_slice(&labels));
    buf_free(&labels);
    return metric;
}

static struct metric *find_counter(struct metrics *metrics, struct route *route, int status)
{
    struct status_counter *slot = route->statuses;
    while (slot < route->statuses + STATUS_SLOTS && slot->status && slot->status != status)
        slot++;
    if (slot < route->statuses + STATUS_SLOTS && slot->status)
        return slot->metric;
    struct metric *metric = new_counter(metrics, route->method, route->pattern, status);
    if (slot < route->statuses + STATUS_SLOTS)
        *slot = (struct status_counter){status, metric};
    return metric;
}

static struct slice describe_waits(const struct exchange *exchange, char *text, size_t size)
{
    int len = snprintf(text, size, "{");
    for (unsigned i = 0; i < exchange->wait_count; i++)
        len += snprintf(text + len, size - (size_t)len, "%s\"%s\":%.1f", i ? "," : "",
                        exchange->waits[i].what, (double)exchange->waits[i].total_us / 1000);
    len += snprintf(text + len, size - (size_t)len, "}");
    return slice_of(text, (size_t)len);
}

/* A path segment called {key} is a secret. */
static struct slice public_path(const struct http_request *req, const char *pattern)
{
    return strstr(pattern, "{key}") ? slice_cstr(pattern) : http_path(req);
}

void access_log_write(const struct exchange *exchange, struct http_request *req, int status,
                      uint64_t bytes_out)
{
    char waits[320];
    const char *pattern = exchange && exchange->route ? exchange->route->pattern : "";
    double ms = (double)(clock_monotonic_ns() - http_started_ns(req)) / 1e6;
    log_info("request", LOG_SLICE("id", http_id(req)), LOG_SLICE("method", http_method(req)),
             LOG_STR("route", pattern), LOG_SLICE("path", public_path(req, pattern)),
             LOG_INT("status", status), LOG_NUM("ms", ms), LOG_INT("bytes", bytes_out),
             LOG_SLICE("address", http_address(req)),
             LOG_STR("driver", exchange ? exchange->driver_id : ""),
             LOG_RAW("waits_ms",
                     exchange ? describe_waits(exchange, waits, sizeof waits) : SLICE("{}")));
}

/* What tasks wait for is named by few texts of the program itself, so an address tells them apart. */
static void count_wait(struct metrics *metrics, const struct task_wait_time *wait)
{
    static struct {
        const char *what;
        struct metric *count, *seconds;
    } known[WAITS_KNOWN_MAX];
    unsigned i = 0;

    while (i < WAITS_KNOWN_MAX - 1 && known[i].what && known[i].what != wait->what)
        i++;
    if (known[i].what != wait->what) {
        struct buf labels = {0};
        buf_printf(&labels, "what=\"%s\"", wait->what);
        known[i].what = wait->what;
        known[i].count =
            metrics_find(metrics, METRIC_COUNTER, SLICE("fura_waits_total"), buf_slice(&labels));
        known[i].seconds = metrics_find(metrics, METRIC_COUNTER, SLICE("fura_wait_seconds_total"),
                                        buf_slice(&labels));
        buf_free(&labels);
    }
    metric_add(known[i].count, wait->count);
    metric_add(known[i].seconds, (double)wait->total_us / 1e6);
}

void access_log_count(const struct exchange *exchange, struct metrics *metrics, int status)
{
    struct route *route = exchange->route ? exchange->route : &exchange->routes->unmatched;
    metric_add(find_counter(metrics, route, status), 1);
    metric_observe(route->seconds, (double)(clock_monotonic_ns() - exchange->started_ns) / 1e9);
    for (unsigned i = 0; i < exchange->wait_count; i++)
        count_wait(metrics, &exchange->waits[i]);
}

void access_log_count_scriptless(struct http_request *req, struct metrics *metrics, int status)
{
    bool is_static = slice_starts(http_path(req), SLICE("/static/"));
    metric_add(new_counter(metrics, "", is_static ? "/static/" : "", status), 1);
}
