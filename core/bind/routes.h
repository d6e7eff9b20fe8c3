/* routes.h: the route table of one generation, compiled from lua/routes.lua, with what is served without a script and the
 * functions that answer the rest. For dispatch.c and access_log.c. */
#pragma once

#include "base/result.h"
#include "net/router.h"

#include <stdbool.h>
#include <stddef.h>

struct generation;
struct metric;
struct metrics;
struct static_files;

enum { STATUS_SLOTS = 6 };

/* A counter per status seen on a route, found once. */
struct status_counter {
    int status;
    struct metric *metric;
};

struct route {
    char *method, *pattern;
    size_t max_body_bytes; /* 0 = the server's limit */
    unsigned deadline_ms;  /* 0 = the server's */
    bool is_recorded;      /* kept for `fura replay` (bind/recording.h) */
    char **hides; /* names of its parameters that are secrets, NULL at the end; NULL: none */
    struct metric *seconds;
    struct status_counter statuses[STATUS_SLOTS];
};

/* Kept with its generation (generation_attach), and beyond it by requests whose answers are still being sent. */
struct routes {
    unsigned holders;
    struct router *router;
    struct static_files *files;
    struct route *list;
    unsigned count;
    struct route unmatched; /* metrics of 404 and 405 */
    int dispatch_ref, serve_ref, failed_ref, audience_ref;
};

/* Compile the table and attach it; R_REJECTED names the duplicate or malformed route. Without metrics nothing that is
 * answered by it can be counted. */
enum result routes_build(struct generation *generation, struct metrics *metrics,
                         struct failure *why);
struct routes *routes_of(const struct generation *generation);
struct routes *routes_hold(struct routes *routes);
void routes_release(struct routes *routes);
const char *route_pattern(const struct route *route);
