/* migrations.c: `fura migrate`, and its part of `fura check`. */
#include "command/migrations.h"
#include "json.h"

#include <stdio.h>
#include <string.h>

bool migrations_options(const struct invocation *invocation, const struct conf *conf,
                        struct buf *folder, struct migrate_options *out)
{
    const char *url = conf_string(conf, "database.direct_url");

    buf_printf(folder, "%s/migrations", invocation->source.root);
    *out = (struct migrate_options){.url = url ? url : conf_string(conf, "database.url"),
                                    .folder = buf_cstr(folder),
                                    .json = invocation->json};
    return out->url != NULL;
}

static void add_lines(struct slice list, struct buf *out)
{
    struct slice item;
    size_t at = 0;

    while (json_next(list, &at, &item)) {
        json_text(item, out);
        buf_append_char(out, '\n');
    }
}

void migrations_check(const struct invocation *invocation, const struct conf *conf,
                      struct buf *problems, struct buf *warnings)
{
    struct buf folder = {0}, report = {0};
    struct slice list = SLICE("[]"), first;
    struct migrate_options options;
    size_t at = 0;

    if (migrations_options(invocation, conf, &folder, &options)) {
        options.json = true;
        migrate_status(&options, &report);
        int pending = (int)json_find_number(buf_slice(&report), "pending", 0);
        json_find(buf_slice(&report), "migrations", &list);
        /* Files but no list of them: the database could not be asked. */
        bool unreachable = migrate_count(options.folder) > 0 && !json_next(list, &at, &first);
        if (json_find(buf_slice(&report), "problems", &list))
            add_lines(list, unreachable ? warnings : problems);
        if (pending > 0)
            buf_printf(problems, "migrations: %d pending: run `fura migrate up`\n", pending);
    }
    buf_free(&folder);
    buf_free(&report);
}

static int run_action(const struct invocation *invocation, const struct migrate_options *options,
                      struct buf *report)
{
    const char *action = invocation->argc > 0 ? invocation->argv[0] : "";

    if (strcmp(action, "new") == 0 && invocation->argc == 2)
        return migrate_new(options, invocation->argv[1], report);
    if (invocation->argc != 1 || (strcmp(action, "up") != 0 && strcmp(action, "status") != 0))
        return command_usage(invocation);
    if (!options->url) {
        fprintf(stderr, "fura: no database: set DATABASE_URL\n");
        return EXIT_REFUSED;
    }
    return strcmp(action, "up") == 0 ? migrate_up(options, report)
                                     : migrate_status(options, report);
}

int migrate_run(const struct invocation *invocation)
{
    struct buf folder = {0}, report = {0};
    struct migrate_options options;
    struct conf *conf = command_conf(invocation);

    if (!conf)
        return EXIT_REFUSED;
    migrations_options(invocation, conf, &folder, &options);
    int status = run_action(invocation, &options, &report);
    fwrite(report.data ? report.data : "", 1, report.len,
           status == EXIT_OK || options.json ? stdout : stderr);
    buf_free(&folder);
    buf_free(&report);
    conf_free(conf);
    return status;
}
