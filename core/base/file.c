/* file.c: see file.h. */
#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_CHUNK_BYTES = 16384, DEPTH_MAX = 32 };

static enum result of_errno(void)
{
    return errno == ENOENT || errno == ENOTDIR ? R_NOT_FOUND : R_IO;
}

enum result file_read(const char *path, size_t limit, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return of_errno();

    enum result rc = R_OK;
    struct buf data = {0};
    for (;;) {
        ssize_t got = read(fd, buf_reserve(&data, READ_CHUNK_BYTES), READ_CHUNK_BYTES);
        if (got == 0)
            break;
        if (got < 0 && errno == EINTR)
            continue;
        rc = got < 0 ? R_IO : data.len + (size_t)got > limit ? R_TOO_BIG : R_OK;
        if (rc != R_OK)
            break;
        data.len += (size_t)got;
    }
    if (rc == R_OK)
        buf_append_slice(out, buf_slice(&data));

    int saved_errno = errno;
    buf_free(&data);
    close(fd);
    errno = saved_errno;
    return rc;
}

static enum result write_all(int fd, struct slice content)
{
    while (content.len > 0) {
        ssize_t done = write(fd, content.data, content.len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return R_IO;
        content = slice_from(content, (size_t)done);
    }
    return R_OK;
}

/* The rename itself lives in the folder: without this a power cut may bring the old file back. */
static void sync_folder_of(const char *path)
{
    char *copy = mem_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

enum result file_write_atomic(const char *path, struct slice content, unsigned mode)
{
    struct buf beside = {0};
    buf_printf(&beside, "%s.XXXXXX", path);
    buf_cstr(&beside);
    enum result rc = R_IO;

    int fd = mkostemp(beside.data, O_CLOEXEC);
    if (fd < 0) {
        rc = of_errno();
        goto done;
    }
    bool written =
        write_all(fd, content) == R_OK && fchmod(fd, (mode_t)mode) == 0 && fsync(fd) == 0;
    written = close(fd) == 0 && written;
    if (written && rename(beside.data, path) == 0)
        rc = R_OK;
    else
        unlink(beside.data);
done:
    if (rc == R_OK)
        sync_folder_of(path);
    buf_free(&beside);
    return rc;
}

struct path_list {
    char **paths;
    size_t count, cap;
};

static void list_push(struct path_list *list, const char *path)
{
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 64;
        list->paths = mem_realloc(list->paths, list->cap * sizeof *list->paths);
    }
    list->paths[list->count++] = mem_strdup(path);
}

static enum result collect(const char *folder, const char *prefix, int depth,
                           struct path_list *list);

static enum result collect_entry(const char *folder, const char *relative, int depth,
                                 struct path_list *list)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", folder, relative);
    struct stat st;
    enum result rc = R_OK;
    /* Links are followed, since Kubernetes mounts every file of a ConfigMap as one; a dangling one
     * is no file. */
    if (stat(buf_cstr(&path), &st) != 0)
        rc = errno == ENOENT ? R_OK : R_IO;
    else if (S_ISREG(st.st_mode))
        list_push(list, relative);
    else if (S_ISDIR(st.st_mode))
        rc = collect(folder, relative, depth + 1, list);
    buf_free(&path);
    return rc;
}

static enum result collect(const char *folder, const char *prefix, int depth,
                           struct path_list *list)
{
    if (depth > DEPTH_MAX) { /* a circle of links */
        errno = ELOOP;
        return R_IO;
    }
    struct buf path = {0};
    buf_printf(&path, "%s/%s", folder, prefix);
    DIR *dir = opendir(buf_cstr(&path));
    buf_free(&path);
    if (!dir)
        return of_errno();

    enum result rc = R_OK;
    struct buf relative = {0};
    for (struct dirent *entry; rc == R_OK && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        buf_clear(&relative);
        buf_printf(&relative, "%s%s%s", prefix, *prefix ? "/" : "", entry->d_name);
        rc = collect_entry(folder, buf_cstr(&relative), depth, list);
    }
    buf_free(&relative);
    closedir(dir);
    return rc;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum result file_walk(const char *folder, void (*visit)(void *owner, const char *relative_path),
                      void *owner)
{
    struct path_list list = {0};
    enum result rc = collect(folder, "", 0, &list);
    if (rc == R_OK && list.count > 0)
        qsort(list.paths, list.count, sizeof *list.paths, by_bytes);
    for (size_t i = 0; i < list.count; i++) {
        if (rc == R_OK)
            visit(owner, list.paths[i]);
        free(list.paths[i]);
    }
    free(list.paths);
    return rc;
}
