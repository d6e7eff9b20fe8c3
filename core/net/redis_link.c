/* redis_link.c: see redis_link.h. */
#include "net/redis_link.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/redis_sentinel.h"

#include <stdlib.h>

enum {
    PAUSE_FIRST_MS = 50,
    PAUSE_MAX_MS = 2000,
    STEADY_MS = 2000, /* a connection that lived so long earns short pauses again */
    SENTINEL_LOOK_MS = 5000,
};

static void attempt(struct redis_link *link);

static void set_endpoint(struct redis_link *link, const struct redis_endpoint *endpoint)
{
    char *host = mem_strdup(endpoint->host);
    free(link->endpoint.host);
    link->endpoint = (struct redis_endpoint){host, endpoint->port};
}

static void log_state(const struct redis_link *link)
{
    const char *host = link->endpoint.host ? link->endpoint.host : "";
    if (link->quiet)
        return;
    if (link->up)
        log_info("redis connected", LOG_STR("for", link->purpose), LOG_STR("host", host),
                 LOG_INT("port", link->endpoint.port));
    else
        log_warn("redis is away", LOG_STR("for", link->purpose), LOG_STR("host", host),
                 LOG_INT("port", link->endpoint.port), LOG_STR("reason", link->last_why.text));
}

/* Half of the pause is random, so that many workers do not come back in step. */
static void pause_then_retry(struct redis_link *link)
{
    unsigned half = link->pause_ms / 2;
    loop_timer_start(link->timer, half + arc4random_uniform(half + 1));
    link->pause_ms = link->pause_ms * 2 < PAUSE_MAX_MS ? link->pause_ms * 2 : PAUSE_MAX_MS;
}

static void on_down(void *owner, const struct failure *why)
{
    struct redis_link *link = owner;
    bool is_news = link->up || strcmp(why->text, link->last_why.text) != 0;
    if (link->up && clock_monotonic_ms() - link->up_since_ms >= STEADY_MS)
        link->pause_ms = PAUSE_FIRST_MS;
    struct redis_conn *conn = link->conn;
    link->conn = NULL;
    link->up = false;
    link->tried = true;
    link->away = why->rc == R_DENIED ? R_DENIED : R_UNAVAILABLE;
    link->last_why = *why;
    if (link->sentinel)
        redis_sentinel_forget(link->sentinel);
    if (is_news)
        log_state(link);
    pause_then_retry(link);
    redis_conn_free(conn);
    if (link->events->away)
        link->events->away(link->owner);
}

static void on_up(void *owner)
{
    struct redis_link *link = owner;
    link->up = link->tried = true;
    link->up_since_ms = clock_monotonic_ms();
    log_state(link);
    if (link->sentinel)
        loop_timer_start(link->timer, SENTINEL_LOOK_MS);
    if (link->events->up)
        link->events->up(link->owner);
}

static void on_reply(void *owner, const struct redisReply *reply)
{
    struct redis_link *link = owner;
    link->events->reply(link->owner, reply);
}

/* ---- sentinels ---- */

static void on_master_found(void *owner, const struct redis_endpoint *master,
                            const struct failure *why)
{
    struct redis_link *link = owner;
    if (!master) {
        redis_conn_break(link->conn, R_UNAVAILABLE, why->text);
        return;
    }
    set_endpoint(link, master);
    redis_conn_dial(link->conn, &link->endpoint, link->turn++);
}

/* A master that was cut off together with us would otherwise keep us to itself. */
static void on_master_seen(void *owner, const struct redis_endpoint *master,
                           const struct failure *why)
{
    (void)why;
    struct redis_link *link = owner;
    if (master &&
        (master->port != link->endpoint.port || strcmp(master->host, link->endpoint.host) != 0))
        redis_conn_break(link->conn, R_CLOSED, "the sentinels name another master");
    else
        loop_timer_start(link->timer, SENTINEL_LOOK_MS);
}

/* ---- life ---- */

static void on_timer(void *owner)
{
    struct redis_link *link = owner;
    if (link->up)
        redis_sentinel_ask(link->sentinel, on_master_seen, link);
    else
        attempt(link);
}

static void attempt(struct redis_link *link)
{
    link->conn = redis_conn_new(link->spec, &link->conn_events, link);
    if (link->sentinel)
        redis_sentinel_ask(link->sentinel, on_master_found, link);
    else
        redis_conn_dial(link->conn, &link->endpoint, link->turn++);
}

void redis_link_start(struct redis_link *link, const struct redis_link_setup *setup)
{
    *link = (struct redis_link){
        .spec = setup->spec,
        .url = setup->url,
        .events = setup->events,
        .owner = setup->owner,
        .purpose = setup->purpose,
        .quiet = setup->quiet,
        .conn_events = {.up = on_up, .down = on_down},
        .away = R_UNAVAILABLE,
        .pause_ms = PAUSE_FIRST_MS,
    };
    if (setup->events->reply)
        link->conn_events.reply = on_reply;
    link->timer = loop_timer_new(setup->spec->loop, on_timer, link);
    if (setup->url->master_name)
        link->sentinel = redis_sentinel_new(setup->spec, setup->url);
    else
        set_endpoint(link, &setup->url->hosts[0]);
    attempt(link);
}

void redis_link_stop(struct redis_link *link)
{
    struct redis_conn *conn = link->conn;
    link->conn = NULL;
    link->up = false;
    redis_conn_free(conn);
    redis_sentinel_free(link->sentinel);
    loop_timer_free(link->timer);
    free(link->endpoint.host);
    link->sentinel = NULL;
    link->timer = NULL;
    link->endpoint.host = NULL;
}
