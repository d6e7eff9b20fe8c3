/* Whole files: limits, atomic replacement, walking. */
#include "base/file.h"
#include "unit.h"

#include <sys/stat.h>

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    folder = unit_folder();
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    unit_remove_folder(folder);
    return 0;
}

static void a_file_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    char *path = unit_write(folder, "a.txt", "hello");
    struct buf out = {0};
    buf_append(&out, ">", 1);
    assert_int_equal(file_read(path, 4, &out), R_TOO_BIG);
    assert_int_equal(out.len, 1);
    assert_int_equal(file_read(path, 5, &out), R_OK);
    assert_string_equal(buf_cstr(&out), ">hello");
    assert_int_equal(file_read("/nonexistent/file", 5, &out), R_NOT_FOUND);
    assert_int_equal(file_read(folder, 5, &out), R_IO);
    buf_free(&out);
    free(path);
}

static void a_replaced_file_has_the_new_content_and_mode(void **state)
{
    (void)state;
    char *path = unit_write(folder, "b.txt", "old");
    assert_int_equal(file_write_atomic(path, SLICE("new"), 0600), R_OK);
    struct buf out = {0};
    assert_int_equal(file_read(path, 100, &out), R_OK);
    assert_string_equal(buf_cstr(&out), "new");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(file_write_atomic("/nonexistent/b.txt", SLICE("x"), 0600), R_NOT_FOUND);
    buf_free(&out);
    free(path);
}

static void on_path(void *owner, const char *path)
{
    buf_printf(owner, "%s;", path);
}

static void walking_gives_sorted_paths_without_hidden_ones(void **state)
{
    (void)state;
    static const char *const names[] = {"tree/b.lua", "tree/a/z.lua", "tree/a.lua", "tree/.git/x",
                                        "tree/a/.swp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        free(unit_write(folder, names[i], ""));
    struct buf tree = {0}, seen = {0};
    buf_printf(&tree, "%s/tree", folder);
    assert_int_equal(file_walk(buf_cstr(&tree), on_path, &seen), R_OK);
    assert_string_equal(buf_cstr(&seen), "a.lua;a/z.lua;b.lua;");
    assert_int_equal(file_walk("/nonexistent", on_path, &seen), R_NOT_FOUND);
    buf_free(&tree);
    buf_free(&seen);
}

static void links_are_followed_and_circles_end(void **state)
{
    (void)state;
    free(unit_write(folder, "linked/real.lua", ""));
    struct buf path = {0}, seen = {0};
    buf_printf(&path, "%s/linked/also.lua", folder);
    assert_int_equal(symlink("real.lua", buf_cstr(&path)), 0);
    buf_clear(&path);
    buf_printf(&path, "%s/linked", folder);
    assert_int_equal(file_walk(buf_cstr(&path), on_path, &seen), R_OK);
    assert_string_equal(buf_cstr(&seen), "also.lua;real.lua;");

    struct buf circle = {0};
    buf_printf(&circle, "%s/linked/circle", folder);
    assert_int_equal(symlink(".", buf_cstr(&circle)), 0);
    assert_int_equal(file_walk(buf_cstr(&path), on_path, &seen), R_IO);
    buf_free(&path);
    buf_free(&seen);
    buf_free(&circle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole_or_not_at_all),
        cmocka_unit_test(a_replaced_file_has_the_new_content_and_mode),
        cmocka_unit_test(walking_gives_sorted_paths_without_hidden_ones),
        cmocka_unit_test(links_are_followed_and_circles_end),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
