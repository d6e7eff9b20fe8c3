/* unit.h: what the unit tests of base/ share: cmocka, and temporary folders that vanish afterwards.
 */
#pragma once

#include "base/buf.h"
#include "base/mem.h"
#include "base/result.h" /* before cmocka.h, whose macro fail() is another one */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static inline char *unit_folder(void)
{
    char *folder = mem_strdup("/tmp/fura-unit-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static inline int unit_on_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

/* Takes `folder`. */
static inline void unit_remove_folder(char *folder)
{
    nftw(folder, unit_on_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

static inline void unit_make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
}

/* Gives the absolute path of the file it wrote. */
static inline char *unit_write(const char *folder, const char *name, const char *text)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", folder, name);
    buf_cstr(&path);
    unit_make_parents(path.data);
    FILE *file = fopen(path.data, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    return path.data;
}
