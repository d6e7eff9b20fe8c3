/* REDIS_URL as people type it; a refusal must not show the password. */
#include "fuzz.h"

#include "base/buf.h"
#include "net/redis_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = {0};
    struct redis_url url;
    struct failure why;

    buf_append(&text, data, size);
    if (redis_url_parse(buf_cstr(&text), &url, &why) == R_OK) {
        PROMISE(url.host_count >= 1 && url.host_count <= REDIS_URL_HOSTS_MAX);
        redis_url_clear(&url);
    }
    buf_free(&text);
    return 0;
}
