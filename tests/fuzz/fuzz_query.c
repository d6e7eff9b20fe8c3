/* Query strings: pairs lie inside the text, in order, and a query written from decoded pairs reads the same again. */
#include "fuzz.h"

#include "base/percent.h"
#include "base/query.h"

static void append_encoded(struct buf *query, const struct buf *key, const struct buf *value)
{
    if (query->len > 0)
        buf_append_char(query, '&');
    percent_encode(buf_slice(key), query);
    buf_append_char(query, '=');
    percent_encode(buf_slice(value), query);
}

/* Write what can be decoded into `out`; the number of pairs written. */
static unsigned rewrite(struct slice rest, struct buf *out)
{
    struct slice key, value;
    const char *last = rest.data;
    unsigned count = 0;

    while (query_next(&rest, &key, &value)) {
        struct buf plain_key = {0}, plain_value = {0};
        PROMISE(key.data >= last && value.data >= key.data + key.len);
        last = value.data + value.len;
        if (percent_decode(key, true, &plain_key) && percent_decode(value, true, &plain_value)) {
            append_encoded(out, &plain_key, &plain_value);
            count++;
        }
        buf_free(&plain_key);
        buf_free(&plain_value);
    }
    PROMISE(rest.len == 0);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf first = {0}, second = {0};
    unsigned count = rewrite(slice_of((const char *)data, size), &first);

    PROMISE(rewrite(buf_slice(&first), &second) == count);
    PROMISE(slice_eq(buf_slice(&first), buf_slice(&second)));
    buf_free(&first);
    buf_free(&second);
    return 0;
}
