/* watch.c: see watch.h. */
#include "watch.h"
#include "base/conf.h"
#include "base/mem.h"
#include "base/slice.h"
#include "net/loop.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { SETTLE_MS = 100, DEPTH_MAX = 12 };

#define EDITS                                                                                      \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF |       \
     IN_EXCL_UNLINK)

struct watch {
    int fd;
    struct loop_fd *readable;
    struct loop_timer *settle;
    char **folders;
    void (*on_change)(void *owner);
    void *owner;
};

static void add_folder(struct watch *watch, const char *path, unsigned depth)
{
    char child[PATH_MAX];
    struct dirent *entry;

    if (depth == 0 || inotify_add_watch(watch->fd, path, EDITS | IN_ONLYDIR) < 0)
        return;
    DIR *folder = opendir(path);
    if (!folder)
        return;
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
            continue;
        int len = snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
        if (len > 0 && (size_t)len < sizeof child)
            add_folder(watch, child, depth - 1);
    }
    closedir(folder);
}

/* Adding a folder twice is harmless, so new ones are found by walking again. */
static void add_all(struct watch *watch)
{
    for (char **folder = watch->folders; *folder; folder++)
        add_folder(watch, *folder, DEPTH_MAX);
}

static void on_settled(void *owner)
{
    struct watch *watch = owner;
    add_all(watch);
    watch->on_change(watch->owner);
}

/* Editors' own files (.swp, 4913, name~) are no sources. */
static bool is_source(const struct inotify_event *event)
{
    size_t len = event->len ? strlen(event->name) : 0;
    if (event->mask & IN_Q_OVERFLOW)
        return true;
    return len > 0 && event->name[0] != '.' && event->name[len - 1] != '~' &&
           strcmp(event->name, "4913") != 0;
}

static void on_readable(void *owner, int ready)
{
    struct watch *watch = owner;
    _Alignas(struct inotify_event) char events[4096];
    bool changed = false;
    ssize_t n;
    (void)ready;

    while ((n = read(watch->fd, events, sizeof events)) > 0) {
        for (char *at = events; at < events + n;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            changed = changed || is_source(event);
            at += sizeof *event + event->len;
        }
    }
    if (changed)
        loop_timer_start(watch->settle, SETTLE_MS);
}

struct watch *watch_open(struct loop *loop, const char *const *folders,
                         void (*on_change)(void *owner), void *owner)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    size_t count = 0;
    if (fd < 0)
        return NULL;

    struct watch *watch = mem_new(struct watch);
    while (folders[count])
        count++;
    watch->folders = mem_zalloc((count + 1) * sizeof *watch->folders);
    for (size_t i = 0; i < count; i++)
        watch->folders[i] = mem_strdup(folders[i]);
    watch->fd = fd;
    watch->on_change = on_change;
    watch->owner = owner;
    watch->settle = loop_timer_new(loop, on_settled, watch);
    watch->readable = loop_fd_new(loop, fd, on_readable, watch);
    loop_fd_want(watch->readable, LOOP_READ);
    add_all(watch);
    return watch;
}

struct watch *watch_sources(struct loop *loop, const struct conf_source *source,
                            void (*on_change)(void *owner), void *owner)
{
    static const char *const names[] = {"lua", "plugins", "conf"};
    enum { COUNT = sizeof names / sizeof *names };
    char paths[COUNT + 1][PATH_MAX];
    const char *folders[COUNT + 2] = {NULL};

    for (int i = 0; i < COUNT; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%s", source->root, names[i]);
        folders[i] = paths[i];
    }
    if (source->conf_path) {
        snprintf(paths[COUNT], sizeof paths[COUNT], "%s", source->conf_path);
        folders[COUNT] = dirname(paths[COUNT]);
    }
    return watch_open(loop, folders, on_change, owner);
}

void watch_close(struct watch *watch)
{
    if (!watch)
        return;
    loop_fd_free(watch->readable);
    loop_timer_free(watch->settle);
    close(watch->fd);
    for (char **folder = watch->folders; *folder; folder++)
        free(*folder);
    free(watch->folders);
    free(watch);
}

void watch_disown(struct watch *watch)
{
    if (watch)
        close(watch->fd);
}
