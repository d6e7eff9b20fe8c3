/* pgsql_job.c: the callers' statements and the answers they are owed. */
#include "net/pgsql_conn.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { PARAMS_MAX = 65535 }; /* a 16-bit count on the wire */

struct pgsql_answer {
    struct pgsql_answer *next;
    pgsql_done *done;
    pgsql_granted *granted;
    void *owner;
    enum result rc;
    struct pgsql_failure why;
    struct pgsql_lease *lease;
};

static bool has_nul(struct slice s)
{
    return s.len > 0 && memchr(s.data, '\0', s.len) != NULL;
}

static enum result measure(const struct pgsql_statement *statement, size_t *size)
{
    if (statement->count > PARAMS_MAX || has_nul(statement->sql))
        return R_INVALID;
    *size = sizeof(struct pgsql_job) + statement->sql.len + 1;
    *size += statement->count * (sizeof(char *) + sizeof(Oid));
    for (unsigned i = 0; i < statement->count; i++) {
        if (has_nul(statement->params[i].value))
            return R_INVALID;
        *size += statement->params[i].value.len + 1;
    }
    return R_OK;
}

static char *copy_text(char **at, struct slice text)
{
    char *copy = *at;
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *at += text.len + 1;
    return copy;
}

enum result pgsql_job_new(const struct pgsql_statement *statement, pgsql_done *done, void *owner,
                          struct pgsql_job **out)
{
    size_t size;
    enum result rc = measure(statement, &size);
    if (rc != R_OK)
        return rc;

    struct pgsql_job *job = mem_zalloc(size);
    job->done = done;
    job->owner = owner;
    job->deadline_ms = clock_monotonic_ms() + statement->timeout_ms;
    job->count = (int)statement->count;
    job->values = (const char **)(job + 1);
    job->types = (Oid *)(job->values + statement->count);
    char *text = (char *)(job->types + statement->count);
    job->sql = copy_text(&text, statement->sql);
    for (unsigned i = 0; i < statement->count; i++) {
        const struct pgsql_param *param = &statement->params[i];
        job->types[i] = param->type;
        job->values[i] = param->value.data ? copy_text(&text, param->value) : NULL;
    }
    *out = job;
    return R_OK;
}

struct pgsql_job *pgsql_job_lease(unsigned timeout_ms, pgsql_granted *granted, void *owner)
{
    struct pgsql_job *job = mem_new(struct pgsql_job);
    job->granted = granted;
    job->owner = owner;
    job->deadline_ms = clock_monotonic_ms() + timeout_ms;
    return job;
}

void pgsql_job_free(struct pgsql_job *job)
{
    PQclear(job->result);
    free(job);
}

void pgsql_jobs_append(struct pgsql_jobs *jobs, struct pgsql_job *job)
{
    job->next = NULL;
    if (jobs->last)
        jobs->last->next = job;
    else
        jobs->first = job;
    jobs->last = job;
    jobs->count++;
}

void pgsql_jobs_prepend_all(struct pgsql_jobs *jobs, struct pgsql_jobs *moved)
{
    if (!moved->first)
        return;
    moved->last->next = jobs->first;
    jobs->first = moved->first;
    if (!jobs->last)
        jobs->last = moved->last;
    jobs->count += moved->count;
    *moved = (struct pgsql_jobs){0};
}

struct pgsql_job *pgsql_jobs_take(struct pgsql_jobs *jobs)
{
    struct pgsql_job *job = jobs->first;
    if (!job)
        return NULL;
    jobs->first = job->next;
    if (!jobs->first)
        jobs->last = NULL;
    jobs->count--;
    job->next = NULL;
    return job;
}

static void give(struct pgsql_answer *answer)
{
    const struct failure *why = answer->rc == R_OK ? NULL : &answer->why.base;
    if (answer->granted)
        answer->granted(answer->owner, answer->rc, answer->lease, why);
    else
        answer->done(answer->owner, answer->rc, NULL, why);
    free(answer);
}

static struct pgsql_answer *take_answer(struct pgsql_answers *answers)
{
    struct pgsql_answer *answer = answers->first;
    if (answer) {
        answers->first = answer->next;
        if (!answers->first)
            answers->last = NULL;
    }
    return answer;
}

void pgsql_answers_flush(struct pgsql_answers *answers)
{
    struct pgsql_answer *answer;
    loop_later_cancel(&answers->later);
    while ((answer = take_answer(answers)))
        give(answer);
}

static void on_answers_due(void *owner)
{
    pgsql_answers_flush(owner);
}

static struct pgsql_answer *queue_answer(struct pgsql_answers *answers, struct pgsql_job *job)
{
    struct pgsql_answer *answer = mem_new(struct pgsql_answer);
    answer->done = job->done;
    answer->granted = job->granted;
    answer->owner = job->owner;
    job->done = NULL;
    job->granted = NULL;
    if (answers->last)
        answers->last->next = answer;
    else
        answers->first = answer;
    answers->last = answer;
    loop_later(answers->loop, &answers->later, on_answers_due, answers);
    return answer;
}

void pgsql_answer_later(struct pgsql_answers *answers, struct pgsql_job *job, enum result rc,
                        const struct pgsql_failure *why)
{
    if (!job->done && !job->granted)
        return;
    struct pgsql_answer *answer = queue_answer(answers, job);
    answer->rc = rc;
    answer->why = *why;
    answer->why.base.rc = rc;
}

void pgsql_grant_later(struct pgsql_answers *answers, struct pgsql_job *job,
                       struct pgsql_lease *lease)
{
    queue_answer(answers, job)->lease = lease;
}

bool pgsql_result_is_fatal(const PGresult *result)
{
    const char *severity =
        result ? PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED) : NULL;
    return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static void copy_field(char *to, size_t size, const PGresult *result, int field)
{
    const char *text = PQresultErrorField(result, field);
    snprintf(to, size, "%s", text ? text : "");
}

enum result pgsql_failure_of(const PGresult *result, struct pgsql_failure *why)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    enum result rc = pgsql_result_is_fatal(result) || !state ? R_CLOSED : R_REJECTED;
    *why = (struct pgsql_failure){.base = {.rc = rc}};
    if (rc == R_REJECTED)
        snprintf(why->base.code, sizeof why->base.code, "sqlstate_%s", state);
    copy_field(why->base.text, sizeof why->base.text, result, PG_DIAG_MESSAGE_PRIMARY);
    copy_field(why->constraint, sizeof why->constraint, result, PG_DIAG_CONSTRAINT_NAME);
    return rc;
}
