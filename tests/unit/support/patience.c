/* patience.c: see patience.h. */
#include "support/patience.h"
#include "base/clock.h"
#include "net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { PATIENCE_MS = 60000, LOOK_AGAIN_MS = 2 };

struct condition {
    struct loop *loop;
    bool (*holds)(const void *of);
    const void *of;
    struct loop_timer *poll;
    int64_t give_up_ms;
};

static void on_poll(void *owner)
{
    struct condition *condition = owner;
    if (condition->holds(condition->of) || clock_monotonic_ms() > condition->give_up_ms)
        loop_stop(condition->loop);
    else
        loop_timer_start(condition->poll, LOOK_AGAIN_MS);
}

void patience_until(struct loop *loop, bool (*holds)(const void *of), const void *of)
{
    struct condition condition = {
        .loop = loop, .holds = holds, .of = of, .give_up_ms = clock_monotonic_ms() + PATIENCE_MS};
    condition.poll = loop_timer_new(loop, on_poll, &condition);
    loop_timer_start(condition.poll, 0);
    loop_run(loop);
    loop_timer_free(condition.poll);
    assert_true(holds(of));
}
