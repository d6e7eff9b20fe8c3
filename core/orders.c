/* orders.c: see orders.h. */
#include "orders.h"
#include "crew.h"
#include "json.h"
#include "base/json_text.h"
#include "reload.h"
#include "replay_order.h"
#include "sockets.h"
#include "base/clock.h"
#include "base/mem.h"
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
    buf_append_slice(&line, SLICE("{\"ok\":false"));
    json_put_member(&line, "error", slice_cstr(error));
    buf_append_char(&line, '}');
    end_with(order, buf_slice(&line));
    buf_free(&line);
}

/* ---- reload ---- */

static void put_problems(struct buf *line, struct slice problems)
{
    json_put_name(line, "problems");
    buf_append_char(line, '[');
    while (problems.len > 0) {
        const char *newline = memchr(problems.data, '\n', problems.len);
        size_t len = newline ? (size_t)(newline - problems.data) : problems.len;
        json_put_comma(line);
        json_text_append(line, slice_of(problems.data, len));
        problems = slice_from(problems, len + 1);
    }
    buf_append_char(line, ']');
}

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

static void on_reloaded(void *owner, const struct reload_outcome *outcome)
{
    struct order *order = owner;
    struct buf line = {0};

    for (unsigned i = 0; i < outcome->workers; i++)
        if (outcome->verdicts[i].given)
            say_verdict(order, outcome, i);
    buf_append_char(&line, '{');
    json_put_bool(&line, "ok", outcome->ok);
    json_put_integer(&line, "generation", (int64_t)outcome->generation);
    json_put_member(&line, "hash", slice_cstr(outcome->hash));
    put_problems(&line, outcome->problems);
    buf_append_char(&line, '}');
    end_with(order, buf_slice(&line));
    buf_free(&line);
}

static void do_reload(struct order *order, struct slice request)
{
    (void)request;
    if (atomic_load(&order->orders->options.state->draining)) {
        refuse(order, "the server is stopping");
        return;
    }
    reload_request(order->orders->options.reload, "command", on_reloaded, order);
}

/* ---- replay ---- */

static void on_replay_line(void *owner, struct slice json)
{
    say(owner, json);
}

static void on_replay_end(void *owner)
{
    end(owner);
}

static void do_replay(struct order *order, struct slice request)
{
    const struct orders_options *options = &order->orders->options;
    replay_order_take(options->crew, options->reload, request,
                      &(struct control_reply){on_replay_line, on_replay_end, order});
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
        refuse(owner, rc == R_TIMEOUT ? "the worker did not answer in time"
                                      : "the worker ended before it answered");
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
    {"reload", do_reload}, {"status", do_status}, {"ps", do_ps},         {"kill", do_kill},
    {"call", do_call},     {"stop", do_stop},     {"replay", do_replay},
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
    orders_take(orders, request, &(struct control_reply){on_answer_line, on_answer_end, answer});
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
