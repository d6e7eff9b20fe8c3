/* cidr.c: see cidr.h. */
#include "base/cidr.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <stdlib.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

struct network {
    struct cidr_address base;
    unsigned prefix; /* 0..128, of the mapped form */
};

struct cidr_list {
    unsigned count;
    struct network networks[];
};

static bool is_ipv4(const struct cidr_address *address)
{
    return memcmp(address->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

bool cidr_address_parse(struct slice text, struct cidr_address *out)
{
    char copy[CIDR_ADDRESS_TEXT_MAX];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.data, '\0', text.len))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET6, copy, out->bytes) == 1)
        return true;
    memcpy(out->bytes, mapped_prefix, sizeof mapped_prefix);
    return inet_pton(AF_INET, copy, out->bytes + sizeof mapped_prefix) == 1;
}

void cidr_address_text(const struct cidr_address *address, char out[CIDR_ADDRESS_TEXT_MAX])
{
    if (is_ipv4(address))
        inet_ntop(AF_INET, address->bytes + sizeof mapped_prefix, out, CIDR_ADDRESS_TEXT_MAX);
    else
        inet_ntop(AF_INET6, address->bytes, out, CIDR_ADDRESS_TEXT_MAX);
}

bool cidr_address_is_loopback(const struct cidr_address *address)
{
    static const uint8_t loopback6[16] = {[15] = 1};
    return is_ipv4(address) ? address->bytes[12] == 127
                            : memcmp(address->bytes, loopback6, sizeof loopback6) == 0;
}

static bool matches(const struct network *network, const struct cidr_address *address)
{
    unsigned whole = network->prefix / 8, rest = network->prefix % 8;
    if (memcmp(network->base.bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || (network->base.bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

static bool parse_network(struct slice text, struct network *out)
{
    const char *slash = memchr(text.data, '/', text.len);
    struct slice address = {text.data, slash ? (size_t)(slash - text.data) : text.len};
    if (!cidr_address_parse(address, &out->base))
        return false;
    /* The written family decides what the prefix counts: ::ffff:10.0.0.0/104 is IPv6 notation. */
    unsigned bits = memchr(address.data, ':', address.len) ? 128 : 32;
    unsigned prefix = bits;
    if (slash && !slice_to_unsigned(slice_from(text, address.len + 1), bits, &prefix))
        return false;
    out->prefix = 128 - bits + prefix;
    return true;
}

static struct slice trim(struct slice s)
{
    while (s.len && (*s.data == ' ' || *s.data == '\t'))
        s = slice_from(s, 1);
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

enum result cidr_list_parse(struct slice text, struct cidr_list **out, struct failure *why)
{
    unsigned max = 1;
    for (size_t i = 0; i < text.len; i++)
        max += text.data[i] == ',';
    struct cidr_list *list = mem_zalloc(sizeof *list + max * sizeof list->networks[0]);

    while (text.len) {
        struct slice entry = trim(slice_cut(&text, ','));
        if (entry.len == 0)
            continue;
        if (!parse_network(entry, &list->networks[list->count])) {
            cidr_list_free(list);
            return fail(why, R_INVALID, "«%.*s» is not a network like 10.0.0.0/8 or ::1",
                        (int)(entry.len < 60 ? entry.len : 60), entry.data);
        }
        list->count++;
    }
    *out = list;
    return R_OK;
}

bool cidr_list_has(const struct cidr_list *list, const struct cidr_address *address)
{
    for (unsigned i = 0; i < list->count; i++) {
        if (matches(&list->networks[i], address))
            return true;
    }
    return false;
}

void cidr_list_free(struct cidr_list *list)
{
    free(list);
}
