/* control.h: the control socket: `fura reload`, `status`, … talk to the master here. One JSON
 * object on a line is the request; JSON lines come back, the last one with "ok". Only the owner of
 * the server and root are listened to. */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>

struct control;
struct loop;

/* Where the answer of one request goes. Lines until `end`, which is called exactly once. */
struct control_reply {
    void (*line)(void *owner, struct slice json);
    void (*end)(void *owner);
    void *owner;
    /* May be NULL. Have `gone` run when the asker left before the end, at most once; the end is still due. */
    void (*watch)(void *owner, void (*gone)(void *watcher), void *watcher);
};

/* `path` of a unix socket; its folder is made when missing. R_EXISTS: another server answers there.
 */
enum result control_open(struct loop *loop, const char *path,
                         void (*on_request)(void *owner, struct slice request,
                                            const struct control_reply *reply),
                         void *owner, struct control **out, struct failure *why);
/* Requests still being answered are cut off. */
void control_close(struct control *control, bool unlink_path); /* NULL is fine */
/* In a forked child: close copies of the descriptors, touch nothing else. */
void control_disown(struct control *control);
