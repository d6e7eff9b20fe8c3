/* replay.c: see replay.h. */
#include "replay.h"
#include "channel.h"
#include "json.h"
#include "base/bundle.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/mem.h"
#include "bind/dispatch.h"
#include "bind/replay_world.h"
#include "net/loop.h"
#include "script/generation.h"
#include "script/task.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    ANSWER_LIMIT_MS = 10000, /* for one answer */
    WHOLE_LIMIT_MS = 120000, /* the script has a shorter one of its own */
    REPORT_MAX_BYTES = CHANNEL_BODY_MAX - 64,
};

/* A generation of the replay. */
struct side {
    struct replay *replay;
    struct replay_world *world; /* of `sides` */
    struct conf *conf;
    bool is_built; /* its VM is there */
};

struct replay {
    struct replay_options options;
    bool running, stopping;
    struct replay_sides sides;
    struct side before, after;
    int after_fd;
    uint64_t number; /* of the live generation */
    struct buf request;
    struct task *task; /* of the comparing script */
    struct loop_later clear;
    replay_reply *reply; /* NULL once it was made */
    void *reply_owner;
};

struct replay *replay_new(const struct replay_options *options)
{
    struct replay *replay = mem_new(struct replay);
    replay->options = *options;
    replay->after_fd = -1;
    return replay;
}

void replay_free(struct replay *replay)
{
    free(replay);
}

bool replay_is_idle(const struct replay *replay)
{
    return !replay->running;
}

/* ---- replying ---- */

static void say(struct replay *replay, struct slice json)
{
    replay_reply *reply = replay->reply;
    replay->reply = NULL;
    if (reply)
        reply(replay->reply_owner, json);
}

static void refuse_to(replay_reply *reply, void *owner, struct slice error)
{
    struct buf line = {0};
    json_refuse(&line, error, NULL);
    reply(owner, buf_slice(&line));
    buf_free(&line);
}

static void refuse(struct replay *replay, struct slice error)
{
    if (replay->reply)
        refuse_to(replay->reply, replay->reply_owner, error);
    replay->reply = NULL;
}

/* The sources on disk are no generation: a line each, as a reload says it. */
static void say_problems(struct replay *replay, struct slice problems)
{
    struct buf line = {0};
    json_refuse_sources(&line, problems);
    say(replay, buf_slice(&line));
    buf_free(&line);
}

/* ---- ending ---- */

static void clear_side(struct side *side)
{
    replay_world_clear(side->world);
    if (side->conf)
        conf_free(side->conf);
    side->conf = NULL;
}

static void on_clear(void *owner)
{
    struct replay *replay = owner;

    clear_side(&replay->before);
    clear_side(&replay->after);
    buf_free(&replay->request);
    if (replay->after_fd >= 0)
        close(replay->after_fd);
    replay->after_fd = -1;
    replay->running = replay->stopping = false;
    log_info("replay ended", LOG_INT("generation", replay->number));
    replay->options.on_idle(replay->options.owner);
}

static void clear_when_gone(struct replay *replay)
{
    if (!replay->before.is_built && !replay->after.is_built)
        loop_later(replay->options.loop, &replay->clear, on_clear, replay);
}

static void on_closed(void *owner)
{
    struct side *side = owner;
    side->is_built = false;
    clear_when_gone(side->replay);
}

static void retire(struct side *side)
{
    if (side->is_built)
        generation_retire(side->world->generation, clock_monotonic_ms(), on_closed, side);
}

static void finish(struct replay *replay)
{
    refuse(replay, SLICE("the replay was cut short"));
    retire(&replay->before);
    retire(&replay->after);
    clear_when_gone(replay);
}

/* ---- comparing ---- */

static void say_report(struct replay *replay, const struct task_end *end)
{
    lua_State *L = generation_lua(replay->sides.before.generation);
    struct buf line = {0};

    lua_pushvalue(end->co, 1);
    lua_xmove(end->co, L, 1);
    bool is_json = bind_json_encode_top(L, &line);
    if (is_json && line.len > REPORT_MAX_BYTES)
        refuse(replay,
               SLICE("too much differs to tell: take a part with --route, --driver or --last"));
    else if (is_json)
        say(replay, buf_slice(&line));
    else
        refuse(replay, buf_slice(&line));
    lua_pop(L, 1);
    buf_free(&line);
}

static void on_compared(void *owner, struct task *task, const struct task_end *end)
{
    struct replay *replay = owner;
    (void)task;

    replay->task = NULL;
    if (end->rc == R_OK && end->results > 0)
        say_report(replay, end);
    else if (end->rc == R_REJECTED)
        refuse(replay, slice_cstr(end->message));
    else if (end->rc == R_TIMEOUT)
        refuse(replay, SLICE("the replay took too long"));
    finish(replay);
}

static void compare(struct replay *replay)
{
    struct generation *before = replay->sides.before.generation;
    lua_State *L = generation_lua(before);
    int top = lua_gettop(L);
    struct failure why = {0};

    generation_push_member(before, "replay");
    if (!lua_isfunction(L, -1) || !bind_json_decode(L, buf_slice(&replay->request), &why)) {
        lua_settop(L, top);
        refuse(replay,
               why.rc ? slice_cstr(why.text) : SLICE("the running application offers no replay"));
        finish(replay);
        return;
    }
    replay_tools_push(L, &replay->sides);
    struct task_spec spec = {.label = "compare",
                             .deadline_ms = clock_monotonic_ms() + WHOLE_LIMIT_MS,
                             .log_id = SLICE("replay"),
                             .trace = SLICE(""),
                             .on_end = on_compared,
                             .owner = replay};
    struct task *task = task_spawn(before, L, 2, &spec);
    if (task) /* else it has ended */
        replay->task = task;
}

/* ---- building ---- */

static enum result build(struct side *side, int fd, uint64_t number, generation_built *built)
{
    const struct replay_options *options = &side->replay->options;
    struct bundle *bundle;

    if (bundle_map(fd, &bundle) != R_OK)
        return R_INVALID;
    if (conf_unpack(bundle_conf(bundle), &side->conf) != R_OK) {
        bundle_free(bundle);
        return R_INVALID;
    }
    side->world->host = *options->host;
    side->world->host.conf = side->conf;
    side->world->host.role = "replay";
    side->world->host.ask_master = NULL;
    side->world->host.complain = NULL;
    generation_build(
        &(struct generation_recipe){.number = number,
                                    .bundle = bundle,
                                    .loop = options->loop,
                                    .open_host = replay_world_open,
                                    .open_host_owner = side->world,
                                    .memory_limit_bytes =
                                        (size_t)conf_integer(side->conf, "lua_memory_mb") << 20,
                                    .interpreted = true,
                                    .build_timeout_ms = options->build_timeout_ms},
        built, side);
    return R_OK;
}

static bool take_built(struct side *side, struct generation *generation, enum result rc,
                       struct slice problems, struct buf *why)
{
    struct failure reason = {.rc = R_OK};

    side->world->generation = generation;
    side->is_built = generation != NULL;
    if (rc != R_OK)
        buf_append_slice(why, problems);
    else if (dispatch_prepare(NULL, generation, &reason) != R_OK)
        buf_append_slice(why, slice_cstr(reason.text));
    return why->len == 0 && rc == R_OK;
}

static void on_after_built(void *owner, struct generation *generation, enum result rc,
                           struct slice problems)
{
    struct side *side = owner;
    struct replay *replay = side->replay;
    struct buf why = {0};
    bool stands = take_built(side, generation, rc, problems, &why);

    if (stands && !replay->stopping) {
        compare(replay);
    } else {
        if (!replay->stopping)
            say_problems(replay, buf_slice(&why));
        finish(replay);
    }
    buf_free(&why);
}

static void on_before_built(void *owner, struct generation *generation, enum result rc,
                            struct slice problems)
{
    struct side *side = owner;
    struct replay *replay = side->replay;
    struct buf why = {0};
    bool stands = take_built(side, generation, rc, problems, &why);
    int fd = replay->after_fd;

    if (!stands) {
        struct buf error = {0};
        buf_printf(&error, "what runs cannot be built a second time: %s", buf_cstr(&why));
        refuse(replay, buf_slice(&error));
        buf_free(&error);
        finish(replay);
    } else if (replay->stopping) {
        finish(replay);
    } else {
        replay->after_fd = -1;
        if (build(&replay->after, fd, replay->number + 1, on_after_built) != R_OK) {
            refuse(replay, SLICE("the bundle did not arrive whole"));
            finish(replay);
        }
    }
    buf_free(&why);
}

void replay_begin(struct replay *replay, struct generation *live, int sources_fd,
                  struct slice request, replay_reply *reply, void *owner)
{
    if (replay->running || !live) {
        if (sources_fd >= 0)
            close(sources_fd);
        refuse_to(reply, owner,
                  live ? SLICE("another replay runs now")
                       : SLICE("this worker does not serve yet"));
        return;
    }
    replay->running = true;
    replay->number = generation_number(live);
    replay->reply = reply;
    replay->reply_owner = owner;
    replay->after_fd = sources_fd;
    buf_append_slice(&replay->request, request);
    replay->sides =
        (struct replay_sides){.loop = replay->options.loop, .limit_ms = ANSWER_LIMIT_MS};
    replay->before = (struct side){.replay = replay, .world = &replay->sides.before};
    replay->after = (struct side){.replay = replay, .world = &replay->sides.after};
    log_info("replay began", LOG_INT("generation", replay->number));
    int fd = fcntl(bundle_fd(generation_bundle(live)), F_DUPFD_CLOEXEC, 3);
    if (build(&replay->before, fd, replay->number, on_before_built) != R_OK) {
        refuse(replay, SLICE("the running sources cannot be read again"));
        finish(replay);
    }
}

void replay_stop(struct replay *replay)
{
    if (!replay->running || replay->stopping)
        return;
    replay->stopping = true;
    if (replay->task)
        task_cancel(replay->task, R_CANCELLED);
}
