/* router.c: see router.h. A tree with one level per segment; matching tries the branches of a node from the most
 * to the least particular, and goes back when a deeper level does not fit. */
#include "net/router.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum kind { LITERAL, INT, UUID, PLAIN, REST, KIND_COUNT };
enum { SEGMENTS_MAX = 32, METHODS_MAX = 8, INT_DIGITS_MAX = 18, UUID_LEN = 36 };

struct route {
    char *method, *pattern;
    int index;
    unsigned param_count;
    struct slice names[ROUTER_PARAMS_MAX]; /* in `pattern` */
    struct route *next;
};

struct node {
    char *text; /* LITERAL: the segment, decoded */
    size_t len;
    struct route *routes; /* that end here, one a method */
    struct node *branches[KIND_COUNT];
    struct node *next; /* sibling of the same kind */
};

struct router {
    struct node root;
};

struct router *router_new(void)
{
    return mem_new(struct router);
}

static void free_route(struct route *route)
{
    free(route->method);
    free(route->pattern);
    free(route);
}

static void free_node(struct node *node)
{
    while (node->routes) {
        struct route *route = node->routes;
        node->routes = route->next;
        free_route(route);
    }
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        while (node->branches[kind]) {
            struct node *branch = node->branches[kind];
            node->branches[kind] = branch->next;
            free_node(branch);
            free(branch->text);
            free(branch);
        }
    }
}

void router_free(struct router *router)
{
    if (!router)
        return;
    free_node(&router->root);
    free(router);
}

/* ---- building ---- */

static struct slice next_segment(struct slice *rest)
{
    const char *slash = rest->len ? memchr(rest->data, '/', rest->len) : NULL;
    struct slice segment = {rest->data, slash ? (size_t)(slash - rest->data) : rest->len};
    *rest = slash ? slice_from(*rest, segment.len + 1) : (struct slice){NULL, 0};
    return segment;
}

static bool is_name(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!(c == '_' || (c >= 'a' && c <= 'z') || (i && c >= '0' && c <= '9')))
            return false;
    }
    return text.len > 0;
}

/* `{name}` or `{name:type}`; KIND_COUNT when it is neither that nor a literal. */
static enum kind parse_segment(struct slice segment, struct slice *name)
{
    static const struct {
        struct slice word;
        enum kind kind;
    } types[] = {{{"int", 3}, INT}, {{"uuid", 4}, UUID}, {{"rest", 4}, REST}};

    if (segment.len < 2 || *segment.data != '{' || segment.data[segment.len - 1] != '}') {
        bool is_plain_text = !segment.len || (!memchr(segment.data, '{', segment.len) &&
                                              !memchr(segment.data, '}', segment.len) &&
                                              !memchr(segment.data, '%', segment.len));
        return is_plain_text ? LITERAL : KIND_COUNT;
    }
    struct slice inside = {segment.data + 1, segment.len - 2};
    const char *colon = inside.len ? memchr(inside.data, ':', inside.len) : NULL;
    *name = slice_of(inside.data, colon ? (size_t)(colon - inside.data) : inside.len);
    if (!is_name(*name))
        return KIND_COUNT;
    if (!colon)
        return PLAIN;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (slice_eq(slice_from(inside, name->len + 1), types[i].word))
            return types[i].kind;
    }
    return KIND_COUNT;
}

static struct node *branch_for(struct node *node, enum kind kind, struct slice text)
{
    struct node **at = &node->branches[kind];
    for (; *at; at = &(*at)->next) {
        if (kind != LITERAL || slice_eq(slice_of((*at)->text, (*at)->len), text))
            return *at;
    }
    *at = mem_new(struct node);
    if (kind == LITERAL) {
        (*at)->text = mem_strndup(text.data, text.len);
        (*at)->len = text.len;
    }
    return *at;
}

static struct route *find_route(const struct node *node, struct slice method)
{
    for (struct route *route = node->routes; route; route = route->next) {
        if (slice_eq(slice_cstr(route->method), method))
            return route;
    }
    return NULL;
}

/* The node where `route`'s pattern ends, its parameter names noted; NULL when it is not a pattern. Branches made on
 * the way by a pattern refused later lead nowhere and harm nothing. */
static struct node *walk_pattern(struct router *router, struct route *route)
{
    struct slice rest = slice_cstr(route->pattern);
    struct node *node = &router->root;
    if (rest.len == 0 || *rest.data != '/')
        return NULL;
    rest = slice_from(rest, 1);
    for (unsigned depth = 0; rest.data; depth++) {
        struct slice name = {NULL, 0}, segment = next_segment(&rest);
        enum kind kind = parse_segment(segment, &name);
        if (kind == KIND_COUNT || depth == SEGMENTS_MAX || (kind == REST && rest.data))
            return NULL;
        if (kind != LITERAL) {
            if (route->param_count == ROUTER_PARAMS_MAX)
                return NULL;
            route->names[route->param_count++] = name;
        }
        node = branch_for(node, kind, segment);
    }
    return node;
}

static unsigned count_routes(const struct node *node)
{
    unsigned count = 0;
    for (const struct route *route = node->routes; route; route = route->next)
        count++;
    return count;
}

enum result router_add(struct router *router, const char *method, const char *pattern, int index,
                       struct failure *why)
{
    struct route *route = mem_new(struct route);
    enum result rc = R_OK;
    route->method = mem_strdup(method);
    route->pattern = mem_strdup(pattern);
    route->index = index;

    struct node *node = walk_pattern(router, route);
    const struct route *other = node ? find_route(node, slice_cstr(method)) : NULL;
    if (!node)
        rc = fail(why, R_INVALID,
                  "«%s» is not a route pattern (expected /literal/{name}/{name:int|uuid}, and "
                  "{name:rest} only at the end)",
                  pattern);
    else if (other)
        rc = fail(why, R_EXISTS, "%s %s matches the same paths as %s %s", method, pattern,
                  other->method, other->pattern);
    else if (count_routes(node) == METHODS_MAX)
        rc = fail(why, R_INVALID, "%s has more than %d methods", pattern, METHODS_MAX);
    if (rc != R_OK) {
        free_route(route);
        return rc;
    }
    route->next = node->routes;
    node->routes = route;
    return R_OK;
}

/* ---- matching ---- */

struct walk {
    struct slice method;
    struct slice segments[SEGMENTS_MAX]; /* raw */
    unsigned segment_count;
    struct slice values[ROUTER_PARAMS_MAX];
    unsigned value_count;
    const struct route *found;
    const struct node *others[METHODS_MAX]; /* nodes that fit the path but not the method */
    unsigned other_count;
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One decoded byte at `*at`, which moves on; -1 for a bad escape or NUL. */
static int next_byte(struct slice segment, size_t *at)
{
    char c = segment.data[(*at)++];
    if (c != '%')
        return (unsigned char)c;
    if (segment.len - *at < 2)
        return -1;
    int high = hex_value(segment.data[*at]), low = hex_value(segment.data[*at + 1]);
    *at += 2;
    return high < 0 || low < 0 || high + low == 0 ? -1 : high << 4 | low;
}

static bool equals_decoded(struct slice segment, struct slice text)
{
    size_t at = 0, i = 0;
    while (at < segment.len && i < text.len) {
        if (next_byte(segment, &at) != (unsigned char)text.data[i++])
            return false;
    }
    return at == segment.len && i == text.len;
}

static bool is_int(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return text.len > 0 && text.len <= INT_DIGITS_MAX;
}

static bool is_uuid(struct slice text)
{
    if (text.len != UUID_LEN)
        return false;
    for (size_t i = 0; i < UUID_LEN; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text.data[i] != '-' : hex_value(text.data[i]) < 0)
            return false;
    }
    return true;
}

static bool fits(const struct node *branch, enum kind kind, struct slice segment)
{
    switch (kind) {
    case LITERAL:
        return equals_decoded(segment, slice_of(branch->text, branch->len));
    case INT:
        return is_int(segment);
    case UUID:
        return is_uuid(segment);
    default:
        return segment.len > 0;
    }
}

static bool take_node(struct walk *walk, const struct node *node)
{
    if (!node->routes)
        return false;
    walk->found = find_route(node, walk->method);
    if (!walk->found && slice_eq(walk->method, SLICE("HEAD")))
        walk->found = find_route(node, SLICE("GET"));
    if (!walk->found && walk->other_count < METHODS_MAX)
        walk->others[walk->other_count++] = node;
    return walk->found != NULL;
}

static struct slice join_from(const struct walk *walk, unsigned depth)
{
    struct slice last = walk->segments[walk->segment_count - 1];
    const char *start = walk->segments[depth].data;
    return slice_of(start, (size_t)(last.data + last.len - start));
}

static bool descend(struct walk *walk, const struct node *node, unsigned depth)
{
    if (depth == walk->segment_count)
        return take_node(walk, node);
    unsigned value_count = walk->value_count;
    for (enum kind kind = LITERAL; kind < REST; kind++) {
        for (const struct node *branch = node->branches[kind]; branch; branch = branch->next) {
            if (!fits(branch, kind, walk->segments[depth]))
                continue;
            if (kind != LITERAL)
                walk->values[walk->value_count++] = walk->segments[depth];
            if (descend(walk, branch, depth + 1))
                return true;
            walk->value_count = value_count;
        }
    }
    struct slice rest = join_from(walk, depth);
    if (!node->branches[REST] || rest.len == 0)
        return false;
    walk->values[walk->value_count++] = rest;
    if (take_node(walk, node->branches[REST]))
        return true;
    walk->value_count = value_count;
    return false;
}

/* `.`, `..`, bad escapes: decided on the decoded bytes. */
static enum result check_segment(struct slice segment)
{
    size_t at = 0, len = 0;
    bool only_dots = true;
    while (at < segment.len) {
        int byte = next_byte(segment, &at);
        if (byte < 0)
            return R_INVALID;
        only_dots = only_dots && byte == '.';
        len++;
    }
    return only_dots && (len == 1 || len == 2) ? R_NOT_FOUND : R_OK;
}

static enum result split(struct walk *walk, struct slice path)
{
    enum result rc = R_OK;
    if (path.len == 0 || *path.data != '/')
        return R_NOT_FOUND;
    struct slice rest = {path.data + 1, path.len - 1};
    while (rest.data) {
        struct slice segment = next_segment(&rest);
        enum result checked = check_segment(segment);
        if (checked == R_INVALID)
            return checked;
        if (checked != R_OK)
            rc = checked;
        if (walk->segment_count == SEGMENTS_MAX)
            return R_NOT_FOUND;
        walk->segments[walk->segment_count++] = segment;
    }
    return rc;
}

static void add_allowed(struct router_match *match, const char *method)
{
    size_t len = strlen(match->allow);
    snprintf(match->allow + len, sizeof match->allow - len, "%s%s", len ? ", " : "", method);
}

static bool is_listed(const char *allow, const char *method)
{
    size_t len = strlen(method);
    for (const char *at = allow; (at = strstr(at, method)); at += len) {
        if ((at == allow || at[-1] == ' ') && (at[len] == '\0' || at[len] == ','))
            return true;
    }
    return false;
}

static void list_allowed(const struct walk *walk, struct router_match *match)
{
    for (unsigned i = 0; i < walk->other_count; i++) {
        for (const struct route *route = walk->others[i]->routes; route; route = route->next) {
            if (!is_listed(match->allow, route->method))
                add_allowed(match, route->method);
        }
    }
    if (is_listed(match->allow, "GET") && !is_listed(match->allow, "HEAD"))
        add_allowed(match, "HEAD");
    if (!is_listed(match->allow, "OPTIONS"))
        add_allowed(match, "OPTIONS");
}

enum result router_match(const struct router *router, struct slice method, struct slice path,
                         struct router_match *match)
{
    struct walk walk;
    walk.method = method;
    walk.segment_count = walk.value_count = walk.other_count = 0;
    walk.found = NULL;
    match->param_count = 0;
    match->allow[0] = '\0';

    enum result rc = split(&walk, path);
    if (rc != R_OK)
        return rc;
    if (!descend(&walk, &router->root, 0)) {
        if (walk.other_count == 0)
            return R_NOT_FOUND;
        list_allowed(&walk, match);
        return R_DENIED;
    }
    match->index = walk.found->index;
    match->param_count = walk.found->param_count;
    for (unsigned i = 0; i < match->param_count; i++)
        match->params[i] = (struct router_param){walk.found->names[i], walk.values[i]};
    return R_OK;
}
