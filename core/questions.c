/* questions.c: see questions.h. */
#include "questions.h"
#include "channel.h"
#include "base/mem.h"

#include <stdlib.h>

struct question {
    uint64_t number;
    void (*answered)(void *owner, enum result rc, struct slice lines);
    void *owner;
    struct question *next;
};

enum result questions_ask(struct questions *questions, struct channel *channel,
                          struct slice request,
                          void (*answered)(void *owner, enum result rc, struct slice lines),
                          void *owner)
{
    if (!channel)
        return R_CLOSED;
    if (request.len > CHANNEL_BODY_MAX)
        return R_TOO_BIG;
    struct question *question = mem_new(struct question);
    *question = (struct question){++questions->last, answered, owner, questions->list};
    questions->list = question;
    channel_send(
        channel,
        &(struct channel_frame){.kind = CHANNEL_ASK, .number = question->number, .body = request},
        -1);
    return R_OK;
}

void questions_answer(struct questions *questions, const struct channel_frame *frame)
{
    struct question **link = &questions->list;
    while (*link && (*link)->number != frame->number)
        link = &(*link)->next;
    struct question *question = *link;
    if (!question)
        return;
    *link = question->next;
    question->answered(question->owner, R_OK, frame->body);
    free(question);
}

void questions_fail(struct questions *questions)
{
    while (questions->list) {
        struct question *question = questions->list;
        questions->list = question->next;
        question->answered(question->owner, R_CLOSED, SLICE(""));
        free(question);
    }
}
