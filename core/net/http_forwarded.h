/* http_forwarded.h: who the client is behind proxies: PROXY protocol versions 1 and 2,
 * X-Forwarded-For and X-Forwarded-Proto. Pure functions; the decision whom to believe is the
 * caller's. */
#pragma once

#include "base/cidr.h"

enum http_proxy_result {
    HTTP_PROXY_MORE, /* so far it may be one */
    HTTP_PROXY_NONE, /* not the PROXY protocol */
    HTTP_PROXY_DONE,
    HTTP_PROXY_BAD,
};

struct http_proxy {
    size_t len;       /* DONE: bytes of the header. MORE: at least so many will be needed */
    bool has_address; /* false for UNKNOWN, LOCAL and families without addresses */
    struct cidr_address address;
};

enum http_proxy_result http_proxy_parse(struct slice data, struct http_proxy *out);

/* Walk an X-Forwarded-For list from the right, starting from `*client`, which must be trusted:
 * `*client` becomes the first address that is not a trusted proxy. True when all of the list was
 * trusted, so that an earlier list may be walked on; an entry that is not an address ends the walk
 * where it is. */
bool http_forwarded_walk(struct slice list, const struct cidr_list *trusted,
                         struct cidr_address *client);
