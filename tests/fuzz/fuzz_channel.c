/* Frames between master and worker: whatever comes, the parser stays inside the input and moves on. */
#include "fuzz.h"

#include "../../core/channel.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of((const char *)data, size);
    struct channel_frame frame;
    long taken;

    while ((taken = channel_parse(rest, &frame)) > 0) {
        PROMISE((size_t)taken <= rest.len);
        PROMISE(frame.kind > 0 && frame.kind < CHANNEL_KINDS);
        PROMISE(frame.body.len <= CHANNEL_BODY_MAX);
        PROMISE(frame.body.data >= rest.data &&
                frame.body.data + frame.body.len == rest.data + taken);
        rest = slice_from(rest, (size_t)taken);
    }
    return 0;
}
