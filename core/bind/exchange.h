/* exchange.h: one request while Lua works on it; shared by dispatch.c, bind_request.c and access_log.c. */
#pragma once

#include "net/http.h"
#include "net/router.h"
#include "script/task.h"

#include <lua.h>
#include <stdbool.h>

struct canary_counts;
struct dispatch;
struct route;
struct routes;

enum { DRIVER_ID_MAX = 24, EXCHANGE_WAITS_MAX = 6 };

struct exchange {
    struct dispatch *dispatch;
    struct http_request *request;
    struct generation *generation; /* held until the task has ended; NULL then */
    struct routes *routes;         /* held to the end */
    struct route *route;           /* NULL: no such path, or method not allowed */
    struct router_match match;
    bool is_known_path; /* without a route: `match.allow` has the methods it takes */
    int64_t started_ns; /* monotonic: its first byte */
    struct task *task;
    struct exchange **box;                 /* the script's handle; cleared when the task ends */
    struct writer *writers, **last_writer; /* who waits for a slow client, oldest first */
    bool started, done, streaming, has_context;
    struct canary_counts *counts; /* placed by a trial: where it is counted, and of which one */
    uint64_t trial;
    bool is_candidate;
    int64_t worked_ns;             /* placed: from its task's begin to its end */
    char driver_id[DRIVER_ID_MAX]; /* who it was, for the access log; set by the script */
    struct task_wait_time waits[EXCHANGE_WAITS_MAX];
    unsigned wait_count;
    struct exchange *next; /* free list */
};

/* It will be answered by this generation. */
void exchange_join(struct exchange *exchange, struct generation *generation);

/* The request as a script sees it (lua/meta/request.lua). Pushes a userdata. */
void request_push(lua_State *L, struct exchange *exchange);
/* Push begin(request, response) and write(request, piece) for dispatch.lua. */
void request_push_stream_functions(lua_State *L);
/* Once per VM. */
void request_open(lua_State *L);

/* Read the answer out of the table at `index`; headers live on the Lua stack and in `storage` until
 * the caller pops. Raises with what is wrong with the table. */
enum { ANSWER_HEADERS_MAX = 64, ANSWER_NUMBER_BYTES = 32 };
struct answer_storage {
    struct http_header headers[ANSWER_HEADERS_MAX];
    char numbers[ANSWER_HEADERS_MAX][ANSWER_NUMBER_BYTES]; /* values given as numbers */
};
void request_read_answer(lua_State *L, int index, struct http_answer *answer,
                         struct answer_storage *storage);
