/* share.c: see share.h. */
#include "base/share.h"
#include "base/hash.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>

enum { WHOLE = 10000 };

struct share {
    unsigned part;      /* of WHOLE, when there are no names */
    struct slice names; /* with commas */
    uint64_t seed;
    char *text;
};

/* The last step of MurmurHash3: FNV alone leaves names that differ in their last letter side by side. */
static uint64_t scatter(uint64_t hash)
{
    hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
    hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
    return hash ^ (hash >> 33);
}

/* «12.34%» as 1234. */
static bool parse_percent(struct slice text, unsigned *part)
{
    unsigned whole = 0, hundredths = 0;
    if (text.len < 2 || text.data[text.len - 1] != '%')
        return false;
    text.len--;
    const char *point = memchr(text.data, '.', text.len);
    struct slice before = point ? slice_of(text.data, (size_t)(point - text.data)) : text;
    if (!slice_to_unsigned(before, 100, &whole))
        return false;
    if (point) {
        struct slice after = slice_from(text, before.len + 1);
        if (after.len > 2 || !slice_to_unsigned(after, 99, &hundredths))
            return false;
        hundredths *= after.len == 1 ? 10 : 1;
    }
    *part = whole * 100 + hundredths;
    return *part > 0 && *part <= WHOLE;
}

static bool parse_names(struct slice text, struct slice *names)
{
    size_t word = 0;
    while (word < text.len && isalpha((unsigned char)text.data[word]))
        word++;
    if (word == 0 || word >= text.len || text.data[word] != ':')
        return false;
    *names = slice_from(text, word + 1);
    struct slice rest = *names;
    if (rest.len == 0 || rest.data[rest.len - 1] == ',')
        return false;
    while (rest.len > 0)
        if (slice_cut(&rest, ',').len == 0)
            return false;
    return true;
}

enum result share_parse(struct slice text, struct slice salt, struct share **out,
                        struct failure *why)
{
    unsigned part = 0;
    struct slice names = SLICE("");

    if (!parse_percent(text, &part) && !parse_names(text, &names))
        return fail(why, R_INVALID,
                    "expected a share like 10%% (0.01%% to 100%%) or names like drivers:7,8, "
                    "got '%.*s'",
                    (int)(text.len < 60 ? text.len : 60), text.data ? text.data : "");
    struct share *share = mem_new(struct share);
    share->text = mem_strndup(text.data, text.len);
    share->part = part;
    if (names.len > 0)
        share->names = slice_of(share->text + (names.data - text.data), names.len);
    share->seed = hash_text(HASH_START, salt);
    *out = share;
    return R_OK;
}

void share_free(struct share *share)
{
    if (!share)
        return;
    free(share->text);
    free(share);
}

static bool is_named(struct slice names, struct slice wanted)
{
    while (names.len > 0)
        if (slice_eq(slice_cut(&names, ','), wanted))
            return true;
    return false;
}

bool share_takes(const struct share *share, struct slice name, struct slice address)
{
    if (share->names.len > 0)
        return name.data && is_named(share->names, name);
    uint64_t hash = scatter(hash_text(share->seed, name.data ? name : address));
    return hash % WHOLE < share->part;
}
