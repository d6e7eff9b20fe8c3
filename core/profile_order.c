/* profile_order.c: see profile_order.h. */
#include "profile_order.h"
#include "crew.h"
#include "json.h"
#include "base/mem.h"
#include "script/profile.h"

#include <stdlib.h>

struct profile_order {
    struct crew *crew;
    struct control_reply reply;
    unsigned asked, waiting, answered;
};

static struct profile_order *running;

static void refuse(const struct control_reply *reply, const char *error, const char *code)
{
    struct buf line = {0};
    json_refuse(&line, slice_cstr(error), code);
    reply->line(reply->owner, buf_slice(&line));
    reply->end(reply->owner);
    buf_free(&line);
}

static void end(struct profile_order *order)
{
    struct control_reply reply = order->reply;
    struct buf line = {0};

    running = NULL;
    if (order->answered == 0) {
        refuse(&reply, "no worker took a profile", "unavailable");
    } else {
        buf_append_slice(&line, SLICE("{\"ok\":true"));
        json_put_integer(&line, "workers", order->answered);
        json_put_integer(&line, "lost", order->asked - order->answered);
        buf_append_char(&line, '}');
        reply.line(reply.owner, buf_slice(&line));
        reply.end(reply.owner);
    }
    buf_free(&line);
    free(order);
}

static void on_profiled(void *owner, unsigned worker, enum result rc, struct slice reply)
{
    struct profile_order *order = owner;
    struct buf line = {0};

    if (rc == R_OK) {
        order->answered += json_find_bool(reply, "ok", false);
        buf_append_char(&line, '{');
        json_put_integer(&line, "worker", worker);
        json_put_name(&line, "profile");
        buf_append_slice(&line, reply);
        buf_append_char(&line, '}');
        order->reply.line(order->reply.owner, buf_slice(&line));
        buf_free(&line);
    }
    if (--order->waiting == 0)
        end(order);
}

static void on_cut(void *owner, unsigned worker, enum result rc, struct slice reply)
{
    (void)owner, (void)worker, (void)rc, (void)reply;
}

/* The workers then answer at once, and the order ends as always. */
static void on_asker_gone(void *owner)
{
    struct profile_order *order = owner;
    for (unsigned worker = 1; worker <= crew_size(order->crew); worker++)
        crew_ask(order->crew, worker, SLICE("{\"command\":\"profile_cut\"}"), on_cut, NULL);
}

void profile_order_take(struct crew *crew, struct slice request, const struct control_reply *reply)
{
    double seconds = json_find_number(request, "seconds", 0);

    if (running) {
        refuse(reply, "another profile is being taken: try again when it has ended",
               "profile_running");
        return;
    }
    if (!(seconds >= 1 && seconds <= PROFILE_SECONDS_MAX)) {
        refuse(reply, "a profile lasts 1 to 300 seconds", "invalid");
        return;
    }
    struct profile_order *order = running = mem_new(struct profile_order);
    *order = (struct profile_order){.crew = crew, .reply = *reply};
    for (unsigned worker = 1; worker <= crew_size(crew); worker++)
        if (crew_ask(crew, worker, request, on_profiled, order) == R_OK)
            order->asked++;
    order->waiting = order->asked;
    if (order->asked == 0)
        end(order);
    else if (reply->watch)
        reply->watch(reply->owner, on_asker_gone, order);
}
