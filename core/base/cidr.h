/* cidr.h: IP addresses and lists of networks. IPv4 is kept as IPv4-mapped IPv6, so that
 * `::ffff:10.0.0.1` and `10.0.0.1` are one address and match the same networks. */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#include <stdint.h>

struct cidr_address {
    uint8_t bytes[16];
};

enum { CIDR_ADDRESS_TEXT_MAX = 46 };

/* `10.0.0.1`, `::1`. No port, brackets or zone. */
bool cidr_address_parse(struct slice text, struct cidr_address *out);
void cidr_address_text(const struct cidr_address *address, char out[CIDR_ADDRESS_TEXT_MAX]);
bool cidr_address_is_loopback(const struct cidr_address *address);

struct cidr_list;

/* A comma list: `10.0.0.0/8, ::1, 192.0.2.7`; an address without a prefix is itself
 * only, bits beyond a prefix do not matter, an empty text gives an empty list. */
enum result cidr_list_parse(struct slice text, struct cidr_list **out, struct failure *why);
bool cidr_list_has(const struct cidr_list *list, const struct cidr_address *address);
void cidr_list_free(struct cidr_list *list); /* NULL is fine */
