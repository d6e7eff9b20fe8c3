/* extension.c: commands the application brings. lua/commands/NAME.lua returns a table:
 *   about = "one line", usage = "jobs [run NAME]",
 *   run = function(args, context)   args: list of strings; context: {json = boolean, root = folder, call = function}
 * context.call(name, value) asks the running server's `calls` (script/answers.c) and gives value, or nil and a failure.
 * run returns an exit status, nothing, or nil and a failure. */
#include "command/command.h"
#include "command/client.h"
#include "command/session.h"
#include "json.h"
#include "base/file.h"
#include "base/mem.h"
#include "bind/bind.h"
#include "script/watchdog.h"
#include "extension.lua.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SOURCE_MAX_BYTES = 1 << 20 };

static void put_path(const char *root, const char *name, struct buf *out)
{
    buf_printf(out, "%s/lua/commands/%s.lua", root, name);
}

static bool is_word(const char *name)
{
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

bool extension_exists(const struct conf_source *source, const char *name)
{
    struct buf path = {0};
    put_path(source->root, name, &path);
    bool exists = is_word(name) && access(buf_cstr(&path), F_OK) == 0;
    buf_free(&path);
    return exists;
}

/* ---- what they say about themselves ---- */

/* Leaves two values, about and usage, on a state of its own; NULL when the file cannot be read. */
static lua_State *describe(const char *root, const char *name)
{
    struct buf path = {0}, source = {0};
    lua_State *L = NULL;

    put_path(root, name, &path);
    if (file_read(buf_cstr(&path), SOURCE_MAX_BYTES, &source) == R_OK) {
        L = luaL_newstate();
        luaL_openlibs(L);
        luaL_loadbuffer(L, (const char *)extension_lua, sizeof extension_lua, "=extension.lua");
        lua_pushlstring(L, source.data ? source.data : "", source.len);
        lua_pushstring(L, buf_cstr(&path));
        if (lua_pcall(L, 2, 2, 0) != 0) {
            lua_close(L);
            L = NULL;
        }
    }
    buf_free(&path);
    buf_free(&source);
    return L;
}

struct listing {
    const char *root;
    void (*visit)(void *owner, const char *name, const char *about);
    void *owner;
};

static void on_file(void *owner, const char *relative_path)
{
    const struct listing *listing = owner;
    size_t len = strlen(relative_path);

    if (len <= 4 || strcmp(relative_path + len - 4, ".lua") != 0)
        return;
    char *name = mem_strndup(relative_path, len - 4);
    lua_State *L = is_word(name) ? describe(listing->root, name) : NULL;
    if (L) {
        listing->visit(listing->owner, name, lua_tostring(L, -2));
        lua_close(L);
    }
    free(name);
}

void extension_each(const struct conf_source *source,
                    void (*visit)(void *owner, const char *name, const char *about), void *owner)
{
    struct listing listing = {source->root, visit, owner};
    struct buf folder = {0};
    buf_printf(&folder, "%s/lua/commands", source->root);
    file_walk(buf_cstr(&folder), on_file, &listing);
    buf_free(&folder);
}

int extension_help(const struct invocation *invocation)
{
    lua_State *L = describe(invocation->source.root, invocation->word);
    if (!L)
        return EXIT_REFUSED;
    const char *usage = lua_tostring(L, -1);
    printf("usage: fura %s\n\n%s\n", usage ? usage : invocation->word, lua_tostring(L, -2));
    lua_close(L);
    return EXIT_OK;
}

/* ---- running one ---- */

/* What the server's answer means to a script: a value, or nil and a failure. */
static int push_answer(lua_State *L, struct slice reply)
{
    bool ok = json_find_bool(reply, "ok", false);
    struct failure why = {.rc = R_REJECTED};
    struct buf error = {0};
    struct slice value;

    if (json_find(reply, ok ? "value" : "failure", &value)) {
        if (!ok)
            lua_pushnil(L);
        if (bind_json_decode(L, value, &why))
            return ok ? 1 : 2;
    }
    json_find_text(reply, "error", &error);
    fail(&why, R_REJECTED, "%s", buf_cstr(&error));
    buf_free(&error);
    return bind_failure_of(L, &why, "server");
}

/* call(name, value): blocks, which is fine in a command: nothing else runs in this process. */
static int l_call(lua_State *L)
{
    const struct conf *conf = lua_touserdata(L, lua_upvalueindex(1));
    const char *name = luaL_checkstring(L, 1);
    struct buf *input = bind_scratch(); /* encoding may raise: nothing of ours is held then */
    struct buf path = {0}, request = {0}, reply = {0};
    struct failure why = {.rc = R_UNAVAILABLE};

    lua_settop(L, 2);
    bind_json_encode(L, 2, input);
    buf_append_slice(&request, SLICE("{\"command\":\"call\""));
    json_put_member(&request, "name", slice_cstr(name));
    json_put_name(&request, "input");
    buf_append_slice(&request, buf_slice(input));
    buf_append_char(&request, '}');
    bool answered = client_path(conf, &path) &&
                    client_exchange(buf_cstr(&path), buf_slice(&request), &reply, &why);
    int results = answered ? push_answer(L, buf_slice(&reply)) : bind_failure_of(L, &why, "server");
    buf_free(&path);
    buf_free(&request);
    buf_free(&reply);
    return results;
}

static void push_arguments(struct session *session, const struct invocation *invocation)
{
    lua_State *L = session_lua(session);

    lua_createtable(L, invocation->argc, 0);
    for (int i = 0; i < invocation->argc; i++) {
        lua_pushstring(L, invocation->argv[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_createtable(L, 0, 3);
    lua_pushboolean(L, invocation->json);
    lua_setfield(L, -2, "json");
    lua_pushstring(L, invocation->source.root);
    lua_setfield(L, -2, "root");
    lua_pushlightuserdata(L, (void *)session_conf(session));
    lua_pushcclosure(L, l_call, 1);
    lua_setfield(L, -2, "call");
}

/* Loads the file inside a task, as it may require what waits: then hands over to its run().
 * A wrong use, 2, is answered with the usage. */
static const char starter[] =
    "local chunk, name = ...\n"
    "return function(args, context)\n"
    "  local command = chunk(name)\n"
    "  local status, problem = command.run(args, context)\n"
    "  if status == 2 then io.stderr:write('usage: fura ', command.usage, '\\n') end\n"
    "  return status, problem\n"
    "end\n";

int extension_run(const struct invocation *invocation)
{
    int status = EXIT_REFUSED;
    struct buf path = {0};

    watchdog_start(); /* rules and plugins that a command runs have their budgets */
    struct session *session = session_open(invocation, "run", true);
    buf_printf(&path, "lua/commands/%s.lua", invocation->word);
    if (session && session_load(session, slice_cstr(starter), "=extension") &&
        session_load_bundled(session, buf_cstr(&path))) {
        lua_State *L = session_lua(session);
        lua_pushstring(L, invocation->word);
        lua_call(L, 2, 1);
        push_arguments(session, invocation);
        status = session_call(session, 2, invocation->word);
    }
    if (session)
        session_close(session);
    watchdog_stop();
    buf_free(&path);
    return status;
}
