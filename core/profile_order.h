/* profile_order.h: `fura profile` in the master: have all workers sample, and pass on what they saw. */
#pragma once

#include "control.h"

struct crew;

/* Carry it out; `reply` gets a line a worker, {worker, profile}, then the last one and its end, perhaps inside the call. A
 * second one while the first is being taken is refused with the code profile_running. Ends early when the asker is gone. */
void profile_order_take(struct crew *crew, struct slice request, const struct control_reply *reply);
