/* check.c: `fura check`: everything a reload would do, without serving. */
#include "command/migrations.h"
#include "command/session.h"
#include "json.h"
#include "base/bundle.h"
#include "script/generation.h"
#include "script/watchdog.h"

#include <lauxlib.h>
#include <stdio.h>

static void print_json(struct slice problems, struct slice warnings, const char *hash)
{
    struct buf out = {0};
    buf_append_char(&out, '{');
    json_put_bool(&out, "ok", problems.len == 0);
    json_put_member(&out, "hash", slice_cstr(hash));
    json_put_lines(&out, "problems", problems);
    json_put_lines(&out, "warnings", warnings);
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

/* ---- what the application itself finds ---- */

static int l_report(lua_State *L)
{
    struct buf *problems = lua_touserdata(L, lua_upvalueindex(1));
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);

    buf_append(problems, text, len);
    buf_append_char(problems, '\n');
    return 0;
}

/* `check` of the application's table, when there is one: function(report), run as a task since it may wait for the
 * database. */
static void application_check(struct session *session, struct buf *problems)
{
    lua_State *L = session_lua(session);

    generation_push_member(session_generation(session), "check");
    if (!lua_isfunction(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_pushlightuserdata(L, problems);
    lua_pushcclosure(L, l_report, 1);
    session_call(session, 1, "check");
}

static void end_line(struct buf *problems)
{
    if (problems->len > 0 && problems->data[problems->len - 1] != '\n')
        buf_append_char(problems, '\n');
}

/* Whatever is wrong with the settings, with the sources or with the database, the others are looked at too. */
static struct session *look_at_all(const struct invocation *invocation, struct buf *problems,
                                   struct buf *warnings)
{
    struct buf of_database = {0};
    struct session *session = NULL;
    struct conf *conf;

    conf_load_what_is_sound(&invocation->source, &conf, problems);
    end_line(problems);
    if (!conf)
        return NULL;
    buf_append_slice(warnings, conf_warnings(conf));
    migrations_check(invocation, conf, &of_database, warnings);
    session = session_try(invocation, conf, "check", false, problems);
    end_line(problems);
    buf_append_slice(problems, buf_slice(&of_database));
    buf_free(&of_database);
    if (session)
        application_check(session, problems);
    return session;
}

int check_run(const struct invocation *invocation)
{
    struct buf problems = {0}, warnings = {0};

    watchdog_start();
    struct session *session = look_at_all(invocation, &problems, &warnings);

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
