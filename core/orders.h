/* orders.h: what the commands on the control socket do: reload, promote, withdraw, await, status, ps, kill, call, stop. The
 * same orders may come from a worker's script (host → ask_master). */
#pragma once

#include "control.h"

#include <stdint.h>

struct crew;
struct orders;
struct reload;
struct server_state;
struct sockets;

struct orders_options {
    struct crew *crew;
    struct reload *reload;
    const struct sockets *sockets;
    const struct server_state *state;
    void (*on_stop)(void *owner); /* somebody wants a graceful end */
    void *owner;
};

struct orders *orders_new(const struct orders_options *options);
void orders_free(struct orders *orders); /* what is not answered yet ends without an answer */

/* Carry out one request; the answer may come later. Fits control_open(): `owner` is the orders. */
void orders_take(void *owner, struct slice request, const struct control_reply *reply);
/* The same for a script of a worker; answered through the crew. */
void orders_take_from_worker(struct orders *orders, unsigned worker, uint64_t number,
                             struct slice request);
