/* Replies read from bytes that arrive in any pieces. */
#include "net/redis_reader.h"
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hiredis/hiredis.h>

enum { LIMIT = 1024 * 1024 };

static int begin(void **state)
{
    *state = redis_reader_new(LIMIT);
    return 0;
}

static int end(void **state)
{
    redis_reader_free(*state);
    return 0;
}

static const struct redisReply *read_one(struct redis_reader *reader)
{
    const struct redisReply *reply;
    assert_int_equal(redis_reader_next(reader, &reply), R_OK);
    return reply;
}

static void check_nested(const struct redisReply *reply)
{
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    assert_int_equal(reply->elements, 6);
    assert_int_equal(reply->element[0]->integer, -42);
    assert_int_equal(reply->element[1]->type, REDIS_REPLY_NIL);
    assert_int_equal(reply->element[2]->len, 4);
    assert_memory_equal(reply->element[2]->str, "a\r\nb", 4);
    assert_int_equal(reply->element[3]->type, REDIS_REPLY_ARRAY);
    assert_int_equal(reply->element[3]->elements, 0);
    assert_int_equal(reply->element[4]->type, REDIS_REPLY_ERROR);
    assert_string_equal(reply->element[4]->str, "ERR no");
    assert_string_equal(reply->element[5]->element[0]->str, "OK");
}

static const char nested[] = "*6\r\n:-42\r\n$-1\r\n$4\r\na\r\nb\r\n*0\r\n-ERR no\r\n*1\r\n+OK\r\n";

static void replies_may_arrive_byte_by_byte(void **state)
{
    for (size_t i = 0; i + 2 < sizeof nested; i++) {
        redis_reader_feed(*state, nested + i, 1);
        assert_null(read_one(*state));
    }
    redis_reader_feed(*state, nested + sizeof nested - 2, 1);
    check_nested(read_one(*state));
    assert_null(read_one(*state));
}

static void many_replies_may_arrive_at_once(void **state)
{
    for (int i = 0; i < 1000; i++)
        redis_reader_feed(*state, nested, sizeof nested - 1);
    for (int i = 0; i < 1000; i++)
        check_nested(read_one(*state));
    assert_null(read_one(*state));
}

static void a_missing_array_is_nil(void **state)
{
    redis_reader_feed(*state, "*-1\r\n", 5);
    assert_int_equal(read_one(*state)->type, REDIS_REPLY_NIL);
}

static void what_is_not_the_protocol_is_final(void **state)
{
    const struct redisReply *reply;
    redis_reader_feed(*state, "HTTP/1.1 400 Bad Request\r\n", 26);
    assert_int_equal(redis_reader_next(*state, &reply), R_INVALID);
    redis_reader_feed(*state, "+OK\r\n", 5);
    assert_int_equal(redis_reader_next(*state, &reply), R_INVALID);
    assert_string_not_equal(redis_reader_error(*state), "");
}

static void an_array_announced_too_long_takes_no_memory(void **state)
{
    const struct redisReply *reply;
    redis_reader_feed(*state, "*2000000000\r\n", 13);
    assert_int_equal(redis_reader_next(*state, &reply), R_TOO_BIG);
}

static void a_string_beyond_the_limit_is_refused_before_it_ended(void **state)
{
    static char piece[64 * 1024];
    const struct redisReply *reply;
    enum result rc = R_OK;
    redis_reader_feed(*state, "$100000000\r\n", 12);
    for (int i = 0; i < 17 && rc == R_OK; i++) {
        redis_reader_feed(*state, piece, sizeof piece);
        rc = redis_reader_next(*state, &reply);
    }
    assert_int_equal(rc, R_TOO_BIG);
}

static void small_parts_that_add_up_count_too(void **state)
{
    const struct redisReply *reply;
    enum result rc = R_OK;
    redis_reader_feed(*state, "*100000\r\n", 9);
    for (int i = 0; i < 100000 && rc == R_OK; i++) {
        redis_reader_feed(*state, ":1\r\n", 4);
        rc = redis_reader_next(*state, &reply);
    }
    assert_int_equal(rc, R_TOO_BIG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replies_may_arrive_byte_by_byte),
        TEST(many_replies_may_arrive_at_once),
        TEST(a_missing_array_is_nil),
        TEST(what_is_not_the_protocol_is_final),
        TEST(an_array_announced_too_long_takes_no_memory),
        TEST(a_string_beyond_the_limit_is_refused_before_it_ended),
        TEST(small_parts_that_add_up_count_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
