/* The bundle: the same bytes for every worker, whatever happens to the disk. */
#include "base/bundle.h"
#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>

static char *root;
static struct conf *conf;
static struct buf problems;

static int open_root(void **state)
{
    (void)state;
    root = unit_folder();
    free(unit_write(root, "lua/init.lua", "return 1"));
    free(unit_write(root, "lua/rules/card.lua", "return 2"));
    free(unit_write(root, "lua/rules/card.lua~", "backup"));
    free(unit_write(root, "lua/web/static/app.css", ""));
    free(unit_write(root, "migrations/0001_first.sql", "SELECT 1"));
    free(unit_write(root, "plugins/cors/plugin.lua", "return 3"));
    free(unit_write(root, "build/static/htmx.js", "js"));
    free(unit_write(root, "conf/default.lua", "return { timezone = 'UTC' }"));
    assert_int_equal(conf_load(&(struct conf_source){.root = root}, &conf, &problems), R_OK);
    return 0;
}

static int close_root(void **state)
{
    (void)state;
    conf_free(conf);
    buf_free(&problems);
    unit_remove_folder(root);
    return 0;
}

static struct bundle *read_bundle(void)
{
    struct bundle *bundle = NULL;
    enum result rc = bundle_read(&(struct conf_source){.root = root}, conf, &bundle, &problems);
    assert_string_equal(buf_cstr(&problems), "");
    assert_int_equal(rc, R_OK);
    return bundle;
}

static bool holds(const struct bundle *bundle, struct slice path, struct slice expected)
{
    struct slice content;
    return bundle_find(bundle, path, &content) && slice_eq(content, expected);
}

static void it_holds_all_sources_sorted(void **state)
{
    (void)state;
    struct bundle *bundle = read_bundle();
    struct buf paths = {0};
    for (unsigned i = 0; i < bundle_count(bundle); i++) {
        struct slice path = bundle_path_at(bundle, i, NULL);
        buf_printf(&paths, "%.*s;", (int)path.len, path.data);
    }
    assert_string_equal(buf_cstr(&paths), "build/static/htmx.js;lua/init.lua;lua/rules/card.lua;"
                                          "lua/web/static/app.css;migrations/0001_first.sql;"
                                          "plugins/cors/plugin.lua;");
    assert_true(holds(bundle, SLICE("lua/init.lua"), SLICE("return 1")));
    assert_true(holds(bundle, SLICE("lua/web/static/app.css"), SLICE("")));
    assert_true(holds(bundle, SLICE("plugins/cors/plugin.lua"), SLICE("return 3")));
    assert_false(holds(bundle, SLICE("lua/init"), SLICE("return 1")));
    assert_false(holds(bundle, SLICE(""), SLICE("")));
    buf_free(&paths);
    bundle_free(bundle);
}

static void it_carries_the_settings(void **state)
{
    (void)state;
    struct bundle *bundle = read_bundle();
    struct conf *unpacked = NULL;
    assert_int_equal(conf_unpack(bundle_conf(bundle), &unpacked), R_OK);
    assert_string_equal(conf_string(unpacked, "timezone"), "UTC");
    conf_free(unpacked);
    bundle_free(bundle);
}

static void its_hash_follows_the_content_and_nothing_else(void **state)
{
    (void)state;
    struct bundle *first = read_bundle();
    assert_int_equal(strlen(bundle_hash(first)), 64);
    free(unit_write(root, "lua/.hidden", "x"));
    free(unit_write(root, "lua/init.lua", "return 1"));
    struct bundle *same = read_bundle();
    assert_string_equal(bundle_hash(first), bundle_hash(same));
    free(unit_write(root, "lua/init.lua", "return 9"));
    struct bundle *other = read_bundle();
    assert_string_not_equal(bundle_hash(first), bundle_hash(other));
    assert_true(holds(first, SLICE("lua/init.lua"), SLICE("return 1")));
    bundle_free(first);
    bundle_free(same);
    bundle_free(other);
}

static void another_process_maps_the_same_sealed_bytes(void **state)
{
    (void)state;
    struct bundle *bundle = read_bundle(), *mapped = NULL;
    assert_int_equal(bundle_map(dup(bundle_fd(bundle)), &mapped), R_OK);
    assert_string_equal(bundle_hash(mapped), bundle_hash(bundle));
    assert_true(pwrite(bundle_fd(bundle), "x", 1, 0) < 0);
    assert_true(ftruncate(bundle_fd(bundle), 0) < 0);
    bundle_free(bundle);
    assert_true(holds(mapped, SLICE("lua/init.lua"), SLICE("return 1")));
    bundle_free(mapped);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    struct bundle *bundle = NULL;
    assert_int_equal(bundle_map(open("/dev/null", O_RDONLY), &bundle), R_INVALID);
    int fd = memfd_create("unsealed", MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_int_equal(bundle_map(dup(fd), &bundle), R_INVALID);
    assert_int_equal(
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL), 0);
    assert_int_equal(bundle_map(fd, &bundle), R_INVALID);
    assert_null(bundle);
}

static void damaged_ones_are_refused(void **state)
{
    (void)state;
    struct bundle *good = read_bundle(), *bad = NULL;
    char bytes[8192];
    ssize_t len = pread(bundle_fd(good), bytes, sizeof bytes, 0);
    assert_true(len > 0);
    for (size_t cut = 0; cut < (size_t)len; cut += 13) {
        int fd = memfd_create("cut", MFD_ALLOW_SEALING);
        assert_int_equal(write(fd, bytes, cut), cut);
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
        assert_int_equal(bundle_map(fd, &bad), R_INVALID);
    }
    bundle_free(good);
}

static void what_cannot_be_read_is_told(void **state)
{
    (void)state;
    struct bundle *bundle = NULL;
    char *path = unit_write(root, "lua/huge.lua", "");
    assert_int_equal(truncate(path, 17 << 20), 0);
    assert_int_equal(bundle_read(&(struct conf_source){.root = root}, conf, &bundle, &problems),
                     R_INVALID);
    assert_string_equal(buf_cstr(&problems),
                        "lua/huge.lua: is too big (expected at most 16 MiB)\n");
    buf_clear(&problems);
    assert_int_equal(
        bundle_read(&(struct conf_source){.root = "/nonexistent"}, conf, &bundle, &problems),
        R_INVALID);
    assert_string_equal(buf_cstr(&problems),
                        "lua: does not exist (expected the application's folder below its root)\n");
    assert_null(bundle);
    free(path);
}

int main(void)
{
#define BUNDLE_TEST(test) cmocka_unit_test_setup_teardown(test, open_root, close_root)
    const struct CMUnitTest tests[] = {
        BUNDLE_TEST(it_holds_all_sources_sorted),
        BUNDLE_TEST(it_carries_the_settings),
        BUNDLE_TEST(its_hash_follows_the_content_and_nothing_else),
        BUNDLE_TEST(another_process_maps_the_same_sealed_bytes),
        BUNDLE_TEST(other_files_are_refused),
        BUNDLE_TEST(damaged_ones_are_refused),
        BUNDLE_TEST(what_cannot_be_read_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
