/* redis_greeting.c: see redis_greeting.h. */
#include "net/redis_greeting.h"
#include "net/redis_conn.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

struct redis_greeting_step {
    enum result (*check)(const redisReply *reply, struct failure *why);
};

static bool is_error(const redisReply *reply, const char *code)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, code, strlen(code)) == 0;
}

/* Refusals that may come as the answer to anything. */
static enum result check_common(const redisReply *reply, struct failure *why)
{
    if (reply->type != REDIS_REPLY_ERROR)
        return R_OK;
    bool denied =
        is_error(reply, "NOAUTH") || is_error(reply, "WRONGPASS") || is_error(reply, "DENIED");
    return fail(why, denied ? R_DENIED : R_UNAVAILABLE, "Redis answered: %.300s", reply->str);
}

static enum result check_auth(const redisReply *reply, struct failure *why)
{
    if (reply->type != REDIS_REPLY_ERROR)
        return R_OK;
    return fail(why, R_DENIED, "Redis refused the password: %.300s", reply->str);
}

static enum result check_role(const redisReply *reply, struct failure *why)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
        return check_common(reply, why);
    const redisReply *role = reply->element[0];
    if (role->type == REDIS_REPLY_STRING && strcmp(role->str, "master") == 0)
        return R_OK;
    return fail(why, R_UNAVAILABLE, "this Redis is not the master (yet)");
}

/* Proves that the data is loaded. A user whose rights do not cover PING has reached a ready server
 * all the same. */
static enum result check_ping(const redisReply *reply, struct failure *why)
{
    return is_error(reply, "NOPERM") ? R_OK : check_common(reply, why);
}

static const struct redis_greeting_step step_auth = {check_auth}, step_select = {check_common},
                                        step_role = {check_role}, step_ping = {check_ping};

static void add(struct redis_greeting *greeting, const struct redis_greeting_step *step,
                size_t argc, const struct slice *argv)
{
    redis_pipe_format(&greeting->out, argc, argv);
    greeting->steps[greeting->count++] = step;
}

static void add_auth(struct redis_greeting *greeting, const struct redis_conn_spec *spec)
{
    struct slice argv[3] = {SLICE("AUTH")};
    size_t argc = 1;
    if (spec->user)
        argv[argc++] = slice_cstr(spec->user);
    argv[argc++] = slice_cstr(spec->password);
    add(greeting, &step_auth, argc, argv);
}

void redis_greeting_begin(struct redis_greeting *greeting, const struct redis_conn_spec *spec)
{
    *greeting = (struct redis_greeting){0};
    if (spec->password)
        add_auth(greeting, spec);
    if (spec->db > 0) {
        char number[16];
        snprintf(number, sizeof number, "%u", spec->db);
        add(greeting, &step_select, 2, (struct slice[]){SLICE("SELECT"), slice_cstr(number)});
    }
    if (spec->must_be_master)
        add(greeting, &step_role, 1, (struct slice[]){SLICE("ROLE")});
    add(greeting, &step_ping, 1, (struct slice[]){SLICE("PING")});
}

enum result redis_greeting_take(struct redis_greeting *greeting, const struct redisReply *reply,
                                struct failure *why)
{
    return greeting->steps[greeting->answered++]->check(reply, why);
}

bool redis_greeting_is_over(const struct redis_greeting *greeting)
{
    return greeting->answered == greeting->count;
}

void redis_greeting_clear(struct redis_greeting *greeting)
{
    buf_free(&greeting->out);
    *greeting = (struct redis_greeting){0};
}

const char *redis_greeting_verdict(const struct redisReply *reply, bool must_be_master)
{
    if (reply->type != REDIS_REPLY_ERROR)
        return NULL;
    if (is_error(reply, "LOADING "))
        return "Redis is loading its data";
    if (is_error(reply, "NOAUTH "))
        return "Redis asks for a password now";
    if (must_be_master && is_error(reply, "READONLY "))
        return "this Redis is not the master any more";
    return NULL;
}
