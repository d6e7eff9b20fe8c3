/* watch.h: notices that sources were edited, in development. Editors write in bursts: one report
 * comes when nothing changed for a tenth of a second. */
#pragma once

struct conf_source;
struct loop;
struct watch;

/* Watch everything below the `folders` (NULL ends the list; absent ones are skipped). Gives NULL
 * when the system refuses. */
struct watch *watch_open(struct loop *loop, const char *const *folders,
                         void (*on_change)(void *owner), void *owner);
/* The same with the folders of an application, and the one its conf file lies in. */
struct watch *watch_sources(struct loop *loop, const struct conf_source *source,
                            void (*on_change)(void *owner), void *owner);
void watch_close(struct watch *watch);  /* NULL is fine */
void watch_disown(struct watch *watch); /* in a forked child */
