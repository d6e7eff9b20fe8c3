/* trial.h: a candidate generation beside the live one: who of the audience meets it, and how both do. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct canary_counts;
struct exchange;
struct generation;
struct http_request;
struct share;
struct trial;

struct trial_options {
    struct generation *candidate;
    struct share *share;          /* taken */
    struct canary_counts *counts; /* base/state.h */
    /* The candidate's first mistake that has words. */
    void (*on_complaint)(void *owner, uint64_t candidate, struct slice text);
    void *owner;
};

struct trial *trial_new(const struct trial_options *options);
void trial_free(struct trial *trial); /* NULL is fine; requests that it placed go on */

/* Decide for a request that the live generation holds by now: true when the candidate has it instead. Asks the live
 * generation's audience(request, route_index) of lua/init.lua whose request it is:
 * a name, nil when nobody knows, or false for what must stay with the live one and is no measure. */
bool trial_place(struct trial *trial, struct exchange *exchange);
/* Answer with a file that only the candidate has, or has in the version that `name` asks for: one of its pages named it. */
bool trial_serve_file(const struct trial *trial, const struct generation *live,
                      struct http_request *req, struct slice name);

/* The request's task begins, and ends. */
void trial_begin(struct exchange *exchange);
void trial_end(struct exchange *exchange);
/* Count an answered request, if the trial it was placed by is still on. */
void trial_count(const struct exchange *exchange, int status);
/* A mistake of one side. `is_hidden`: no answer shows it. */
void trial_complain(struct trial *trial, const struct generation *generation, struct slice text,
                    bool is_hidden);
