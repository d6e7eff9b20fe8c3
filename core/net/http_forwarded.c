/* http_forwarded.c: see http_forwarded.h. */
#include "net/http_forwarded.h"
#include "net/http_private.h"

enum { V1_MAX = 107, V2_HEAD = 16, V2_MAX = V2_HEAD + 2048, V2_INET = 0x11, V2_INET6 = 0x21 };

static const char v1_signature[] = "PROXY ";
static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* Is one a beginning of the other? */
static bool agrees(struct slice data, const char *signature, size_t len)
{
    return memcmp(data.data, signature, data.len < len ? data.len : len) == 0;
}

/* PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n */
static enum http_proxy_result parse_v1(struct slice data, struct http_proxy *out)
{
    const char *newline = memchr(data.data, '\n', data.len < V1_MAX ? data.len : V1_MAX);
    if (!newline) {
        out->len = data.len + 1;
        return data.len < V1_MAX ? HTTP_PROXY_MORE : HTTP_PROXY_BAD;
    }
    out->len = (size_t)(newline - data.data) + 1;
    if (newline[-1] != '\r')
        return HTTP_PROXY_BAD;
    struct slice line = slice_from(slice_of(data.data, out->len - 2), sizeof v1_signature - 1);
    struct slice family = slice_cut(&line, ' ');
    if (slice_eq(family, SLICE("UNKNOWN")))
        return HTTP_PROXY_DONE;
    if (!slice_eq(family, SLICE("TCP4")) && !slice_eq(family, SLICE("TCP6")))
        return HTTP_PROXY_BAD;
    struct cidr_address destination;
    out->has_address = cidr_address_parse(slice_cut(&line, ' '), &out->address) &&
                       cidr_address_parse(slice_cut(&line, ' '), &destination);
    return out->has_address ? HTTP_PROXY_DONE : HTTP_PROXY_BAD;
}

static enum http_proxy_result parse_v2(struct slice data, struct http_proxy *out)
{
    if (data.len < V2_HEAD) {
        out->len = V2_HEAD;
        return HTTP_PROXY_MORE;
    }
    const uint8_t *bytes = (const uint8_t *)data.data;
    size_t body = (size_t)bytes[14] << 8 | bytes[15];
    out->len = V2_HEAD + body;
    if (bytes[12] >> 4 != 2 || (bytes[12] & 15) > 1 || out->len > V2_MAX)
        return HTTP_PROXY_BAD;
    if (data.len < out->len)
        return HTTP_PROXY_MORE;
    bool is_local = (bytes[12] & 15) == 0; /* the proxy's own health check */
    size_t needed = bytes[13] == V2_INET ? 12 : bytes[13] == V2_INET6 ? 36 : 0;
    if (is_local || needed == 0)
        return HTTP_PROXY_DONE;
    if (body < needed)
        return HTTP_PROXY_BAD;
    out->has_address = true;
    if (bytes[13] == V2_INET6) {
        memcpy(out->address.bytes, bytes + V2_HEAD, 16);
        return HTTP_PROXY_DONE;
    }
    memset(out->address.bytes, 0, 10);
    memset(out->address.bytes + 10, 0xff, 2);
    memcpy(out->address.bytes + 12, bytes + V2_HEAD, 4);
    return HTTP_PROXY_DONE;
}

enum http_proxy_result http_proxy_parse(struct slice data, struct http_proxy *out)
{
    *out = (struct http_proxy){.len = 1};
    if (data.len == 0)
        return HTTP_PROXY_MORE;
    if (agrees(data, v1_signature, sizeof v1_signature - 1))
        return parse_v1(data, out);
    if (agrees(data, v2_signature, sizeof v2_signature - 1))
        return parse_v2(data, out);
    return HTTP_PROXY_NONE;
}

/* One entry: an address, maybe in brackets, maybe with a port. */
static bool parse_entry(struct slice entry, struct cidr_address *out)
{
    entry = http_trim(entry);
    if (entry.len && *entry.data == '[') {
        const char *end = memchr(entry.data, ']', entry.len);
        return end &&
               cidr_address_parse(slice_of(entry.data + 1, (size_t)(end - entry.data) - 1), out);
    }
    const char *colon = memchr(entry.data, ':', entry.len);
    if (colon && colon == memrchr(entry.data, ':', entry.len))
        entry.len = (size_t)(colon - entry.data);
    return cidr_address_parse(entry, out);
}

bool http_forwarded_walk(struct slice list, const struct cidr_list *trusted,
                         struct cidr_address *client)
{
    while (list.len) {
        const char *comma = memrchr(list.data, ',', list.len);
        size_t start = comma ? (size_t)(comma - list.data) + 1 : 0;
        struct cidr_address entry;
        if (!parse_entry(slice_from(list, start), &entry))
            return false;
        *client = entry;
        if (!trusted || !cidr_list_has(trusted, client))
            return false;
        list.len = comma ? start - 1 : 0;
    }
    return true;
}

/* What the nearest proxy added: the last item of the last such field. */
static struct slice last_of_fields(const struct http_head *head, struct slice name)
{
    struct slice list = {NULL, 0};
    for (unsigned i = head->header_count; !list.data && i-- > 0;) {
        if (slice_ieq(head->headers[i].name, name))
            list = head->headers[i].value;
    }
    const char *comma = list.len ? memrchr(list.data, ',', list.len) : NULL;
    return http_trim(comma ? slice_from(list, (size_t)(comma - list.data) + 1) : list);
}

static bool has_forwarding_header(const struct http_head *head)
{
    return head->known[HTTP_X_FORWARDED_FOR] || head->known[HTTP_X_FORWARDED_PROTO] ||
           head->known[HTTP_FORWARDED] || head->known[HTTP_X_REAL_IP];
}

/* X-Forwarded-For may come in several fields, which together are one list: the walk starts with the
 * last. */
static void walk_fields(struct http_request *req, const struct cidr_list *trusted,
                        struct cidr_address client)
{
    bool go_on = true;
    for (unsigned i = req->head.header_count; go_on && i-- > 0;) {
        const struct http_header *header = &req->head.headers[i];
        if (slice_ieq(header->name, SLICE("x-forwarded-for")))
            go_on = http_forwarded_walk(header->value, trusted, &client);
    }
    cidr_address_text(&client, req->address_text);
}

void http_forwarded_settle(struct http_request *req, const struct http_conn *conn)
{
    const struct http_head *head = &req->head;
    bool has_header = has_forwarding_header(head);

    req->is_local = conn->is_local && !has_header;
    if (!conn->believed || !has_header)
        return;
    struct slice proto = last_of_fields(head, SLICE("x-forwarded-proto"));
    if (slice_ieq(proto, SLICE("https")) || slice_ieq(proto, SLICE("http")))
        req->is_https = proto.len == 5;
    if (head->known[HTTP_X_FORWARDED_FOR])
        walk_fields(req, conn->server->trusted, conn->client);
}
