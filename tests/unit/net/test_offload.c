/* Work leaves the loop's thread, its end comes back to it. */
#include "net/offload.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct errand {
    struct loop *loop;
    pthread_t worked_on, done_on;
    sigset_t mask;
    int worked, done;
    int *left; /* the loop stops when this many errands have come back */
    pthread_mutex_t *gate;
};

static void on_work(void *owner)
{
    struct errand *errand = owner;
    if (errand->gate) {
        pthread_mutex_lock(errand->gate);
        pthread_mutex_unlock(errand->gate);
    }
    errand->worked_on = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &errand->mask);
    errand->worked++;
}

static void on_done(void *owner)
{
    struct errand *errand = owner;
    errand->done_on = pthread_self();
    errand->done++;
    if (--*errand->left == 0)
        loop_stop(errand->loop);
}

static void work_runs_on_the_helper_and_done_on_the_loop(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct offload *offload = offload_new(loop);
    int left = 1;
    struct errand errand = {.loop = loop, .left = &left};

    assert_int_equal(offload_run(offload, on_work, on_done, &errand), R_OK);
    assert_int_equal(errand.done, 0);
    loop_run(loop);
    assert_int_equal(errand.worked, 1);
    assert_int_equal(errand.done, 1);
    assert_true(pthread_equal(errand.done_on, pthread_self()));
    assert_false(pthread_equal(errand.worked_on, pthread_self()));
    assert_true(sigismember(&errand.mask, SIGPROF) && sigismember(&errand.mask, SIGTERM));
    offload_free(offload);
    loop_free(loop);
}

static void a_full_queue_refuses_and_the_accepted_all_come_back(void **state)
{
    (void)state;
    enum { TRIES = 2 * WAITING_MAX };
    struct loop *loop = loop_new();
    struct offload *offload = offload_new(loop);
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    static struct errand errands[TRIES];
    int left = 0, accepted = 0;

    pthread_mutex_lock(&gate);
    for (int i = 0; i < TRIES; i++) {
        errands[i] = (struct errand){.loop = loop, .left = &left, .gate = &gate};
        enum result rc = offload_run(offload, on_work, on_done, &errands[i]);
        assert_int_equal(rc, accepted == i ? rc : R_OVERLOADED);
        accepted += rc == R_OK;
    }
    assert_in_range(accepted, WAITING_MAX, WAITING_MAX + 1);
    left = accepted;
    pthread_mutex_unlock(&gate);
    loop_run(loop);
    for (int i = 0; i < TRIES; i++)
        assert_int_equal(errands[i].done, i < accepted);
    offload_free(offload);
    loop_free(loop);
}

static void freeing_skips_waiting_work_but_tells_its_owner(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct offload *offload = offload_new(loop);
    int left = 100;
    struct errand errands[20];

    for (int i = 0; i < 20; i++) {
        errands[i] = (struct errand){.loop = loop, .left = &left};
        assert_int_equal(offload_run(offload, on_work, on_done, &errands[i]), R_OK);
    }
    offload_free(offload);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(errands[i].done, 1);
        assert_true(errands[i].worked <= 1);
    }
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_runs_on_the_helper_and_done_on_the_loop),
        cmocka_unit_test(a_full_queue_refuses_and_the_accepted_all_come_back),
        cmocka_unit_test(freeing_skips_waiting_work_but_tells_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
