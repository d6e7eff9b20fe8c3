/* redis_subscribe.c: all subscriptions of the process over one more connection, which lives while
 * there are any. After each reconnect every channel is subscribed again, and its listeners learn
 * that they may have missed some. */
#include "base/clock.h"
#include "base/mem.h"
#include "net/redis_inside.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

enum { BUCKETS = 256, HEARTBEAT_MS = 10000 };

struct redis_subscription {
    struct channel *channel; /* NULL after redis_close() */
    void (*on_message)(void *owner, struct slice message);
    void *owner;
    bool missed; /* was without a connection for a while: to be told so */
    bool ended;  /* unsubscribed while messages were being handed out */
    struct redis_subscription *next;
};

struct channel {
    struct redis_subscriber *subscriber;
    struct slice name;
    struct redis_subscription *subscriptions;
    unsigned delivering; /* calls that walk `subscriptions` now */
    struct channel *next;
    char name_bytes[];
};

struct redis_subscriber {
    struct redis *redis;
    struct redis_link link;
    bool running;
    unsigned channel_count;
    struct loop_timer *heartbeat;
    struct channel *buckets[BUCKETS];
};

static struct channel **bucket_of(struct redis_subscriber *subscriber, struct slice name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * 16777619u;
    return &subscriber->buckets[hash % BUCKETS];
}

static struct channel *find_channel(struct redis_subscriber *subscriber, struct slice name)
{
    struct channel *channel = *bucket_of(subscriber, name);
    while (channel && !slice_eq(channel->name, name))
        channel = channel->next;
    return channel;
}

static void each_channel(struct redis_subscriber *subscriber, void (*visit)(struct channel *))
{
    for (unsigned i = 0; i < BUCKETS; i++)
        for (struct channel *channel = subscriber->buckets[i]; channel; channel = channel->next)
            visit(channel);
}

/* ---- channels ---- */

static void post(struct redis_subscriber *subscriber, struct slice verb, struct slice name)
{
    if (subscriber->link.up)
        redis_conn_post(subscriber->link.conn, 2, (struct slice[]){verb, name});
}

static void subscribe_channel(struct channel *channel)
{
    post(channel->subscriber, SLICE("SUBSCRIBE"), channel->name);
}

static struct channel *add_channel(struct redis_subscriber *subscriber, struct slice name)
{
    struct channel *channel = mem_zalloc(sizeof *channel + name.len + 1);
    struct channel **bucket = bucket_of(subscriber, name);
    memcpy(channel->name_bytes, name.data, name.len);
    channel->name = slice_of(channel->name_bytes, name.len);
    channel->subscriber = subscriber;
    channel->next = *bucket;
    *bucket = channel;
    subscriber->channel_count++;
    subscribe_channel(channel);
    return channel;
}

static void stop_link(struct redis_subscriber *subscriber)
{
    if (!subscriber->running)
        return;
    subscriber->running = false;
    loop_timer_stop(subscriber->heartbeat);
    redis_link_stop(&subscriber->link);
}

static void remove_channel(struct channel *channel)
{
    struct redis_subscriber *subscriber = channel->subscriber;
    struct channel **at = bucket_of(subscriber, channel->name);
    while (*at != channel)
        at = &(*at)->next;
    *at = channel->next;
    post(subscriber, SLICE("UNSUBSCRIBE"), channel->name);
    free(channel);
    if (--subscriber->channel_count == 0)
        stop_link(subscriber);
}

/* Free what ended, unless somebody walks the list; the last to leave does it. */
static void sweep(struct channel *channel)
{
    if (channel->delivering > 0)
        return;
    struct redis_subscription **at = &channel->subscriptions;
    while (*at) {
        struct redis_subscription *subscription = *at;
        if (subscription->ended) {
            *at = subscription->next;
            free(subscription);
        } else {
            at = &subscription->next;
        }
    }
    if (!channel->subscriptions)
        remove_channel(channel);
}

/* ---- what comes in ---- */

static void deliver_message(struct channel *channel, struct slice message)
{
    channel->delivering++;
    for (struct redis_subscription *it = channel->subscriptions; it; it = it->next)
        if (!it->ended)
            it->on_message(it->owner, message);
    channel->delivering--;
    sweep(channel);
}

static void deliver_notice(struct channel *channel)
{
    channel->delivering++;
    for (struct redis_subscription *it = channel->subscriptions; it; it = it->next) {
        bool missed = it->missed;
        it->missed = false;
        if (missed && !it->ended)
            it->on_message(it->owner, (struct slice){NULL, 0});
    }
    channel->delivering--;
    sweep(channel);
}

static struct slice text_of(const redisReply *reply)
{
    return slice_of(reply->str ? reply->str : "", reply->len);
}

static void on_reply(void *owner, const struct redisReply *reply)
{
    struct redis_subscriber *subscriber = owner;
    if (reply->type == REDIS_REPLY_ERROR) {
        redis_conn_break(subscriber->link.conn, R_REJECTED, reply->str);
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
        return; /* the answer to a heartbeat */
    struct slice kind = text_of(reply->element[0]);
    struct channel *channel = find_channel(subscriber, text_of(reply->element[1]));
    if (!channel)
        return; /* unsubscribed meanwhile */
    if (slice_eq(kind, SLICE("message")))
        deliver_message(channel, text_of(reply->element[2]));
    else if (slice_eq(kind, SLICE("subscribe")))
        deliver_notice(channel);
}

/* ---- the connection ---- */

static void on_up(void *owner)
{
    struct redis_subscriber *subscriber = owner;
    each_channel(subscriber, subscribe_channel);
    loop_timer_start(subscriber->heartbeat, HEARTBEAT_MS);
}

static void mark_missed(struct channel *channel)
{
    for (struct redis_subscription *it = channel->subscriptions; it; it = it->next)
        it->missed = true;
}

static void on_away(void *owner)
{
    each_channel(owner, mark_missed);
}

/* Nothing else is sent on this connection, so only this finds out that the other side is gone. */
static void on_heartbeat(void *owner)
{
    struct redis_subscriber *subscriber = owner;
    if (!subscriber->link.up)
        return;
    int64_t silent_ms = clock_monotonic_ms() - redis_conn_heard_ms(subscriber->link.conn);
    if (silent_ms > 2 * HEARTBEAT_MS) {
        redis_conn_break(subscriber->link.conn, R_TIMEOUT, "Redis stopped answering");
        return;
    }
    redis_conn_post(subscriber->link.conn, 1, (struct slice[]){SLICE("PING")});
    loop_timer_start(subscriber->heartbeat, HEARTBEAT_MS);
}

static const struct redis_link_events link_events = {
    .up = on_up,
    .away = on_away,
    .reply = on_reply,
};

static void start_link(struct redis_subscriber *subscriber)
{
    struct redis *redis = subscriber->redis;
    subscriber->running = true;
    redis_link_start(&subscriber->link, &(struct redis_link_setup){
                                            .spec = &redis->spec,
                                            .url = &redis->url,
                                            .events = &link_events,
                                            .owner = subscriber,
                                            .purpose = "subscriptions",
                                        });
}

static struct redis_subscriber *subscriber_of(struct redis *redis)
{
    if (!redis->subscriber) {
        struct redis_subscriber *subscriber = mem_new(struct redis_subscriber);
        subscriber->redis = redis;
        subscriber->heartbeat = loop_timer_new(redis->spec.loop, on_heartbeat, subscriber);
        redis->subscriber = subscriber;
    }
    return redis->subscriber;
}

/* ---- public ---- */

struct redis_subscription *redis_subscribe(struct redis *redis, struct slice channel,
                                           void (*on_message)(void *owner, struct slice message),
                                           void *owner)
{
    struct redis_subscriber *subscriber = subscriber_of(redis);
    if (!subscriber->running)
        start_link(subscriber);
    struct channel *found = find_channel(subscriber, channel);
    if (!found)
        found = add_channel(subscriber, channel);
    struct redis_subscription *subscription = mem_new(struct redis_subscription);
    subscription->channel = found;
    subscription->on_message = on_message;
    subscription->owner = owner;
    subscription->missed = subscriber->link.tried && !subscriber->link.up;
    subscription->next = found->subscriptions; /* in front: a walk under way must not meet it */
    found->subscriptions = subscription;
    return subscription;
}

void redis_unsubscribe(struct redis_subscription *subscription)
{
    if (!subscription->channel) {
        free(subscription);
        return;
    }
    subscription->ended = true;
    sweep(subscription->channel);
}

static void orphan(struct channel *channel)
{
    struct redis_subscription *it = channel->subscriptions;
    while (it) {
        struct redis_subscription *next = it->next;
        it->channel = NULL;
        it->next = NULL;
        it = next;
    }
    channel->subscriptions = NULL;
}

void redis_subscriber_close(struct redis *redis)
{
    struct redis_subscriber *subscriber = redis->subscriber;
    if (!subscriber)
        return;
    stop_link(subscriber);
    each_channel(subscriber, orphan);
    for (unsigned i = 0; i < BUCKETS; i++) {
        while (subscriber->buckets[i]) {
            struct channel *channel = subscriber->buckets[i];
            subscriber->buckets[i] = channel->next;
            free(channel);
        }
    }
    loop_timer_free(subscriber->heartbeat);
    free(subscriber);
    redis->subscriber = NULL;
}
