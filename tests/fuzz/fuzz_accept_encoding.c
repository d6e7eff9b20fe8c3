/* Accept-Encoding: a client that refuses gzip is never sent it, whatever else it writes before. */
#include "fuzz.h"

#include "base/buf.h"
#include "net/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size);
    struct buf refusing = {0}, asking = {0};
    buf_append_slice(&refusing, SLICE("gzip;q=0,"));
    buf_append_slice(&refusing, input);
    buf_append_slice(&asking, SLICE("gzip,"));
    buf_append_slice(&asking, input);
    PROMISE(!gzip_is_accepted(buf_slice(&refusing)));
    PROMISE(gzip_is_accepted(buf_slice(&asking)));
    gzip_is_accepted(input);
    buf_free(&refusing);
    buf_free(&asking);
    return 0;
}
