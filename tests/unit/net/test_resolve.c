/* Names and addresses, answered on the loop. */
#include "net/resolve.h"
#include "support/redis_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>

struct answer {
    enum result rc;
    unsigned arrived, count;
    char first[INET6_ADDRSTRLEN];
    uint16_t port;
};

static int begin(void **state)
{
    probe_begin();
    *state = resolve_open(probe_loop);
    return 0;
}

static int end(void **state)
{
    resolve_close(*state);
    probe_end();
    return 0;
}

static void on_answer(void *owner, enum result rc, const struct resolve_address *addresses,
                      unsigned count)
{
    struct answer *answer = owner;
    answer->rc = rc;
    answer->count = count;
    answer->arrived++;
    if (count > 0 && addresses[0].storage.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&addresses[0].storage;
        inet_ntop(AF_INET, &in->sin_addr, answer->first, sizeof answer->first);
        answer->port = ntohs(in->sin_port);
    } else if (count > 0) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addresses[0].storage;
        inet_ntop(AF_INET6, &in6->sin6_addr, answer->first, sizeof answer->first);
        answer->port = ntohs(in6->sin6_port);
    }
    probe_wake();
}

static void literals_answer_themselves_but_not_at_once(void **state)
{
    const char *hosts[] = {"192.0.2.7", "2001:db8::7"};
    for (unsigned i = 0; i < 2; i++) {
        struct answer answer = {0};
        resolve_ask(*state, hosts[i], 6379, on_answer, &answer);
        assert_int_equal(answer.arrived, 0);
        probe_until(&answer.arrived);
        assert_int_equal(answer.rc, R_OK);
        assert_int_equal(answer.count, 1);
        assert_string_equal(answer.first, hosts[i]);
        assert_int_equal(answer.port, 6379);
    }
}

static void the_hosts_file_is_known(void **state)
{
    struct answer answer = {0};
    resolve_ask(*state, "localhost", 80, on_answer, &answer);
    assert_int_equal(answer.arrived, 0);
    probe_until(&answer.arrived);
    assert_int_equal(answer.rc, R_OK);
    assert_true(answer.count > 0);
    assert_int_equal(answer.port, 80);
}

static void a_forgotten_question_is_not_answered(void **state)
{
    struct answer forgotten = {0}, next = {0};
    resolve_forget(resolve_ask(*state, "192.0.2.7", 1, on_answer, &forgotten));
    resolve_forget(resolve_ask(*state, "localhost", 1, on_answer, &forgotten));
    resolve_ask(*state, "192.0.2.8", 1, on_answer, &next);
    probe_until(&next.arrived);
    assert_int_equal(forgotten.arrived, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(literals_answer_themselves_but_not_at_once),
        TEST(the_hosts_file_is_known),
        TEST(a_forgotten_question_is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
