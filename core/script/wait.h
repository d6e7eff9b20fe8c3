/* wait.h: the ticket that joins a driver's callback to the coroutine parked for it.
 *
 * Every yielding binding is written the same way:
 *
 *     struct wait *wait = wait_begin(L, "redis");       raises when called outside a task
 *     enum result rc = redis_send(…, on_reply, wait);
 *     if (rc != R_OK) {
 *         wait_abandon(wait);
 *         return bind_failure(L, rc, "redis");          refused: nothing is in flight
 *     }
 *     return wait_yield(L, wait);
 *
 * and in the callback, which the driver runs exactly once and never before the call above returned:
 *
 *     lua_State *L = wait_lua(wait);                    NULL once the task was cancelled
 *     int n = L ? push results on L : 0;
 *     wait_finish(wait, n);                             frees the ticket, resumes the task
 *
 * The n values become what the binding's function returns in Lua. */
#pragma once

#include <lua.h>
#include <stdbool.h>

struct wait;
struct task;

/* For vm.c: what a yield inside a script's own coroutine hands to its resumer, meaning «pass this
 * on to the scheduler and give me what it answers». */
void wait_push_token(lua_State *L);

struct wait *wait_begin(lua_State *L, const char *what);

/* Optional: called when the task is cancelled while parked here, so that the driver can be told to
 * stop early. The driver's callback may then still come (or be made by `cancel` itself, after it
 * returned through the loop): the ticket stays valid until wait_finish(). */
void wait_on_cancel(struct wait *wait, void (*cancel)(void *owner), void *owner);

int wait_yield(lua_State *L, struct wait *wait);
lua_State *wait_lua(struct wait *wait);
struct task *wait_task(struct wait *wait); /* NULL once the task was cancelled */
void wait_finish(struct wait *wait, int results);

/* While forbidden (a guarded rule is running), wait_begin() raises with `why`; NULL allows it. Gives
 * what was set before, to be put back: guards nest. */
const char *wait_forbid(const char *why);

/* For what runs a coroutine of its own inside a task (a guarded rule) and lets it be interrupted: may `L` be parked until its
 * next turn? Then, once interrupted: return wait_turn(L, n), which later gives Lua the top `n` values. The CPU budget of
 * the task goes on. */
bool wait_can_take_turn(lua_State *L);
int wait_turn(lua_State *L, int results);

/* The operation was refused at once: drop the ticket without parking. */
void wait_abandon(struct wait *wait);
