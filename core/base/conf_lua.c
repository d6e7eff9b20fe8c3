/* conf_lua.c: the bare Lua that evaluates a conf file. It has no libraries, only env(), file() and
 * include(); its memory is capped and its instructions are counted, so that a mistake cannot hang
 * or swell a start or a reload. */
#include "base/conf_parts.h"
#include "base/file.h"
#include "base/mem.h"

#include <lauxlib.h>
#include <luajit.h>
#include <stdlib.h>

enum {
    MEMORY_MAX_BYTES = 64 << 20,
    INSTRUCTIONS_MAX = 20 * 1000 * 1000,
    FILE_MAX_BYTES = 1 << 20,
    INCLUDE_DEPTH_MAX = 8,
};

static void *allocate(void *owner, void *ptr, size_t old_size, size_t size)
{
    size_t *used = owner;
    if (size == 0) {
        free(ptr);
        *used -= old_size;
        return NULL;
    }
    if (*used - old_size + size > MEMORY_MAX_BYTES)
        return NULL;
    void *next = realloc(ptr, size);
    if (next)
        *used += size - old_size;
    return next;
}

lua_State *conf_lua_new(void)
{
    size_t *used = mem_new(size_t);
    lua_State *L = lua_newstate(allocate, used);
    if (!L)
        abort();
    /* The count hook below is blind in compiled code. */
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    return L;
}

void conf_lua_free(lua_State *L)
{
    void *used;
    if (!L)
        return;
    lua_getallocf(L, &used);
    lua_close(L);
    free(used);
}

static void on_budget_spent(lua_State *L, lua_Debug *ar)
{
    lua_getinfo(L, "Sl", ar); /* luaL_error would name the caller's line */
    lua_pushfstring(L, "%s:%d: runs for too long (expected an end, got an endless loop?)",
                    ar->short_src, ar->currentline);
    lua_error(L);
}

bool conf_lua_call(lua_State *L, int nargs, int nresults)
{
    lua_sethook(L, on_budget_spent, LUA_MASKCOUNT, INSTRUCTIONS_MAX);
    int rc = lua_pcall(L, nargs, nresults, 0);
    lua_sethook(L, NULL, 0, 0);
    if (rc != 0 && !lua_isstring(L, -1)) {
        lua_pop(L, 1);
        lua_pushstring(L, "failed with an error that is not text");
    }
    return rc == 0;
}

/* ---- paths ---- */

const char *conf_shown_path(const char *root, const char *path)
{
    size_t len = strlen(root);
    return strncmp(path, root, len) == 0 && path[len] == '/' ? path + len + 1 : path;
}

void conf_resolve_path(const char *beside, const char *name, struct buf *out)
{
    const char *slash = strrchr(beside, '/');
    if (name[0] != '/' && slash)
        buf_append(out, beside, (size_t)(slash + 1 - beside));
    buf_append_slice(out, slice_cstr(name));
}

/* ---- what a conf file may call ---- */

struct evaluation {
    const char *root, *path; /* path: the file that is running now */
    const struct conf_env *env;
    int depth;
};

static struct evaluation *evaluation_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* Move `text` onto the Lua stack and free it: a raise would leak it otherwise. */
static const char *push_buf(lua_State *L, struct buf *text)
{
    lua_pushlstring(L, text->data ? text->data : "", text->len);
    buf_free(text);
    return lua_tostring(L, -1);
}

/* env(NAME, default): the variable's text, else the default, else nil. */
static int l_env(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    struct buf value = {0}, origin = {0}, why = {0};
    enum result rc = conf_env_get(evaluation_of(L)->env, name, &value, &origin, &why);
    buf_free(&origin);
    const char *problem = push_buf(L, &why);
    push_buf(L, &value);
    if (rc == R_INVALID)
        return luaL_error(L, "env \"%s\": %s", name, problem);
    if (rc != R_OK)
        lua_settop(L, 2);
    return 1;
}

/* Push the content of the file named by argument 1, or raise; its path is left below. */
static void push_file(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    struct buf path = {0}, text = {0};
    conf_resolve_path(evaluation_of(L)->path, name, &path);
    enum result rc = file_read(buf_cstr(&path), FILE_MAX_BYTES, &text);
    push_buf(L, &path);
    push_buf(L, &text);
    if (rc != R_OK)
        luaL_error(L, "cannot read \"%s\" (expected a readable file of at most 1 MiB, got %s)",
                   name, result_code(rc));
}

/* file(PATH): its text without the line break at the end, which editors add to secrets. */
static int l_file(lua_State *L)
{
    push_file(L);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    lua_pushlstring(L, text, len);
    return 1;
}

/* Run the Lua source at the top of the stack as the file `path`; raises. Leaves the table it
 * returned. */
static void run_source(lua_State *L, struct evaluation *evaluation, const char *path)
{
    size_t len;
    const char *source = lua_tolstring(L, -1, &len);
    const char *shown = conf_shown_path(evaluation->root, path);
    const char *outer = evaluation->path;
    lua_pushfstring(L, "@%s", shown);
    if (luaL_loadbufferx(L, source, len, lua_tostring(L, -1), "t") != 0)
        lua_error(L);
    evaluation->path = path;
    evaluation->depth++;
    lua_call(L, 0, 1);
    evaluation->depth--;
    evaluation->path = outer;
    if (!lua_istable(L, -1))
        luaL_error(L, "%s returns no settings (expected a table, got %s)",
                   evaluation->depth > 0 ? shown : "the file", luaL_typename(L, -1));
}

/* include(PATH): the table that another conf file returns. */
static int l_include(lua_State *L)
{
    struct evaluation *evaluation = evaluation_of(L);
    if (evaluation->depth > INCLUDE_DEPTH_MAX)
        return luaL_error(L, "include is nested too deeply (expected at most %d, got a circle?)",
                          INCLUDE_DEPTH_MAX);
    push_file(L);
    run_source(L, evaluation, lua_tostring(L, -2));
    return 1;
}

/* An undefined name would be nil, and nil would quietly mean «the default». */
static int l_unknown_name(lua_State *L)
{
    return luaL_error(L, "unknown name \"%s\" (expected env, file, include or a local)",
                      lua_tostring(L, 2));
}

static int l_global_write(lua_State *L)
{
    return luaL_error(L,
                      "\"%s\" is assigned outside of the table (expected a key of the returned "
                      "table, or a local)",
                      lua_tostring(L, 2));
}

static const luaL_Reg vocabulary[] = {{"env", l_env}, {"file", l_file}, {"include", l_include}};

static void open_vocabulary(lua_State *L, struct evaluation *evaluation)
{
    for (size_t i = 0; i < sizeof vocabulary / sizeof *vocabulary; i++) {
        lua_pushlightuserdata(L, evaluation);
        lua_pushcclosure(L, vocabulary[i].func, 1);
        lua_setglobal(L, vocabulary[i].name);
    }
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, l_unknown_name);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_global_write);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, LUA_GLOBALSINDEX);
}

/* Runs protected: argument 1 is the evaluation, 2 the source. */
static int l_evaluate(lua_State *L)
{
    struct evaluation *evaluation = lua_touserdata(L, 1);
    open_vocabulary(L, evaluation);
    run_source(L, evaluation, evaluation->path);
    return 1;
}

bool conf_lua_evaluate(lua_State *L, const char *root, const char *path, const struct conf_env *env,
                       struct conf_problems *problems)
{
    struct evaluation evaluation = {.root = root, .path = path, .env = env};
    const char *shown = conf_shown_path(root, path);
    struct buf source = {0};
    enum result rc = file_read(path, FILE_MAX_BYTES, &source);
    if (rc != R_OK) {
        conf_problem_add(problems, shown, 0, "cannot be read (expected a conf file, got %s)",
                         result_code(rc));
        return false;
    }
    lua_pushcfunction(L, l_evaluate);
    lua_pushlightuserdata(L, &evaluation);
    push_buf(L, &source);
    if (conf_lua_call(L, 2, 1))
        return true;
    conf_problem_add_text(problems, conf_shown_path(root, evaluation.path), lua_tostring(L, -1));
    lua_pop(L, 1);
    return false;
}
