/* crew_ask.c: questions to workers and the answers to theirs. */
#include "crew_inside.h"
#include "channel.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

enum {
    ASK_LIMIT_MS = 310000
}; /* longer than any call or profile may take (answers.c, script/profile.h) */

struct question {
    uint64_t number;
    struct worker *worker;
    int64_t deadline_ms;
    crew_answered *answered;
    void *owner;
    struct question *next;
};

static struct worker *worker_at(const struct crew *crew, unsigned number)
{
    return number >= 1 && number <= crew->options.workers ? &crew->workers[number - 1] : NULL;
}

static void answer_question(struct question **link, enum result rc, struct slice reply)
{
    struct question *question = *link;
    *link = question->next;
    question->answered(question->owner, question->worker->number, rc, reply);
    free(question);
}

/* The callback may ask again, so the walk starts anew after each. */
void crew_fail_questions(struct crew *crew, const struct worker *worker, int64_t now_ms)
{
    struct question **link = &crew->questions;
    while (*link) {
        if ((*link)->worker == worker || (*link)->deadline_ms <= now_ms) {
            answer_question(link, worker ? R_CLOSED : R_TIMEOUT, SLICE(""));
            link = &crew->questions;
        } else {
            link = &(*link)->next;
        }
    }
}

const char *crew_silence(enum result rc)
{
    return rc == R_TIMEOUT ? "the worker did not answer in time"
                           : "the worker ended before it answered";
}

void crew_take_reply(struct crew *crew, const struct channel_frame *frame)
{
    struct question **link = &crew->questions;
    while (*link && (*link)->number != frame->number)
        link = &(*link)->next;
    if (*link)
        answer_question(link, R_OK, frame->body);
}

enum result crew_ask_with(struct crew *crew, unsigned number, const struct crew_order *order,
                          crew_answered *answered, void *owner)
{
    struct worker *worker = worker_at(crew, number);
    if (!worker || !worker->channel || !worker->live)
        return R_UNAVAILABLE;

    struct question *question = mem_new(struct question);
    question->number = ++crew->last_question;
    question->worker = worker;
    question->deadline_ms = clock_monotonic_ms() + ASK_LIMIT_MS;
    question->answered = answered;
    question->owner = owner;
    question->next = crew->questions;
    crew->questions = question;
    channel_send(worker->channel,
                 &(struct channel_frame){.kind = (enum channel_kind)order->kind,
                                         .number = question->number,
                                         .body = order->body},
                 order->fd);
    return R_OK;
}

enum result crew_ask(struct crew *crew, unsigned number, struct slice request,
                     crew_answered *answered, void *owner)
{
    struct crew_order order = {.kind = CHANNEL_REQUEST, .fd = -1, .body = request};
    return crew_ask_with(crew, number, &order, answered, owner);
}

void crew_answer(struct crew *crew, unsigned number, uint64_t question, struct slice lines)
{
    struct worker *worker = worker_at(crew, number);
    if (worker && worker->channel)
        channel_send(worker->channel,
                     &(struct channel_frame){
                         .kind = CHANNEL_ANSWER, .number = question, .body = channel_answer(lines)},
                     -1);
}
