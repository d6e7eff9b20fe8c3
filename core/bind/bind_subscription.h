/* bind_subscription.h: a Lua function called with every message of a channel, whichever driver brings
 * them: host.redis.subscribe and host.pg.listen. */
#pragma once

#include "base/slice.h"

#include <lua.h>

struct bind_subscription_kind {
    const char *class_name; /* of the metatable: one per kind */
    const char *label;      /* of the task each message runs in */
    void (*stop)(void *source);
};

/* The class, with its method close(). Once a VM, before the first subscription. */
void bind_subscription_class(lua_State *L, const struct bind_subscription_kind *kind);

/* Push a userdata that calls the function at index 2 for every message, and keeps itself alive until it is closed or
 * its generation retires. While that is in standby, messages are left to the live one unless the option table at index 3
 * says `standby`. Raises outside of a task. Then give it its source. */
struct bind_subscription *bind_subscription_push(lua_State *L,
                                                 const struct bind_subscription_kind *kind);
/* What the driver gave for it; `kind->stop` gets it at the end. */
void bind_subscription_from(struct bind_subscription *subscription, void *source);
/* The driver's callback, with the subscription as owner. A message without data becomes nil: some may have been missed. */
void bind_subscription_message(void *owner, struct slice message);
