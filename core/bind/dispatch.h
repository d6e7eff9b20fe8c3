/* dispatch.h: where HTTP meets Lua. Each request becomes a task of the live generation that runs
 * dispatch(request, route_index) of lua/init.lua and answers with what that returns. */
#pragma once

#include "base/result.h"
#include "net/http.h"

struct conf;
struct dispatch;
struct generation;
struct loop;
struct metrics;
struct recording;
struct trial;

struct dispatch *dispatch_new(struct loop *loop, const struct conf *conf, struct metrics *metrics);
void dispatch_free(struct dispatch *dispatch); /* after the server and all generations are gone */

/* Compile the generation's route table; R_REJECTED names the duplicate or malformed route. Call it
 * once, before the generation is accepted. `dispatch` is NULL for one that will never serve. */
enum result dispatch_prepare(struct dispatch *dispatch, struct generation *generation,
                             struct failure *why);
/* New requests go to this prepared generation. NULL: answer 503 until there is one. Ends a trial. */
void dispatch_set_live(struct dispatch *dispatch, struct generation *generation);
/* From now on some of them go to the candidate of this trial instead (taken; NULL: no more). */
void dispatch_set_trial(struct dispatch *dispatch, struct trial *trial);
/* A script says that something went wrong which no answer shows. */
void dispatch_complain(struct dispatch *dispatch, const struct generation *generation,
                       struct slice text);

/* The requests kept for `fura replay`; NULL when it is off. */
const struct recording *dispatch_recording(const struct dispatch *dispatch);

struct http_callbacks dispatch_callbacks(struct dispatch *dispatch);

/* For `fura routes`: one visit a route, in the order of the table. */
void dispatch_each_route(struct generation *generation,
                         void (*visit)(void *owner, const char *method, const char *pattern),
                         void *owner);
