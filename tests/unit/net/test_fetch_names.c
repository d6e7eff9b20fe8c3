/* Addresses of hosts: asked once, kept for a while, and kept longer when no name server answers. */
#include "net/fetch_names.c"
#include "net/loop.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <netinet/in.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct asker {
    struct loop *loop;
    int done;
    enum result rc;
    char addresses[128];
    struct fetch_name_wait wait;
};

static void on_answer(void *owner, enum result rc, const char *addresses)
{
    struct asker *asker = owner;
    asker->done++;
    asker->rc = rc;
    snprintf(asker->addresses, sizeof asker->addresses, "%s", addresses ? addresses : "");
    loop_stop(asker->loop);
}

static void ask(struct fetch_names *names, const char *host, struct asker *asker)
{
    asker->wait = (struct fetch_name_wait){.done = on_answer, .owner = asker};
    fetch_names_wait(names, host, &asker->wait);
    assert_int_equal(asker->done, 0);
}

static struct resolve_address address_of(int family, const char *text)
{
    struct resolve_address out = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out.storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out.storage;
    out.storage.ss_family = (sa_family_t)family;
    out.len = family == AF_INET ? sizeof *v4 : sizeof *v6;
    inet_pton(family, text, family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr);
    return out;
}

static void one_question_answers_everyone_and_is_kept(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct fetch_names *names = fetch_names_open(loop);
    struct asker first = {.loop = loop}, second = {.loop = loop};

    assert_null(fetch_names_known(names, "localhost"));
    ask(names, "localhost", &first);
    ask(names, "LocalHost", &second);
    assert_int_equal(names->count, 1);
    loop_run(loop);
    assert_int_equal(first.rc, R_OK);
    assert_int_equal(second.done, 1);
    assert_non_null(strstr(first.addresses, "127.0.0.1"));
    assert_string_equal(fetch_names_known(names, "localhost"), first.addresses);
    fetch_names_close(names);
    loop_free(loop);
}

static void one_who_forgets_is_not_told(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct fetch_names *names = fetch_names_open(loop);
    struct asker first = {.loop = loop}, second = {.loop = loop};

    ask(names, "localhost", &first);
    ask(names, "localhost", &second);
    fetch_names_forget(&first.wait);
    fetch_names_forget(&first.wait);
    loop_run(loop);
    assert_int_equal(first.done, 0);
    assert_int_equal(second.done, 1);
    fetch_names_close(names);
    loop_free(loop);
}

static void old_addresses_serve_while_no_name_server_answers(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct fetch_names *names = fetch_names_open(loop);
    struct fetch_name *name = add(names, "api.example");
    struct resolve_address addresses[] = {address_of(AF_INET, "192.0.2.7"),
                                          address_of(AF_INET6, "2001:db8::1")};

    on_resolved(name, R_OK, addresses, 2);
    assert_string_equal(fetch_names_known(names, "api.example"), "192.0.2.7,[2001:db8::1]");
    name->fresh_until_ms = 0;
    assert_null(fetch_names_known(names, "api.example"));

    struct asker asker = {.loop = loop};
    asker.wait = (struct fetch_name_wait){.done = on_answer, .owner = &asker, .name = name};
    asker.wait.next = asker.wait.prev = &name->waiting;
    name->waiting.next = name->waiting.prev = &asker.wait;
    on_resolved(name, R_UNAVAILABLE, NULL, 0);
    assert_int_equal(asker.rc, R_OK);
    assert_string_equal(asker.addresses, "192.0.2.7,[2001:db8::1]");

    on_resolved(name, R_NOT_FOUND, NULL, 0); /* the name is gone: nothing old is served */
    assert_int_equal(name->addresses.len, 0);
    fetch_names_close(names);
    loop_free(loop);
}

static void the_table_stays_bounded(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct fetch_names *names = fetch_names_open(loop);
    struct resolve_address address = address_of(AF_INET, "192.0.2.7");
    char host[32];

    for (int i = 0; i < 2 * NAMES_MAX; i++) {
        snprintf(host, sizeof host, "host-%d", i);
        on_resolved(add(names, host), R_OK, &address, 1);
    }
    assert_int_equal(names->count, NAMES_MAX);
    assert_non_null(fetch_names_known(names, host));
    fetch_names_close(names);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_question_answers_everyone_and_is_kept),
        cmocka_unit_test(one_who_forgets_is_not_told),
        cmocka_unit_test(old_addresses_serve_while_no_name_server_answers),
        cmocka_unit_test(the_table_stays_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
