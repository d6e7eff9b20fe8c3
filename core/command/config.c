/* config.c: `fura config`: the settings in force, where each comes from, secrets masked. */
#include "command/command.h"
#include "json.h"

#include <stdio.h>

static void print_line(void *owner, const char *key, struct slice value, const char *origin)
{
    (void)owner;
    printf("%-32s %-40.*s  # %s\n", key, (int)value.len, value.data, origin);
}

static void add_member(void *owner, const char *key, struct slice value, const char *origin)
{
    struct buf *out = owner;
    json_put_name(out, key);
    buf_append_slice(out, SLICE("{\"value\":"));
    buf_append_slice(out, value);
    json_put_member(out, "origin", slice_cstr(origin));
    buf_append_char(out, '}');
}

int config_run(const struct invocation *invocation)
{
    struct conf *conf = command_conf(invocation);
    struct buf out = {0};

    if (!conf)
        return EXIT_REFUSED;
    if (invocation->json) {
        buf_append_char(&out, '{');
        conf_each(conf, add_member, &out);
        buf_append_slice(&out, SLICE("}\n"));
        fwrite(out.data, 1, out.len, stdout);
    } else {
        conf_each(conf, print_line, NULL);
    }
    buf_free(&out);
    conf_free(conf);
    return EXIT_OK;
}
