/* answers.c: see answers.h. */
#include "answers.h"
#include "json.h"
#include "profile_answer.h"
#include "base/clock.h"
#include "base/mem.h"
#include "bind/bind.h"
#include "script/generation.h"
#include "script/task.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

enum { CALL_LIMIT_MS = 300000 }; /* a job asked for by hand may take minutes */

struct answer {
    unsigned worker;
    void (*reply)(void *owner, struct slice json);
    void *owner;
};

static void refuse(const struct answer *answer, const char *error)
{
    struct buf line = {0};
    json_refuse(&line, slice_cstr(error), NULL);
    answer->reply(answer->owner, buf_slice(&line));
    buf_free(&line);
}

/* ---- ps, kill ---- */

struct listing {
    unsigned worker;
    struct buf line;
};

static void list_task(void *owner, const struct task_info *info)
{
    struct listing *listing = owner;
    struct buf *line = &listing->line;
    char id[40];

    snprintf(id, sizeof id, "%u.%llu", listing->worker, (unsigned long long)info->id);
    json_put_comma(line);
    buf_append_char(line, '{');
    json_put_member(line, "id", slice_cstr(id));
    json_put_member(line, "label", slice_cstr(info->label ? info->label : ""));
    json_put_integer(line, "age_ms", info->age_ms);
    json_put_member(line, "waits_for", slice_cstr(info->waits_for ? info->waits_for : ""));
    json_put_bool(line, "sliced", info->sliced);
    json_put_integer(line, "generation", (int64_t)generation_number(info->generation));
    buf_append_char(line, '}');
}

static void give_tasks(const struct answer *answer, struct slice request, struct generation *live)
{
    struct listing listing = {.worker = answer->worker};
    (void)request, (void)live;

    buf_append_slice(&listing.line, SLICE("{\"ok\":true,\"tasks\":["));
    task_each(list_task, &listing);
    buf_append_slice(&listing.line, SLICE("]}"));
    answer->reply(answer->owner, buf_slice(&listing.line));
    buf_free(&listing.line);
}

static void kill_task(const struct answer *answer, struct slice request, struct generation *live)
{
    struct buf id = {0};
    unsigned long long number = 0;
    (void)live;

    json_find_text(request, "id", &id);
    bool is_id = sscanf(buf_cstr(&id), "%*u.%llu", &number) == 1;
    struct task *task = is_id ? task_find(number) : NULL;
    buf_free(&id);
    if (!task) {
        refuse(answer, "no such task runs now");
        return;
    }
    task_cancel(task, R_CANCELLED);
    answer->reply(answer->owner, SLICE("{\"ok\":true}"));
}

/* ---- call: the function `calls.NAME` of the application with one value, JSON in and out ---- */

/* What the function gave back: a value, or nil and a failure. */
static void reply_results(const struct answer *answer, struct generation *generation,
                          const struct task_end *end)
{
    lua_State *L = generation_lua(generation), *co = end->co;
    int top = lua_gettop(L), first = lua_gettop(co) - end->results + 1;
    bool failed = end->results >= 2 && lua_isnil(co, first);
    struct buf value = {0}, line = {0};

    if (end->results == 0)
        lua_pushnil(co);
    else
        lua_pushvalue(co, failed ? first + 1 : first);
    lua_xmove(co, L, 1);
    if (bind_json_encode_top(L, &value)) {
        buf_append_slice(&line, failed ? SLICE("{\"ok\":false") : SLICE("{\"ok\":true"));
        json_put_name(&line, failed ? "failure" : "value");
        buf_append_slice(&line, buf_slice(&value));
        buf_append_char(&line, '}');
        answer->reply(answer->owner, buf_slice(&line));
    } else {
        refuse(answer, buf_cstr(&value));
    }
    lua_settop(L, top);
    buf_free(&value);
    buf_free(&line);
}

static void on_call_ended(void *owner, struct task *task, const struct task_end *end)
{
    struct answer *answer = owner;

    if (end->rc == R_OK)
        reply_results(answer, task_generation(task), end);
    else
        refuse(answer, end->rc == R_REJECTED ? end->message : result_code(end->rc));
    free(answer);
}

/* Push calls[name]; false when the application has none. */
static bool push_function(struct generation *live, const char *name)
{
    lua_State *L = generation_lua(live);
    generation_push_member(live, "calls");
    if (!lua_istable(L, -1))
        return false;
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    return lua_isfunction(L, -1);
}

static void call_function(const struct answer *answer, struct slice request,
                          struct generation *live)
{
    lua_State *L = generation_lua(live);
    int top = lua_gettop(L);
    struct slice input = SLICE("null");
    struct failure why = {0};
    struct buf name = {0};

    json_find_text(request, "name", &name);
    json_find(request, "input", &input);
    if (!push_function(live, buf_cstr(&name))) {
        refuse(answer, "the application offers no such call");
    } else if (!bind_json_decode(L, input, &why)) {
        refuse(answer, why.text);
    } else {
        struct answer *copy = mem_new(struct answer);
        *copy = *answer;
        task_spawn(live, L, 1,
                   &(struct task_spec){.label = buf_cstr(&name),
                                       .deadline_ms = clock_monotonic_ms() + CALL_LIMIT_MS,
                                       .on_end = on_call_ended,
                                       .owner = copy});
    }
    lua_settop(L, top);
    buf_free(&name);
}

/* ---- profile ---- */

static void give_profile(const struct answer *answer, struct slice request, struct generation *live)
{
    profile_answer(live, request, answer->reply, answer->owner);
}

static void cut_profile(const struct answer *answer, struct slice request, struct generation *live)
{
    (void)request, (void)live;
    profile_answer_cut();
    answer->reply(answer->owner, SLICE("{\"ok\":true}"));
}

/* ---- the table ---- */

static const struct {
    const char *name;
    void (*give)(const struct answer *answer, struct slice request, struct generation *live);
    bool needs_generation;
} requests[] = {
    {"ps", give_tasks, false},           {"kill", kill_task, false},
    {"call", call_function, true},       {"profile", give_profile, true},
    {"profile_cut", cut_profile, false},
};

void answers_give(struct slice request, unsigned worker, struct generation *live,
                  void (*reply)(void *owner, struct slice json), void *owner)
{
    struct answer answer = {worker, reply, owner};
    size_t i = 0, count = sizeof requests / sizeof *requests;
    struct buf name = {0};

    json_find_text(request, "command", &name);
    while (i < count && strcmp(buf_cstr(&name), requests[i].name) != 0)
        i++;
    buf_free(&name);
    if (i == count)
        refuse(&answer, "unknown command");
    else if (requests[i].needs_generation && !live)
        refuse(&answer, "this worker does not serve yet");
    else
        requests[i].give(&answer, request, live);
}
