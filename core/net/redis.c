/* redis.c: the public door (net/redis.h) and the shared connection. The way down: redis_link
 * (reconnects) -> redis_conn (one connection) -> redis_pipe (who waits for what), redis_reader,
 * redis_greeting, redis_socket. */
#include "net/redis.h"
#include "base/mem.h"
#include "net/redis_inside.h"
#include "net/resolve.h"
#include "net/tls_client.h"

#include <stdlib.h>

static void tell(struct redis_watcher *watcher)
{
    bool up = watcher->redis->link.up;
    if (up == watcher->told)
        return;
    watcher->told = up;
    watcher->changed(watcher->owner, up);
}

static void on_link_changed(void *owner)
{
    struct redis *redis = owner;
    for (struct redis_watcher *watcher = redis->watchers; watcher; watcher = watcher->next)
        tell(watcher);
}

static const struct redis_link_events link_events = {
    .up = on_link_changed,
    .away = on_link_changed,
};

enum result redis_open(struct loop *loop, const struct redis_options *options, struct redis **out,
                       struct failure *why)
{
    struct redis *redis = mem_new(struct redis);
    enum result rc = redis_url_parse(options->url, &redis->url, why);
    if (rc == R_OK && redis->url.tls)
        rc = tls_client_new(options->tls_ca_file, &redis->spec.tls, why);
    if (rc != R_OK) {
        redis_url_clear(&redis->url);
        free(redis);
        return rc;
    }
    redis->spec.loop = loop;
    redis->spec.resolve = resolve_open(loop);
    redis->spec.user = redis->url.user;
    redis->spec.password = redis->url.password;
    redis->spec.db = redis->url.db;
    redis->spec.must_be_master = redis->url.master_name != NULL;
    redis->spec.connect_timeout_ms = options->connect_timeout_ms;
    redis->spec.max_in_flight = options->max_in_flight;
    redis_link_start(&redis->link, &(struct redis_link_setup){
                                       .spec = &redis->spec,
                                       .url = &redis->url,
                                       .events = &link_events,
                                       .owner = redis,
                                       .purpose = "commands",
                                       .quiet = options->quiet,
                                   });
    *out = redis;
    return R_OK;
}

void redis_close(struct redis *redis)
{
    if (!redis)
        return;
    redis_link_stop(&redis->link);
    redis_session_close_all(redis);
    redis_subscriber_close(redis);
    while (redis->watchers) {
        struct redis_watcher *watcher = redis->watchers;
        redis->watchers = watcher->next;
        loop_later_cancel(&watcher->later);
        free(watcher);
    }
    resolve_close(redis->spec.resolve);
    tls_client_free(redis->spec.tls);
    redis_url_clear(&redis->url);
    free(redis);
}

enum result redis_send(struct redis *redis, size_t argc, const struct slice *argv,
                       unsigned timeout_ms, redis_done *done, void *owner)
{
    struct redis_link *link = &redis->link;
    if (!link->conn || (link->tried && !link->up))
        return link->away;
    return redis_conn_send(link->conn, argc, argv, timeout_ms, done, owner);
}

bool redis_is_up(const struct redis *redis)
{
    return redis->link.up;
}

static void on_registered(void *owner)
{
    tell(owner);
}

void redis_on_state(struct redis *redis, void (*changed)(void *owner, bool up), void *owner)
{
    struct redis_watcher *watcher = mem_new(struct redis_watcher);
    watcher->changed = changed;
    watcher->owner = owner;
    watcher->redis = redis;
    watcher->next = redis->watchers;
    redis->watchers = watcher;
    loop_later(redis->spec.loop, &watcher->later, on_registered, watcher);
}
