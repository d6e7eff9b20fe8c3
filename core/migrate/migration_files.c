/* migration_files.c: see migration_files.h. */
#include "migrate/migration_files.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>

enum { DIGITS = 4, NAME_MAX_BYTES = 60, FILE_LIMIT = 4 * 1024 * 1024 };

struct reading {
    const char *folder;
    struct migration_set *set;
    struct buf *problems;
};

bool migration_name_is_valid(struct slice name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!islower((unsigned char)name.data[i]) && !isdigit((unsigned char)name.data[i]) &&
            name.data[i] != '_')
            return false;
    return true;
}

static bool parse_name(const char *file, unsigned *version, struct slice *name)
{
    size_t len = strlen(file);
    *version = 0;
    for (int i = 0; i < DIGITS; i++) {
        if (!isdigit((unsigned char)file[i]))
            return false;
        *version = *version * 10 + (unsigned)(file[i] - '0');
    }
    if (file[DIGITS] != '_' || len <= DIGITS + 5 || strcmp(file + len - 4, ".sql") != 0)
        return false;
    *name = slice_of(file + DIGITS + 1, len - DIGITS - 5);
    return migration_name_is_valid(*name);
}

static void describe(struct migration *migration)
{
    uint8_t digest[SHA256_BYTES];
    struct buf hex = {0};
    struct slice mark = SLICE("-- fura: no transaction"), text = buf_slice(&migration->sql);
    crypto_sha256(text, digest);
    encode_hex(slice_of((const char *)digest, sizeof digest), &hex);
    memcpy(migration->checksum, buf_cstr(&hex), sizeof migration->checksum);
    buf_free(&hex);
    bool marked = text.len > 0 && slice_starts(text, mark) &&
                  (text.len == mark.len || isspace((unsigned char)text.data[mark.len]));
    migration->in_transaction = !marked;
}

static void check_order(struct reading *reading, const char *file, unsigned version)
{
    unsigned last = reading->set->count ? reading->set->items[reading->set->count - 1].version : 0;
    if (version == last)
        buf_printf(reading->problems, "%s/%s: number %04u is used twice\n", reading->folder, file,
                   version);
    else if (version != last + 1)
        buf_printf(reading->problems, "%s/%s: number %04u is missing before it\n", reading->folder,
                   file, last + 1);
}

static void on_file(void *owner, const char *file)
{
    struct reading *reading = owner;
    struct migration_set *set = reading->set;
    struct buf path = {0};
    unsigned version;
    struct slice name;
    size_t len = strlen(file);
    if (len < 4 || strcmp(file + len - 4, ".sql") != 0)
        return; /* a README */
    if (!parse_name(file, &version, &name)) {
        buf_printf(reading->problems, "%s/%s: not named like 0001_what_it_does.sql\n",
                   reading->folder, file);
        return;
    }
    check_order(reading, file, version);
    set->items = mem_realloc(set->items, (set->count + 1) * sizeof *set->items);
    struct migration *migration = &set->items[set->count++];
    *migration = (struct migration){
        .version = version, .file = mem_strdup(file), .name = mem_strndup(name.data, name.len)};
    buf_printf(&path, "%s/%s", reading->folder, file);
    if (file_read(buf_cstr(&path), FILE_LIMIT, &migration->sql) != R_OK)
        buf_printf(reading->problems, "%s: cannot be read\n", path.data);
    describe(migration);
    buf_free(&path);
}

enum result migration_set_read(const char *folder, struct migration_set *out, struct buf *problems)
{
    struct reading reading = {folder, out, problems};
    size_t before = problems->len;
    *out = (struct migration_set){0};
    if (file_walk(folder, on_file, &reading) != R_OK)
        buf_printf(problems, "%s: no such folder\n", folder);
    return problems->len == before ? R_OK : R_INVALID;
}

void migration_set_clear(struct migration_set *set)
{
    for (unsigned i = 0; i < set->count; i++) {
        free(set->items[i].file);
        free(set->items[i].name);
        buf_free(&set->items[i].sql);
    }
    free(set->items);
    *set = (struct migration_set){0};
}
