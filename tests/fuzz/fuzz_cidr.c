/* Addresses and networks: an address reads back from its own text, and a list holds each address it names. */
#include "fuzz.h"

#include "base/cidr.h"

static void check_address(struct slice input)
{
    struct cidr_address address, again;
    char text[CIDR_ADDRESS_TEXT_MAX];
    struct cidr_list *list = NULL;
    struct failure why;

    if (!cidr_address_parse(input, &address))
        return;
    cidr_address_text(&address, text);
    PROMISE(cidr_address_parse(slice_cstr(text), &again));
    PROMISE(memcmp(&address, &again, sizeof address) == 0);
    PROMISE(cidr_list_parse(slice_cstr(text), &list, &why) == R_OK);
    PROMISE(cidr_list_has(list, &address));
    cidr_list_free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size);
    struct cidr_list *list = NULL;
    struct failure why;

    check_address(input);
    if (cidr_list_parse(input, &list, &why) == R_OK)
        cidr_list_free(list);
    return 0;
}
