/* The control socket's JSON: what is accepted can be walked, and texts survive a round trip. */
#include "fuzz.h"

#include "../../core/json.c"

static void check_text(struct slice value)
{
    struct buf text = {0}, again = {0}, back = {0};

    if (json_text(value, &text)) {
        json_text_append(&again, buf_slice(&text));
        PROMISE(json_valid(buf_slice(&again)));
        PROMISE(json_text(buf_slice(&again), &back));
    }
    buf_free(&text);
    buf_free(&again);
    buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size), value;
    size_t at = 0;

    if (!json_valid(input))
        return 0;
    check_text(input);
    if (json_find(input, "command", &value)) {
        PROMISE(json_valid(value));
        check_text(value);
    }
    while (json_next(input, &at, &value))
        PROMISE(json_valid(value));
    json_find_number(input, "number", 0);
    return 0;
}
