/* access_log.h: what is told of an answered request: a log line and metrics. */
#pragma once

#include <stdint.h>

struct exchange;
struct http_request;
struct metrics;

/* One line: who asked for what, the status, how long it took and what was waited for. `exchange` is NULL for what was
 * answered without a script. */
void access_log_write(const struct exchange *exchange, struct http_request *req, int status,
                      uint64_t bytes_out);
/* Count it by route and status, and its time by route. */
void access_log_count(const struct exchange *exchange, struct metrics *metrics, int status);
/* The same for what was answered without a script: static files, and requests refused before a route was known. */
void access_log_count_scriptless(struct http_request *req, struct metrics *metrics, int status);
