/* What a client says of a file it wants: a range lies inside the file, a hash inside the name. */
#include "fuzz.h"

#include "../../core/net/static_files.c"

static void check_range(struct slice text)
{
    static const char content[1000];
    static const size_t sizes[] = {0, 1, sizeof content};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct slice part = slice_of(content, sizes[i]);
        if (parse_range(text, sizes[i], &part) != RANGE_PART)
            continue;
        PROMISE(part.len > 0 && part.data >= content);
        PROMISE(part.data + part.len <= content + sizes[i]);
    }
}

static void check_name(struct slice name)
{
    struct buf plain = {0};
    struct slice hash;
    if (split_hash(name, &plain, &hash)) {
        PROMISE(hash.len == HASH_LEN && hash.data > name.data);
        PROMISE(plain.len == name.len - HASH_LEN - 1);
    }
    buf_free(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size);
    check_range(input);
    check_name(input);
    return 0;
}
