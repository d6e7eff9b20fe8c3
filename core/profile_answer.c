/* profile_answer.c: see profile_answer.h. */
#include "profile_answer.h"
#include "json.h"
#include "base/bundle.h"
#include "base/mem.h"
#include "net/loop.h"
#include "script/generation.h"
#include "script/profile.h"

#include <fcntl.h>
#include <stdlib.h>

struct taking {
    struct bundle *bundle; /* names functions; our own, as the generation may be gone by then */
    struct loop_timer *timer;
    void (*reply)(void *owner, struct slice json);
    void *owner;
};

static struct taking *taking; /* one at a time: there is one Lua thread */

static void finish(void *owner)
{
    struct taking *done = owner;
    struct profile_totals totals;
    struct buf folded = {0}, line = {0};

    taking = NULL;
    profile_stop(done->bundle, &folded, &totals);
    bundle_free(done->bundle);
    buf_append_slice(&line, SLICE("{\"ok\":true"));
    json_put_integer(&line, "samples", (int64_t)totals.scripts);
    json_put_integer(&line, "outside", (int64_t)totals.outside);
    json_put_member(&line, "stacks", buf_slice(&folded));
    buf_append_char(&line, '}');
    done->reply(done->owner, buf_slice(&line));
    buf_free(&folded);
    buf_free(&line);
    loop_timer_free(done->timer);
    free(done);
}

static void refuse(const char *error, void (*reply)(void *owner, struct slice json), void *owner)
{
    struct buf line = {0};
    json_refuse(&line, slice_cstr(error), NULL);
    reply(owner, buf_slice(&line));
    buf_free(&line);
}

void profile_answer(struct generation *live, struct slice request,
                    void (*reply)(void *owner, struct slice json), void *owner)
{
    struct failure why;

    if (profile_start(&why) != R_OK) {
        refuse(why.text, reply, owner);
        return;
    }
    taking = mem_new(struct taking);
    taking->reply = reply;
    taking->owner = owner;
    taking->timer = loop_timer_new(generation_loop(live), finish, taking);
    int fd = fcntl(bundle_fd(generation_bundle(live)), F_DUPFD_CLOEXEC, 3);
    if (fd >= 0 && bundle_map(fd, &taking->bundle) != R_OK)
        taking->bundle = NULL;
    loop_timer_start(taking->timer, (int64_t)(json_find_number(request, "seconds", 1) * 1000));
}

void profile_answer_cut(void)
{
    if (taking)
        finish(taking);
}
