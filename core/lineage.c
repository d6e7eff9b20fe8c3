/* lineage.c: see lineage.h. */
#include "lineage.h"
#include "base/bundle.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/mem.h"
#include "bind/bind.h"
#include "net/loop.h"
#include "script/generation.h"

#include <stdlib.h>
#include <unistd.h>

enum { LIVE_MAX = 3 };

enum stage { WAITING, BUILDING, READY, CANARY, LIVE, DRAINING };

struct member {
    struct lineage *lineage;
    uint64_t number;
    enum stage stage;
    bool aborted;
    int fd; /* of the bundle, while WAITING */
    struct conf *conf;
    struct host host;
    struct generation *generation;
    struct member *next;
};

struct lineage {
    struct lineage_options options;
    struct member *members; /* newest first */
    struct loop_later later;
    bool ending;
};

struct lineage *lineage_new(const struct lineage_options *options)
{
    struct lineage *lineage = mem_new(struct lineage);
    lineage->options = *options;
    return lineage;
}

/* Built, and to be committed or aborted yet. */
static struct member *find_candidate(const struct lineage *lineage, uint64_t number)
{
    struct member *member = lineage->members;
    while (member &&
           (member->number != number || (member->stage != READY && member->stage != CANARY)))
        member = member->next;
    return member;
}

static struct member *find(const struct lineage *lineage, enum stage stage)
{
    struct member *member = lineage->members;
    while (member && member->stage != stage)
        member = member->next;
    return member;
}

struct generation *lineage_live(const struct lineage *lineage)
{
    struct member *live = find(lineage, LIVE);
    return live ? live->generation : NULL;
}

unsigned lineage_count(const struct lineage *lineage)
{
    unsigned count = 0;
    for (struct member *member = lineage->members; member; member = member->next)
        count += member->stage != WAITING;
    return count;
}

static void start_waiting(struct lineage *lineage);

static void open_host(lua_State *L, void *host)
{
    bind_open_host(L, host);
}

static void on_last_gone(void *owner)
{
    struct lineage *lineage = owner;
    struct lineage_options options = lineage->options;

    free(lineage);
    options.on_ended(options.owner);
}

static void forget(struct member *member)
{
    struct lineage *lineage = member->lineage;
    struct member **link = &lineage->members;

    while (*link != member)
        link = &(*link)->next;
    *link = member->next;
    if (member->fd >= 0)
        close(member->fd);
    if (member->conf)
        conf_free(member->conf);
    free(member);

    if (!lineage->ending)
        start_waiting(lineage);
    else if (!lineage->members)
        loop_later(lineage->options.loop, &lineage->later, on_last_gone, lineage);
}

static void on_generation_closed(void *owner)
{
    forget(owner);
}

static void retire(struct member *member, int64_t deadline_ms)
{
    member->stage = DRAINING;
    generation_retire(member->generation, deadline_ms, on_generation_closed, member);
}

/* ---- building ---- */

static void tell(struct member *member, bool ok, struct slice problems)
{
    const struct lineage_options *options = &member->lineage->options;
    if (!member->aborted && !member->lineage->ending)
        options->on_prepared(options->owner, member->number, ok, problems);
}

static void on_built(void *owner, struct generation *generation, enum result rc,
                     struct slice problems)
{
    struct member *member = owner;
    const struct lineage_options *options = &member->lineage->options;
    struct failure why = {.rc = R_OK};

    member->generation = generation;
    if (rc != R_OK) {
        tell(member, false, problems);
        forget(member);
        return;
    }
    if (options->inspect(options->owner, generation, &why) != R_OK)
        tell(member, false, slice_cstr(why.text));
    else if (!member->aborted && !member->lineage->ending)
        member->stage = READY;

    if (member->stage == READY)
        tell(member, true, SLICE(""));
    else
        retire(member, clock_monotonic_ms());
}

static void refuse(struct member *member, struct slice problem)
{
    tell(member, false, problem);
    forget(member);
}

static size_t memory_limit(const struct conf *conf)
{
    return (size_t)conf_integer(conf, "lua_memory_mb") << 20;
}

static void build(struct member *member)
{
    const struct lineage_options *options = &member->lineage->options;
    struct bundle *bundle;
    int fd = member->fd;

    member->fd = -1;
    if (bundle_map(fd, &bundle) != R_OK) {
        refuse(member, SLICE("the bundle did not arrive whole"));
        return;
    }
    if (conf_unpack(bundle_conf(bundle), &member->conf) != R_OK) {
        bundle_free(bundle);
        refuse(member, SLICE("the bundle's configuration cannot be read"));
        return;
    }
    member->stage = BUILDING;
    member->host = *options->host;
    member->host.conf = member->conf;
    generation_build(&(struct generation_recipe){.number = member->number,
                                                 .bundle = bundle,
                                                 .loop = options->loop,
                                                 .open_host = open_host,
                                                 .open_host_owner = &member->host,
                                                 .memory_limit_bytes = memory_limit(member->conf),
                                                 .standby = true,
                                                 .build_timeout_ms = options->build_timeout_ms},
                     on_built, member);
}

static void start_waiting(struct lineage *lineage)
{
    struct member *waiting = find(lineage, WAITING);
    if (!waiting || find(lineage, BUILDING))
        return;
    if (lineage_count(lineage) < LIVE_MAX)
        build(waiting);
    else
        log_info("a new generation waits for an old one to end",
                 LOG_INT("generation", waiting->number));
}

void lineage_prepare(struct lineage *lineage, uint64_t number, int bundle_fd)
{
    if (lineage->ending) {
        if (bundle_fd >= 0)
            close(bundle_fd);
        return;
    }
    struct member *member = mem_new(struct member);
    member->lineage = lineage;
    member->number = number;
    member->fd = bundle_fd;
    member->next = lineage->members;
    lineage->members = member;
    start_waiting(lineage);
}

/* ---- commit or not ---- */

static int64_t drain_deadline(const struct member *live)
{
    return clock_monotonic_ms() + conf_integer(live->conf, "drain_deadline_s") * 1000;
}

void lineage_try(struct lineage *lineage, uint64_t number, struct slice share)
{
    struct member *next = find_candidate(lineage, number);

    if (!next || next->stage != READY || !find(lineage, LIVE))
        return; /* crossed an abort */
    next->stage = CANARY;
    lineage->options.on_canary(lineage->options.owner, next->generation, share);
}

static void end_canary(struct member *canary, struct generation *winner)
{
    const struct lineage_options *options = &canary->lineage->options;
    if (canary->stage == CANARY)
        options->on_canary_over(options->owner, winner);
}

void lineage_commit(struct lineage *lineage, uint64_t number)
{
    struct member *next = find_candidate(lineage, number), *live = find(lineage, LIVE);

    if (!next)
        return; /* crossed an abort */
    end_canary(next, next->generation);
    next->stage = LIVE;
    generation_enliven(next->generation);
    lineage->options.on_live(lineage->options.owner, next->generation);
    if (live)
        retire(live, drain_deadline(next));
}

static void abandon(struct member *member)
{
    switch (member->stage) {
    case WAITING:
        forget(member);
        break;
    case BUILDING:
        member->aborted = true;
        break;
    case READY:
        retire(member, clock_monotonic_ms());
        break;
    case CANARY:
        end_canary(member, lineage_live(member->lineage));
        retire(member, drain_deadline(find(member->lineage, LIVE)));
        break;
    default:
        break;
    }
}

void lineage_abort(struct lineage *lineage, uint64_t number)
{
    struct member *member = lineage->members;
    while (member && member->number != number)
        member = member->next;
    if (member)
        abandon(member);
}

void lineage_end(struct lineage *lineage, int64_t deadline_ms)
{
    struct member *member = lineage->members, *next;

    lineage->ending = true;
    for (; member; member = next) {
        next = member->next;
        if (member->stage == LIVE || member->stage == CANARY)
            retire(member, deadline_ms);
        else
            abandon(member);
    }
    if (!lineage->members)
        loop_later(lineage->options.loop, &lineage->later, on_last_gone, lineage);
}
