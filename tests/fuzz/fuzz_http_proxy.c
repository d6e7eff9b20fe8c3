/* The PROXY protocol and X-Forwarded-For: bytes of a stranger before anything is known of them. */
#include "fuzz.h"

#include "net/http_forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct http_proxy proxy = {0};
    struct cidr_address client = {{0}};
    struct cidr_list *trusted = NULL;
    struct failure why;

    if (http_proxy_parse(text, &proxy) == HTTP_PROXY_DONE)
        PROMISE(proxy.len <= size);
    if (cidr_list_parse(text, &trusted, &why) == R_OK) {
        http_forwarded_walk(text, trusted, &client);
        cidr_list_free(trusted);
    }
    return 0;
}
