/* migrations.h: where the migrations of an application are and which database they are for. */
#pragma once

#include "command/command.h"
#include "migrate/migrate.h"

/* `folder` holds the path the options point into. False: no database is configured. */
bool migrations_options(const struct invocation *invocation, const struct conf *conf,
                        struct buf *folder, struct migrate_options *out);
/* For `fura check`: files and database in step? What is wrong goes to `problems`; a database that cannot be asked, to
 * `warnings`. */
void migrations_check(const struct invocation *invocation, const struct conf *conf,
                      struct buf *problems, struct buf *warnings);
