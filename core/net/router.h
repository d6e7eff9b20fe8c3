/* router.h: which route answers a path. Patterns are made of segments:
 *
 *     /api/v1/cargos/{id}    any one segment that is not empty
 *     /pages/{n:int}         1 to 18 digits
 *     /things/{key:uuid}
 *     /static/{path:rest}    all that is left, at least one byte; only at the end
 *
 * A literal segment wins over a typed one, a typed one over a plain one, and those over the rest. Segments are
 * compared percent-decoded, but split before decoding: an encoded slash never splits. */
#pragma once

#include "base/result.h"
#include "base/slice.h"

enum { ROUTER_PARAMS_MAX = 8, ROUTER_ALLOW_MAX = 96 };

struct router;

struct router_param {
    struct slice name;  /* of the router */
    struct slice value; /* raw, of the path */
};

struct router_match {
    int index;
    unsigned param_count;
    struct router_param params[ROUTER_PARAMS_MAX];
    char allow[ROUTER_ALLOW_MAX]; /* on R_DENIED: "GET, HEAD, OPTIONS" */
};

struct router *router_new(void);
void router_free(struct router *router); /* NULL is fine */

/* R_INVALID: not a pattern; R_EXISTS: it would match exactly what an earlier one does. */
enum result router_add(struct router *router, const char *method, const char *pattern, int index,
                       struct failure *why);

/* R_OK; R_NOT_FOUND (also for a path with a `.` or `..` segment, encoded or not); R_DENIED: the path exists for other
 * methods (answer 405, or 204 to OPTIONS, with `allow`); R_INVALID: a bad percent escape or an encoded NUL. HEAD
 * falls back to GET. */
enum result router_match(const struct router *router, struct slice method, struct slice path,
                         struct router_match *match);
