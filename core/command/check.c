/* check.c: `fura check`: everything a reload would do, without serving. */
#include "command/migrations.h"
#include "command/session.h"
#include "json.h"
#include "base/bundle.h"
#include "base/json_text.h"
#include "script/generation.h"
#include "script/watchdog.h"

#include <stdio.h>

static void put_lines(struct buf *out, const char *name, struct slice lines)
{
    json_put_name(out, name);
    buf_append_char(out, '[');
    while (lines.len > 0) {
        const char *newline = memchr(lines.data, '\n', lines.len);
        size_t len = newline ? (size_t)(newline - lines.data) : lines.len;
        json_put_comma(out);
        json_text_append(out, slice_of(lines.data, len));
        lines = slice_from(lines, len + 1);
    }
    buf_append_char(out, ']');
}

static void print_json(struct slice problems, struct slice warnings, const char *hash)
{
    struct buf out = {0};
    buf_append_char(&out, '{');
    json_put_bool(&out, "ok", problems.len == 0);
    json_put_member(&out, "hash", slice_cstr(hash));
    put_lines(&out, "problems", problems);
    put_lines(&out, "warnings", warnings);
    buf_append_char(&out, '}');
    printf("%s\n", buf_cstr(&out));
    buf_free(&out);
}

static void print_lines(struct slice problems, struct slice warnings, struct session *session)
{
    if (warnings.len > 0)
        printf("%.*s", (int)warnings.len, warnings.data);
    if (problems.len > 0) {
        printf("%.*s", (int)problems.len, problems.data);
        return;
    }
    const struct bundle *bundle = generation_bundle(session_generation(session));
    printf("ok: %u files, %.12s\n", bundle_count(bundle), bundle_hash(bundle));
}

int check_run(const struct invocation *invocation)
{
    struct buf problems = {0}, warnings = {0};
    struct conf *conf = NULL;

    if (invocation->argc > 0)
        return command_usage(invocation);
    /* For its warnings alone: the session reports what is wrong. */
    if (conf_load(&invocation->source, &conf, &problems) == R_OK) {
        buf_append_slice(&warnings, conf_warnings(conf));
        conf_free(conf);
    }
    buf_clear(&problems);
    watchdog_start();
    struct session *session = session_try(invocation, "check", false, &problems);
    if (session)
        migrations_check(invocation, session_conf(session), &problems, &warnings);
    if (problems.len > 0 && problems.data[problems.len - 1] != '\n')
        buf_append_char(&problems, '\n');

    if (invocation->json)
        print_json(buf_slice(&problems), buf_slice(&warnings),
                   session ? bundle_hash(generation_bundle(session_generation(session))) : "");
    else
        print_lines(buf_slice(&problems), buf_slice(&warnings), session);
    int status = problems.len > 0 ? EXIT_REFUSED : EXIT_OK;
    if (session)
        session_close(session);
    watchdog_stop();
    buf_free(&problems);
    buf_free(&warnings);
    return status;
}
