/* replay_order.c: see replay_order.h. */
#include "replay_order.h"
#include "channel.h"
#include "crew.h"
#include "json.h"
#include "reload.h"
#include "base/bundle.h"
#include "base/mem.h"

#include <stdlib.h>

enum { RECORDED_MAX_BYTES = CHANNEL_BODY_MAX - 64 * 1024 };

struct replay_order {
    struct crew *crew;
    struct control_reply reply;
    struct bundle *bundle; /* of the sources on disk */
    struct buf request;    /* of the worker that compares; grows by what the others recorded */
    unsigned waiting;      /* workers that have not told what they recorded */
    bool is_off;
};

static void end_with(struct replay_order *order, struct slice json)
{
    order->reply.line(order->reply.owner, json);
    order->reply.end(order->reply.owner);
    if (order->bundle)
        bundle_free(order->bundle);
    buf_free(&order->request);
    free(order);
}

static void refuse(struct replay_order *order, const char *error)
{
    struct buf line = {0};
    json_refuse(&line, slice_cstr(error), NULL);
    end_with(order, buf_slice(&line));
    buf_free(&line);
}

static void say_problems(struct replay_order *order, struct slice problems)
{
    struct buf line = {0};
    json_refuse_sources(&line, problems);
    end_with(order, buf_slice(&line));
    buf_free(&line);
}

/* ---- comparing ---- */

static void on_compared(void *owner, unsigned worker, enum result rc, struct slice reply)
{
    (void)worker;
    if (rc == R_OK)
        end_with(owner, reply);
    else
        refuse(owner, crew_silence(rc));
}

static void compare(struct replay_order *order)
{
    struct crew *crew = order->crew;

    buf_append_slice(&order->request, SLICE("]}"));
    struct crew_order asked = {
        .kind = CHANNEL_REPLAY, .fd = bundle_fd(order->bundle), .body = buf_slice(&order->request)};
    if (order->is_off)
        refuse(order, "nothing is recorded: replay.keep is 0");
    else if (crew_ask_with(crew, crew_any_live(crew), &asked, on_compared, order) != R_OK)
        refuse(order, "no worker serves now");
}

/* ---- collecting ---- */

static void on_recorded(void *owner, unsigned worker, enum result rc, struct slice reply)
{
    struct replay_order *order = owner;
    bool is_list = rc == R_OK && reply.len > 0 && reply.data[0] == '[';
    (void)worker;

    order->is_off = order->is_off || (rc == R_OK && !is_list);
    if (is_list && order->request.len + reply.len < RECORDED_MAX_BYTES) {
        json_put_comma(&order->request);
        buf_append_slice(&order->request, reply);
    }
    if (--order->waiting == 0)
        compare(order);
}

static void collect(struct replay_order *order)
{
    struct crew_order asked = {.kind = CHANNEL_RECORDED, .fd = -1, .body = SLICE("")};

    for (unsigned worker = 1; worker <= crew_size(order->crew); worker++)
        if (crew_ask_with(order->crew, worker, &asked, on_recorded, order) == R_OK)
            order->waiting++;
    if (order->waiting == 0)
        refuse(order, "no worker serves now");
}

/* What the command said, passed on to the script, and room for the lists: {"asked":…,"recorded":[ */
static void begin_request(struct replay_order *order, struct slice request)
{
    buf_append_slice(&order->request, SLICE("{\"asked\":"));
    buf_append_slice(&order->request, request);
    buf_append_slice(&order->request, SLICE(",\"recorded\":["));
}

void replay_order_take(struct crew *crew, struct reload *reload, struct slice request,
                       const struct control_reply *reply)
{
    struct replay_order *order = mem_new(struct replay_order);
    struct buf problems = {0};

    order->crew = crew;
    order->reply = *reply;
    begin_request(order, request);
    if (reload_read(reload, &order->bundle, &problems) == R_OK)
        collect(order);
    else
        say_problems(order, buf_slice(&problems));
    buf_free(&problems);
}
