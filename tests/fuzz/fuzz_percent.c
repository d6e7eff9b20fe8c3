/* Percent-encoding: what is encoded decodes to itself. */
#include "fuzz.h"

#include "base/percent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct buf encoded = {0}, decoded = {0}, any = {0};

    percent_encode(text, &encoded);
    PROMISE(percent_decode(buf_slice(&encoded), true, &decoded));
    PROMISE(slice_eq(buf_slice(&decoded), text));
    percent_decode(text, false, &any);
    PROMISE(any.len <= size);
    buf_free(&encoded);
    buf_free(&decoded);
    buf_free(&any);
    return 0;
}
