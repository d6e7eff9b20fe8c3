/* orders.c: see orders.h. */
#include "orders.h"
#include "canary.h"
#include "crew.h"
#include "json.h"
#include "profile_order.h"
#include "reload.h"
#include "replay_order.h"
#include "sockets.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/share.h"
#include "base/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct order {
    struct orders *orders;
    struct control_reply reply;
    unsigned waiting; /* workers that have not answered */
    struct order *next;
};

struct orders {
    struct orders_options options;
    struct order *pending;
};

/* ---- answering ---- */

static void say(const struct order *order, struct slice json)
{
    order->reply.line(order->reply.owner, json);
}

static void end(struct order *order)
{
    struct order **link = &order->orders->pending;
    while (*link != order)
        link = &(*link)->next;
    *link = order->next;
    order->reply.end(order->reply.owner);
    free(order);
}

static void end_with(struct order *order, struct slice json)
{
    say(order, json);
    end(order);
}

static void refuse(struct order *order, const char *error)
{
    struct buf line = {0};
    json_refuse(&line, slice_cstr(error), NULL);
    end_with(order, buf_slice(&line));
    buf_free(&line);
}

/* ---- reload ---- */

static void say_verdict(const struct order *order, const struct reload_outcome *outcome,
                        unsigned index)
{
    const struct reload_verdict *verdict = &outcome->verdicts[index];
    struct buf line = {0};

    buf_append_char(&line, '{');
    json_put_integer(&line, "worker", index + 1);
    json_put_integer(&line, "generation", (int64_t)outcome->generation);
    json_put_bool(&line, "ok", verdict->ok);
    if (!verdict->ok)
        json_put_member(&line, "reason", buf_slice(&verdict->reason));
    buf_append_char(&line, '}');
    say(order, buf_slice(&line));
    buf_free(&line);
}

static void say_outcome(struct order *order, const struct reload_outcome *outcome)
{
    const struct reload *reload = order->orders->options.reload;
    struct buf line = {0};

    buf_append_char(&line, '{');
    json_put_bool(&line, "ok", outcome->ok);
    json_put_integer(&line, "generation", (int64_t)outcome->generation);
    json_put_member(&line, "hash", slice_cstr(outcome->hash));
    if (outcome->canary == CANARY_STANDS) {
        json_put_name(&line, "canary");
        reload_describe_canary(reload, &line);
    }
    if (outcome->note.len > 0)
        json_put_member(&line, "note", outcome->note);
    json_put_lines(&line, "problems", outcome->problems);
    buf_append_char(&line, '}');
    end_with(order, buf_slice(&line));
    buf_free(&line);
}

static void on_reloaded(void *owner, const struct reload_outcome *outcome)
{
    struct order *order = owner;
    for (unsigned i = 0; i < outcome->workers; i++)
        if (outcome->verdicts[i].given)
            say_verdict(order, outcome, i);
    say_outcome(order, outcome);
}

/* «canary»: a share, «for_s»: seconds. */
static void reload_as_canary(struct order *order, struct slice request, const char *text)
{
    double for_ms = json_find_number(request, "for_s", (double)CANARY_FOR_MS / 1000) * 1000;
    struct share *share = NULL;
    struct failure why = {.rc = R_OK};

    if (share_parse(slice_cstr(text), SLICE(""), &share, &why) != R_OK) {
        refuse(order, why.text);
        return;
    }
    share_free(share);
    if (!(for_ms >= 1000 && for_ms <= CANARY_FOR_MAX_MS)) {
        refuse(order, "a canary lasts 1 second to 24 hours");
        return;
    }
    struct canary_plan plan = {.share = mem_strdup(text), .for_ms = (int64_t)for_ms};
    reload_request_canary(order->orders->options.reload, &plan, on_reloaded, order);
}

static bool is_going_away(struct order *order)
{
    if (!atomic_load(&order->orders->options.state->draining))
        return false;
    refuse(order, "the server is stopping");
    return true;
}

static void do_reload(struct order *order, struct slice request)
{
    struct buf share = {0};

    if (is_going_away(order))
        return;
    if (json_find_text(request, "canary", &share))
        reload_as_canary(order, request, buf_cstr(&share));
    else
        reload_request(order->orders->options.reload, "command", on_reloaded, order);
    buf_free(&share);
}

static void on_canary_ended(void *owner, const struct reload_outcome *outcome)
{
    say_outcome(owner, outcome);
}

static void do_await(struct order *order, struct slice request)
{
    struct reload *reload = order->orders->options.reload;
    uint64_t generation = (uint64_t)json_find_number(request, "generation", 0);
    if (!reload_await(reload, generation, on_canary_ended, order))
        refuse(order, "no such canary runs now: see `fura status`");
}

static void end_canary(struct order *order, bool (*how)(struct reload *reload, const char *reason))
{
    struct reload *reload = order->orders->options.reload;
    uint64_t generation = reload_canary(reload);
    struct buf line = {0};

    if (!how(reload, "by order")) {
        refuse(order, "no canary runs now");
        return;
    }
    buf_append_slice(&line, SLICE("{\"ok\":true"));
    json_put_integer(&line, "generation", (int64_t)generation);
    json_put_integer(&line, "live", (int64_t)reload_generation(reload));
    buf_append_char(&line, '}');
    end_with(order, buf_slice(&line));
    buf_free(&line);
}

static void do_promote(struct order *order, struct slice request)
{
    (void)request;
    end_canary(order, reload_promote);
}

static void do_withdraw(struct order *order, struct slice request)
{
    (void)request;
    end_canary(order, reload_withdraw);
}

/* ---- what has a file of its own ---- */

static void on_line(void *owner, struct slice json)
{
    say(owner, json);
}

static void on_end(void *owner)
{
    end(owner);
}

static void do_replay(struct order *order, struct slice request)
{
    const struct orders_options *options = &order->orders->options;
    replay_order_take(options->crew, options->reload, request,
                      &(struct control_reply){on_line, on_end, order, NULL});
}

static void on_watch(void *owner, void (*gone)(void *watcher), void *watcher)
{
    const struct order *order = owner;
    if (order->reply.watch)
        order->reply.watch(order->reply.owner, gone, watcher);
}

static void do_profile(struct order *order, struct slice request)
{
    profile_order_take(order->orders->options.crew, request,
                       &(struct control_reply){on_line, on_end, order, on_watch});
}

/* ---- status, stop ---- */

static void do_status(struct order *order, struct slice request)
{
    const struct orders_options *options = &order->orders->options;
    int64_t started_ms = atomic_load(&options->state->started_at_ms);
    struct buf line = {0};
    (void)request;

    buf_append_slice(&line, SLICE("{\"ok\":true"));
    json_put_member(&line, "version", SLICE(FURA_VERSION));
    json_put_integer(&line, "pid", getpid());
    json_put_integer(&line, "started_at", started_ms / 1000);
    json_put_integer(&line, "uptime_s", (clock_wall_ms() - started_ms) / 1000);
    json_put_integer(&line, "generation", (int64_t)reload_generation(options->reload));
    json_put_member(&line, "hash", slice_cstr(reload_hash(options->reload)));
    json_put_bool(&line, "draining", atomic_load(&options->state->draining));
    json_put_name(&line, "listeners");
    sockets_describe(options->sockets, &line);
    json_put_name(&line, "workers");
    crew_describe(options->crew, &line);
    json_put_name(&line, "canary");
    reload_describe_canary(options->reload, &line);
    json_put_name(&line, "reloads");
    reload_describe(options->reload, &line);
    buf_append_char(&line, '}');
    end_with(order, buf_slice(&line));
    buf_free(&line);
}

static void do_stop(struct order *order, struct slice request)
{
    struct orders *orders = order->orders;
    struct buf line = {0};
    (void)request;

    buf_append_slice(&line, SLICE("{\"ok\":true"));
    json_put_integer(&line, "pid", getpid());
    buf_append_char(&line, '}');
    end_with(order, buf_slice(&line));
    buf_free(&line);
    orders->options.on_stop(orders->options.owner);
}

/* ---- what workers answer ---- */

static void on_worker_tasks(void *owner, unsigned worker, enum result rc, struct slice reply)
{
    struct order *order = owner;
    struct slice tasks;

    if (rc == R_OK && json_find(reply, "tasks", &tasks)) {
        struct buf line = {0};
        buf_append_char(&line, '{');
        json_put_integer(&line, "worker", worker);
        json_put_name(&line, "tasks");
        buf_append_slice(&line, tasks);
        buf_append_char(&line, '}');
        say(order, buf_slice(&line));
        buf_free(&line);
    }
    if (--order->waiting == 0)
        end_with(order, SLICE("{\"ok\":true}"));
}

static void do_ps(struct order *order, struct slice request)
{
    struct crew *crew = order->orders->options.crew;

    for (unsigned worker = 1; worker <= crew_size(crew); worker++)
        if (crew_ask(crew, worker, request, on_worker_tasks, order) == R_OK)
            order->waiting++;
    if (order->waiting == 0)
        end_with(order, SLICE("{\"ok\":true}"));
}

static void on_worker_reply(void *owner, unsigned worker, enum result rc, struct slice reply)
{
    (void)worker;
    if (rc == R_OK)
        end_with(owner, reply);
    else
        refuse(owner, crew_silence(rc));
}

static void ask_worker(struct order *order, unsigned worker, struct slice request)
{
    if (crew_ask(order->orders->options.crew, worker, request, on_worker_reply, order) != R_OK)
        refuse(order, "no such worker serves now");
}

static void do_kill(struct order *order, struct slice request)
{
    struct buf id = {0};
    unsigned worker = 0;

    json_find_text(request, "id", &id);
    if (sscanf(buf_cstr(&id), "%u.", &worker) == 1 && worker > 0)
        ask_worker(order, worker, request);
    else
        refuse(order, "an id looks like 2.17: see `fura ps`");
    buf_free(&id);
}

static void do_call(struct order *order, struct slice request)
{
    ask_worker(order, crew_any_live(order->orders->options.crew), request);
}

/* ---- taking orders ---- */

static const struct {
    const char *name;
    void (*run)(struct order *order, struct slice request);
} commands[] = {
    {"reload", do_reload}, {"promote", do_promote}, {"withdraw", do_withdraw}, {"await", do_await},
    {"status", do_status}, {"ps", do_ps},           {"kill", do_kill},         {"call", do_call},
    {"stop", do_stop},     {"replay", do_replay},   {"profile", do_profile},
};

static void carry_out(struct order *order, struct slice request)
{
    struct buf name = {0};
    size_t i = 0, count = sizeof commands / sizeof *commands;

    json_find_text(request, "command", &name);
    while (i < count && strcmp(buf_cstr(&name), commands[i].name) != 0)
        i++;
    buf_free(&name);
    if (i < count)
        commands[i].run(order, request);
    else
        refuse(order, "unknown command");
}

void orders_take(void *owner, struct slice request, const struct control_reply *reply)
{
    struct orders *orders = owner;
    struct order *order = mem_new(struct order);

    order->orders = orders;
    order->reply = *reply;
    order->next = orders->pending;
    orders->pending = order;
    if (json_valid(request))
        carry_out(order, request);
    else
        refuse(order, "the request is not JSON");
}

struct answer {
    struct orders *orders;
    unsigned worker;
    uint64_t number;
    struct buf lines;
};

static void on_answer_line(void *owner, struct slice json)
{
    struct answer *answer = owner;
    buf_append_slice(&answer->lines, json);
    buf_append_char(&answer->lines, '\n');
}

static void on_answer_end(void *owner)
{
    struct answer *answer = owner;
    crew_answer(answer->orders->options.crew, answer->worker, answer->number,
                buf_slice(&answer->lines));
    buf_free(&answer->lines);
    free(answer);
}

void orders_take_from_worker(struct orders *orders, unsigned worker, uint64_t number,
                             struct slice request)
{
    struct answer *answer = mem_new(struct answer);
    answer->orders = orders;
    answer->worker = worker;
    answer->number = number;
    orders_take(orders, request,
                &(struct control_reply){on_answer_line, on_answer_end, answer, NULL});
}

struct orders *orders_new(const struct orders_options *options)
{
    struct orders *orders = mem_new(struct orders);
    orders->options = *options;
    return orders;
}

void orders_free(struct orders *orders)
{
    while (orders->pending)
        end(orders->pending);
    free(orders);
}
