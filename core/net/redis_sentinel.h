/* redis_sentinel.h: asks the sentinels, one after the other, where the master is. */
#pragma once

#include "net/redis_conn.h"

struct redis_sentinel;

/* Borrows both for its life. */
struct redis_sentinel *redis_sentinel_new(const struct redis_conn_spec *spec,
                                          const struct redis_url *url);
void redis_sentinel_free(struct redis_sentinel *sentinel); /* NULL is fine */

/* `master` NULL: none of them knew, and `why` tells the last reason. Borrows both; may ask again or
 * free. */
typedef void redis_sentinel_done(void *owner, const struct redis_endpoint *master,
                                 const struct failure *why);
/* One question at a time: a new one replaces the open one, whose `done` will not run. */
void redis_sentinel_ask(struct redis_sentinel *sentinel, redis_sentinel_done *done, void *owner);
void redis_sentinel_forget(struct redis_sentinel *sentinel);
