/* Hex and base64: what is encoded decodes to itself, and what decodes has one spelling only. */
#include "fuzz.h"

#include "base/crypto.h"

struct coding {
    void (*encode)(struct slice data, struct buf *out);
    bool (*decode)(struct slice text, struct buf *out);
    bool any_case; /* hex: the other case is the same value */
};

static void check(const struct coding *coding, struct slice input)
{
    struct buf text = {0}, data = {0};

    coding->encode(input, &text);
    PROMISE(coding->decode(buf_slice(&text), &data));
    PROMISE(slice_eq(buf_slice(&data), input));

    buf_clear(&text);
    buf_clear(&data);
    if (coding->decode(input, &data)) {
        coding->encode(buf_slice(&data), &text);
        PROMISE(coding->any_case ? slice_ieq(buf_slice(&text), input)
                                 : slice_eq(buf_slice(&text), input));
    } else {
        PROMISE(data.len == 0);
    }
    buf_free(&text);
    buf_free(&data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct coding codings[] = {
        {encode_hex, decode_hex, true},
        {encode_base64, decode_base64, false},
        {encode_base64url, decode_base64url, false},
    };
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        check(&codings[i], slice_of((const char *)data, size));
    return 0;
}
