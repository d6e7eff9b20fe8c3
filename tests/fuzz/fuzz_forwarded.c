/* fuzz_forwarded.c: PROXY headers, X-Forwarded-For lists and networks from the outside. */
#include "base/cidr.h"
#include "net/http_forwarded.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* More bytes never change a decision that was final. */
static void check_proxy(struct slice text)
{
    struct http_proxy proxy, shorter;
    enum http_proxy_result result = http_proxy_parse(text, &proxy);
    if (result == HTTP_PROXY_DONE) {
        check(proxy.len <= text.len);
        check(http_proxy_parse(slice_of(text.data, proxy.len), &shorter) == HTTP_PROXY_DONE);
        for (size_t len = 0; len < proxy.len; len++)
            check(http_proxy_parse(slice_of(text.data, len), &shorter) == HTTP_PROXY_MORE);
    }
}

static void check_list(struct slice text)
{
    struct cidr_list *trusted;
    struct cidr_address client, parsed;
    char out[CIDR_ADDRESS_TEXT_MAX];
    check(cidr_list_parse(SLICE("10.0.0.0/8,::/1"), &trusted, NULL) == R_OK);
    check(cidr_address_parse(SLICE("10.0.0.1"), &client));
    http_forwarded_walk(text, trusted, &client);
    cidr_address_text(&client, out);
    check(cidr_address_parse(slice_cstr(out), &parsed));
    check(memcmp(&client, &parsed, sizeof client) == 0);
    cidr_list_free(trusted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct cidr_list *list;
    check_proxy(text);
    check_list(text);
    if (cidr_list_parse(text, &list, NULL) == R_OK)
        cidr_list_free(list);
    return 0;
}
