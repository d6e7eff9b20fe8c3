/* Counting texts, and drawing folded stacks: widths by samples, any letters in names, nothing from elsewhere. */
#include "base/flame_graph.h"
#include "unit.h"

static void on_count(void *owner, struct slice text, uint64_t times)
{
    buf_printf(owner, "%.*s=%llu ", (int)text.len, text.data, (unsigned long long)times);
}

static void assert_counts(const struct counts *counts, unsigned max, const char *expected)
{
    struct buf out = {0};
    counts_each(counts, max, on_count, &out);
    assert_string_equal(buf_cstr(&out), expected);
    buf_free(&out);
}

static void the_most_frequent_text_comes_first(void **state)
{
    struct counts *counts = counts_new(SIZE_MAX);
    (void)state;
    assert_counts(counts, 0, "");
    counts_add(counts, SLICE("b"), 2);
    counts_add(counts, SLICE("a"), 1);
    counts_add(counts, SLICE("c"), 2);
    counts_add(counts, SLICE("a"), 4);
    assert_counts(counts, 0, "a=5 b=2 c=2 ");
    assert_counts(counts, 2, "a=5 b=2 ");
    assert_int_equal(counts_total(counts), 9);
    counts_free(counts);
}

static void thousands_of_texts_are_kept_apart(void **state)
{
    struct counts *counts = counts_new(SIZE_MAX);
    char text[32];
    (void)state;
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < 5000; i++) {
            snprintf(text, sizeof text, "text %u", i);
            assert_true(counts_add(counts, slice_cstr(text), i == 4711 ? 10 : 1));
        }
    assert_int_equal(counts_total(counts), 2 * (4999 + 10));
    assert_counts(counts, 1, "text 4711=20 ");
    counts_free(counts);
}

static void a_new_text_beyond_the_limit_is_refused_and_a_known_one_counted(void **state)
{
    struct counts *counts = counts_new(5);
    (void)state;
    assert_true(counts_add(counts, SLICE("abc"), 1));
    assert_false(counts_add(counts, SLICE("defg"), 1));
    assert_true(counts_add(counts, SLICE("abc"), 1));
    assert_true(counts_add(counts, SLICE("de"), 1));
    assert_counts(counts, 0, "abc=2 de=1 ");
    counts_free(counts);
}

static const char *draw_stack(struct buf *out, struct slice stack)
{
    struct counts *stacks = counts_new(SIZE_MAX);
    counts_add(stacks, stack, 3);
    counts_add(stacks, SLICE("other"), 1);
    buf_clear(out);
    flame_graph_append(out, stacks, "fura", SLICE("4 samples"));
    counts_free(stacks);
    return buf_cstr(out);
}

static void a_box_is_as_wide_as_its_share_and_starts_under_its_caller(void **state)
{
    struct buf out = {0};
    (void)state;
    const char *svg = draw_stack(&out, SLICE("route;function"));
    assert_non_null(strstr(svg, "<title>fura — 4 of 4 samples, 100.00%</title>"
                                "<rect x=\"10.00\" y=\"52\" width=\"1180.00\""));
    assert_non_null(strstr(svg, "<title>route — 3 of 4 samples, 75.00%</title>"
                                "<rect x=\"10.00\" y=\"70\" width=\"885.00\""));
    assert_non_null(strstr(svg, "<title>function — 3 of 4 samples, 75.00%</title>"
                                "<rect x=\"10.00\" y=\"88\" width=\"885.00\""));
    assert_non_null(strstr(svg, "<title>other — 1 of 4 samples, 25.00%</title>"
                                "<rect x=\"895.00\" y=\"70\" width=\"295.00\""));
    buf_free(&out);
}

static void names_are_safe_in_xml(void **state)
{
    static const struct {
        const char *name, *expected;
    } names[] = {
        {"a<b>&\"c\"", "<title>a&lt;b&gt;&amp;&quot;c&quot; —"},
        {"груз — цена", "<title>груз — цена —"},
        {"bell\a and \xff\xfe", "<title>bell? and ?? —"},
        {"half \xd0", "<title>half ? —"},
    };
    struct buf out = {0};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(strstr(draw_stack(&out, slice_cstr(names[i].name)), names[i].expected));
    buf_free(&out);
}

static void a_name_longer_than_its_box_is_cut_between_letters(void **state)
{
    struct buf out = {0}, name = {0};
    (void)state;
    for (int i = 0; i < 300; i++)
        buf_append_slice(&name, SLICE("ж"));
    const char *svg = draw_stack(&out, buf_slice(&name));
    const char *text = strstr(svg, ">ж");
    text = strstr(strstr(text, "<text"), ">") + 1;
    size_t len = (size_t)(strstr(text, "</text>") - text);
    assert_int_equal(len, 2 * 132 + 3); /* (885 - 6) / 6.6 = 133 letters, the last of them «…» */
    assert_memory_equal(text + len - 3, "…", 3);
    buf_free(&out);
    buf_free(&name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_frequent_text_comes_first),
        cmocka_unit_test(thousands_of_texts_are_kept_apart),
        cmocka_unit_test(a_new_text_beyond_the_limit_is_refused_and_a_known_one_counted),
        cmocka_unit_test(a_box_is_as_wide_as_its_share_and_starts_under_its_caller),
        cmocka_unit_test(names_are_safe_in_xml),
        cmocka_unit_test(a_name_longer_than_its_box_is_cut_between_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
