/* conf_env.c: environment variables as settings see them: NAME, or NAME_FILE with the path of a
 * file that holds the value (how containers pass secrets), over what a .env file says in
 * development. */
#include "base/conf_parts.h"
#include "base/file.h"
#include "base/mem.h"

#include <stdlib.h>

enum { VALUE_MAX_BYTES = 64 * 1024 };

struct variable {
    char *name, *value;
    int line;
};

struct conf_env {
    struct variable *list; /* of the .env file */
    unsigned count;
    char *shown; /* its path, for people */
};

struct conf_env *conf_env_new(void)
{
    return mem_new(struct conf_env);
}

void conf_env_drop_dotenv(struct conf_env *env)
{
    for (unsigned i = 0; i < env->count; i++) {
        free(env->list[i].name);
        free(env->list[i].value);
    }
    free(env->list);
    free(env->shown);
    *env = (struct conf_env){0};
}

void conf_env_free(struct conf_env *env)
{
    conf_env_drop_dotenv(env);
    free(env);
}

bool conf_env_has_dotenv(const struct conf_env *env)
{
    return env->count > 0;
}

/* ---- .env ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice text)
{
    while (text.len > 0 && is_blank(text.data[0]))
        text = slice_from(text, 1);
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

static size_t name_length(struct slice text)
{
    size_t len = 0;
    while (len < text.len &&
           (text.data[len] == '_' || (text.data[len] >= 'A' && text.data[len] <= 'Z') ||
            (text.data[len] >= 'a' && text.data[len] <= 'z') ||
            (len > 0 && text.data[len] >= '0' && text.data[len] <= '9')))
        len++;
    return len;
}

/* The text between quotes; in double ones \n, \" and \\ are unescaped. False when it does not end.
 */
static bool unquote(struct slice text, struct buf *out)
{
    char quote = text.data[0];
    for (size_t i = 1; i < text.len; i++) {
        char c = text.data[i];
        if (c == quote) {
            struct slice rest = trim(slice_from(text, i + 1));
            return rest.len == 0 || rest.data[0] == '#';
        }
        if (c == '\\' && quote == '"' && i + 1 < text.len) {
            c = text.data[++i];
            c = c == 'n' ? '\n' : c;
        }
        buf_append_char(out, c);
    }
    return false;
}

/* A comment after an unquoted value starts with « #»: a bare # may well be part of a password. */
static struct slice without_comment(struct slice text)
{
    for (size_t i = 1; i < text.len; i++)
        if (text.data[i] == '#' && is_blank(text.data[i - 1]))
            return trim(slice_of(text.data, i));
    return text;
}

/* False when the line is neither blank, a comment, nor NAME=value. */
static bool read_line(struct conf_env *env, struct slice text, int line)
{
    text = trim(text);
    if (text.len == 0 || text.data[0] == '#')
        return true;
    if (slice_starts(text, SLICE("export ")))
        text = trim(slice_from(text, 7));
    size_t len = name_length(text);
    struct slice rest = trim(slice_from(text, len));
    if (len == 0 || rest.len == 0 || rest.data[0] != '=')
        return false;

    struct slice value = trim(slice_from(rest, 1));
    struct buf out = {0};
    bool quoted = value.len > 0 && (value.data[0] == '"' || value.data[0] == '\'');
    if (!quoted)
        buf_append_slice(&out,
                         value.len && value.data[0] == '#' ? SLICE("") : without_comment(value));
    bool good = !quoted || unquote(value, &out);
    if (good) {
        env->list = mem_realloc(env->list, (env->count + 1) * sizeof *env->list);
        env->list[env->count++] =
            (struct variable){mem_strndup(text.data, len), mem_strdup(buf_cstr(&out)), line};
    }
    buf_free(&out);
    return good;
}

void conf_env_read_dotenv(struct conf_env *env, const char *path, const char *shown,
                          struct conf_problems *problems)
{
    struct buf text = {0};
    enum result rc = file_read(path, 1 << 20, &text);
    if (rc != R_OK && rc != R_NOT_FOUND)
        conf_problem_add(problems, shown, 0, "cannot be read (expected a file of at most 1 MiB)");
    env->shown = mem_strdup(shown);
    struct slice rest = buf_slice(&text);
    for (int line = 1; rest.len > 0; line++)
        if (!read_line(env, slice_cut(&rest, '\n'), line))
            conf_problem_add(problems, shown, line,
                             "is not understood (expected NAME=value, got something else)");
    buf_free(&text);
}

/* ---- look-up ---- */

/* A variable's text and where it stands; NULL value when it is unset or empty. */
struct hit {
    const char *value;
    int line; /* in .env, 0 = the process environment */
};

static struct hit in_process(const char *name)
{
    const char *value = getenv(name);
    return (struct hit){.value = value && *value ? value : NULL};
}

static struct hit in_dotenv(const struct conf_env *env, const char *name)
{
    struct hit hit = {0};
    for (unsigned i = 0; i < env->count; i++)
        if (strcmp(env->list[i].name, name) == 0 && *env->list[i].value)
            hit = (struct hit){env->list[i].value, env->list[i].line};
    return hit;
}

static enum result read_value_file(const char *path, struct buf *value, struct buf *why)
{
    struct buf text = {0};
    enum result rc = file_read(path, VALUE_MAX_BYTES, &text);
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    if (rc == R_OK && text.len > 0) {
        buf_append_slice(value, buf_slice(&text));
    } else {
        buf_printf(why,
                   "its file cannot be used (expected a file with the value in it, got %s: %s)",
                   rc == R_OK ? "an empty one" : result_code(rc), path);
        rc = R_INVALID;
    }
    buf_free(&text);
    return rc;
}

enum result conf_env_get(const struct conf_env *env, const char *name, struct buf *value,
                         struct buf *origin, struct buf *why)
{
    struct buf file_name = {0};
    buf_printf(&file_name, "%s_FILE", name);
    struct hit plain = in_process(name), file = in_process(buf_cstr(&file_name));
    if (!plain.value && !file.value) {
        plain = in_dotenv(env, name);
        file = in_dotenv(env, file_name.data);
    }
    enum result rc = R_OK;
    struct hit used = plain.value ? plain : file;
    if (used.line > 0)
        buf_printf(origin, "%s:%d", env->shown, used.line);
    else
        buf_printf(origin, "environment %s", plain.value ? name : file_name.data);

    if (!used.value) {
        rc = R_NOT_FOUND;
    } else if (plain.value && file.value) {
        buf_printf(why, "is given twice (expected %s or %s, got both)", name, file_name.data);
        rc = R_INVALID;
    } else if (plain.value) {
        buf_append_slice(value, slice_cstr(plain.value));
    } else {
        rc = read_value_file(file.value, value, why);
    }
    buf_free(&file_name);
    return rc;
}
