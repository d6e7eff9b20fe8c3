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

/* Files by their path in the application, as all else that is found. */
static void add_lines(struct slice list, const char *root, struct buf *out)
{
    struct slice item;
    size_t at = 0, len = strlen(root);

    while (json_next(list, &at, &item)) {
        struct buf text = {0};
        json_text(item, &text);
        struct slice line = buf_slice(&text);
        if (slice_starts(line, slice_of(root, len)) && line.len > len && line.data[len] == '/')
            line = slice_from(line, len + 1);
        buf_append_slice(out, line);
        buf_append_char(out, '\n');
        buf_free(&text);
    }
}

static void add_pending(struct slice list, struct buf *out)
{
    struct slice item;
    size_t at = 0;

    while (json_next(list, &at, &item)) {
        struct buf state = {0}, name = {0};
        json_find_text(item, "state", &state);
        json_find_text(item, "name", &name);
        if (slice_eq(buf_slice(&state), SLICE("pending")))
            buf_printf(out,
                       "migrations/%04lld_%s.sql:1: is pending (expected applied: run `fura "
                       "migrate up`)\n",
                       json_find_integer(item, "version"), buf_cstr(&name));
        buf_free(&state);
        buf_free(&name);
    }
}

void migrations_check(const struct invocation *invocation, const struct conf *conf,
                      struct buf *problems, struct buf *warnings)
{
    struct buf folder = {0}, report = {0};
    struct slice list = SLICE("[]"), wrong, first;
    struct migrate_options options;
    size_t at = 0;

    if (migrations_options(invocation, conf, &folder, &options)) {
        options.json = true;
        migrate_status(&options, &report);
        json_find(buf_slice(&report), "migrations", &list);
        /* Files but no list of them: the database could not be asked. */
        bool unreachable = migrate_count(options.folder) > 0 && !json_next(list, &at, &first);
        if (json_find(buf_slice(&report), "problems", &wrong))
            add_lines(wrong, invocation->source.root, unreachable ? warnings : problems);
        add_pending(list, problems);
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
