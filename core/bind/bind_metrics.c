/* bind_metrics.c: host.metrics. Names get the prefix fura_; labels become Prometheus text, sorted by name, so that one
 * set of labels is one series. metrics_find() takes no lock for a series that exists, so handles are not kept. */
#include "bind/bind.h"
#include "base/metrics.h"

#include <stdlib.h>

enum { NAME_MAX_BYTES = 96, LABELS_MAX = 10, TEXT_MAX_BYTES = 400 };

/* Text that stops at its end: metrics_find() refuses it for its length then, and counts that. */
struct text {
    char data[TEXT_MAX_BYTES];
    size_t len;
};

struct label {
    const char *name;
    struct slice value;
};

static struct metrics *metrics_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static void put(struct text *text, char c)
{
    if (text->len < sizeof text->data)
        text->data[text->len++] = c;
}

static void put_value(struct text *text, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (c == '"' || c == '\\' || c == '\n')
            put(text, '\\');
        put(text, c == '\n' ? 'n' : c);
    }
}

static bool is_label_name(const char *name)
{
    for (size_t i = 0; name[i]; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name[0] && strcmp(name, "le") != 0; /* le belongs to histograms */
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* Numbers and booleans as values are fine; the texts made of them stay on the stack. */
static struct slice label_value(lua_State *L)
{
    if (lua_isboolean(L, -1))
        return slice_cstr(lua_toboolean(L, -1) ? "true" : "false");
    if (!lua_isstring(L, -1))
        luaL_error(L, "label '%s' must be a string, not a %s", lua_tostring(L, -2),
                   luaL_typename(L, -1));
    size_t len;
    const char *data = lua_tolstring(L, -1, &len);
    return slice_of(data, len);
}

static void check_labels(lua_State *L, int index, struct text *text)
{
    struct label labels[LABELS_MAX];
    unsigned count = 0;
    text->len = 0;
    if (lua_isnoneornil(L, index))
        return;
    luaL_checktype(L, index, LUA_TTABLE);
    luaL_checkstack(L, LABELS_MAX + 4, "labels");
    for (lua_pushnil(L); lua_next(L, index);) {
        if (lua_type(L, -2) != LUA_TSTRING || !is_label_name(lua_tostring(L, -2)))
            luaL_error(L, "a label name has letters, digits and _, and is not 'le'");
        if (count == LABELS_MAX)
            luaL_error(L, "too many labels (at most %d)", LABELS_MAX);
        struct slice value = label_value(L);
        labels[count++] = (struct label){lua_tostring(L, -2), value};
        lua_insert(L, -2); /* keep the value below the key, which lua_next() takes */
    }
    qsort(labels, count, sizeof *labels, by_name);
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            put(text, ',');
        put_value(text, slice_cstr(labels[i].name));
        put(text, '=');
        put(text, '"');
        put_value(text, labels[i].value);
        put(text, '"');
    }
}

/* The series of the name in argument 1 and the labels at `labels_index`. */
static struct metric *find(lua_State *L, enum metric_kind kind, int labels_index)
{
    char name[NAME_MAX_BYTES] = "fura_";
    struct slice suffix = bind_check_slice(L, 1);
    luaL_argcheck(L, suffix.len > 0 && suffix.len < sizeof name - 5, 1, "not a metric's name");
    memcpy(name + 5, suffix.data, suffix.len);
    struct text labels;
    check_labels(L, labels_index, &labels);
    return metrics_find(metrics_of(L), kind, slice_of(name, suffix.len + 5),
                        slice_of(labels.data, labels.len));
}

/* metrics.count(name, labels, delta) */
static int l_count(lua_State *L)
{
    double delta = luaL_optnumber(L, 3, 1);
    luaL_argcheck(L, delta >= 0, 3, "a counter only grows");
    metric_add(find(L, METRIC_COUNTER, 2), delta);
    return 0;
}

/* metrics.gauge(name, value, labels) */
static int l_gauge(lua_State *L)
{
    double value = luaL_checknumber(L, 2);
    metric_set(find(L, METRIC_GAUGE, 3), value);
    return 0;
}

/* metrics.observe(name, seconds, labels) */
static int l_observe(lua_State *L)
{
    double seconds = luaL_checknumber(L, 2);
    luaL_argcheck(L, seconds >= 0, 2, "not a duration in seconds");
    metric_observe(find(L, METRIC_HISTOGRAM, 3), seconds);
    return 0;
}

/* metrics.render() -> Prometheus text */
static int l_render(lua_State *L)
{
    metrics_render(metrics_of(L), bind_scratch());
    return bind_push_scratch(L);
}

static const luaL_Reg functions[] = {
    {"count", l_count},   {"gauge", l_gauge}, {"observe", l_observe},
    {"render", l_render}, {NULL, NULL},
};

void bind_metrics_open(lua_State *L, struct host *host)
{
    if (host->metrics)
        bind_module(L, functions, host->metrics);
    else
        lua_pushnil(L);
}
