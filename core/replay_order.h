/* replay_order.h: `fura replay` in the master: read the sources on disk, collect what the workers recorded, and have one
 * of them compare (replay.h). */
#pragma once

#include "control.h"

struct crew;
struct reload;

/* Carry it out; `reply` gets one line and its end, perhaps inside the call. */
void replay_order_take(struct crew *crew, struct reload *reload, struct slice request,
                       const struct control_reply *reply);
