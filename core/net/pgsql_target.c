/* pgsql_target.c: see pgsql_target.h. */
#include "net/pgsql_target.h"
#include "base/buf.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/resolve.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdlib.h>

enum { HOSTS_MAX = 16, PLACES_MAX = 64, PARAMS_MAX = 64 };

struct host {
    char *name, *address, *port; /* "" where the URI says nothing */
};

struct pgsql_target {
    struct loop *loop;
    struct resolve *resolve;
    PQconninfoOption *options;
    char *application_name;
    struct host hosts[HOSTS_MAX];
    unsigned host_count, rotation;
};

/* One address to try. */
struct place {
    const struct host *host;
    char address[INET6_ADDRSTRLEN];
};

struct lookup_name {
    struct pgsql_lookup *lookup;
    const struct host *host;
    struct resolve_question *question;
};

struct pgsql_lookup {
    struct pgsql_target *target;
    pgsql_located *done;
    void *owner;
    struct loop_later later;
    struct lookup_name names[HOSTS_MAX];
    unsigned unanswered, place_count;
    struct place places[PLACES_MAX];
};

struct params {
    const char *keywords[PARAMS_MAX + 1], *values[PARAMS_MAX + 1];
    unsigned count;
};

/* ---- taking the URI apart ---- */

static PQconninfoOption *find_option(PQconninfoOption *options, const char *keyword)
{
    for (PQconninfoOption *option = options; option->keyword; option++)
        if (strcmp(option->keyword, keyword) == 0)
            return option;
    return NULL;
}

/* The environment counts as well: libpq would read PGHOST itself, and block on the name in it. */
static const char *option_value(PQconninfoOption *options, const char *keyword)
{
    const PQconninfoOption *option = find_option(options, keyword);
    const char *value = option ? option->val : NULL;
    if (!value && option && option->envvar)
        value = getenv(option->envvar);
    return value ? value : "";
}

static unsigned split(const char *list, char **parts)
{
    unsigned count = 0;
    while (*list && count < HOSTS_MAX) {
        size_t len = strcspn(list, ",");
        parts[count++] = mem_strndup(list, len);
        list += len + (list[len] == ',');
    }
    return count;
}

static char *take_part(char **parts, unsigned count, unsigned index)
{
    return index < count ? parts[index] : mem_strdup("");
}

static enum result split_hosts(struct pgsql_target *target, struct failure *why)
{
    char *names[HOSTS_MAX], *addresses[HOSTS_MAX], *ports[HOSTS_MAX];
    unsigned name_count = split(option_value(target->options, "host"), names);
    unsigned address_count = split(option_value(target->options, "hostaddr"), addresses);
    unsigned port_count = split(option_value(target->options, "port"), ports);

    unsigned count = name_count > address_count ? name_count : address_count;
    target->host_count = count ? count : 1; /* none at all: libpq's own socket folder */
    for (unsigned i = 0; i < target->host_count; i++) {
        struct host *host = &target->hosts[i];
        host->name = take_part(names, name_count, i);
        host->address = take_part(addresses, address_count, i);
        host->port = port_count == 1 ? mem_strdup(ports[0]) : take_part(ports, port_count, i);
    }
    if (port_count == 1)
        free(ports[0]);
    for (unsigned i = target->host_count; i < port_count && port_count > 1; i++)
        free(ports[i]);
    if (port_count > 1 && port_count != target->host_count)
        return fail(why, R_INVALID, "the database URL names %u ports for %u hosts", port_count,
                    target->host_count);
    return R_OK;
}

enum result pgsql_target_new(struct loop *loop, const struct pgsql_options *options,
                             struct pgsql_target **out, struct failure *why)
{
    PQconninfoOption *parsed = PQconninfoParse(options->url, NULL);
    if (!parsed)
        return fail(why, R_INVALID,
                    "the database URL is not one libpq understands (postgresql://user@host/name)");
    struct pgsql_target *target = mem_new(struct pgsql_target);
    target->loop = loop;
    target->resolve = resolve_open(loop);
    target->options = parsed;
    target->application_name =
        mem_strdup(options->application_name ? options->application_name : "");
    enum result rc = split_hosts(target, why);
    if (rc == R_OK)
        *out = target;
    else
        pgsql_target_free(target);
    return rc;
}

void pgsql_target_free(struct pgsql_target *target)
{
    if (!target)
        return;
    for (unsigned i = 0; i < target->host_count; i++) {
        free(target->hosts[i].name);
        free(target->hosts[i].address);
        free(target->hosts[i].port);
    }
    resolve_close(target->resolve);
    PQconninfoFree(target->options);
    free(target->application_name);
    free(target);
}

void pgsql_target_rotate(struct pgsql_target *target)
{
    target->rotation++;
}

/* ---- putting it together again ---- */

static void add_param(struct params *params, const char *keyword, const char *value)
{
    if (params->count == PARAMS_MAX || !value[0])
        return;
    params->keywords[params->count] = keyword;
    params->values[params->count++] = value;
}

/* `value` unless the URI or the environment has one. */
static void add_default(struct params *params, const struct pgsql_target *target,
                        const char *keyword, const char *value)
{
    if (!option_value(target->options, keyword)[0])
        add_param(params, keyword, value);
}

static bool is_place(const char *keyword)
{
    return strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 ||
           strcmp(keyword, "port") == 0;
}

static void add_settings(struct params *params, const struct pgsql_target *target)
{
    for (const PQconninfoOption *option = target->options; option->keyword; option++)
        if (option->val && !is_place(option->keyword) &&
            strcmp(option->keyword, "client_encoding") != 0)
            add_param(params, option->keyword, option->val);
    add_param(params, "client_encoding", "UTF8");
    add_default(params, target, "application_name", target->application_name);
    /* Kerberos look-ups would block the loop. */
    add_default(params, target, "gssencmode", "disable");
    /* A peer that vanished is noticed in about a minute when idle, and after 15 s with data under
     * way. */
    add_default(params, target, "keepalives_idle", "30");
    add_default(params, target, "keepalives_interval", "10");
    add_default(params, target, "keepalives_count", "3");
    add_default(params, target, "tcp_user_timeout", "15000");
}

static void tell(struct pgsql_lookup *lookup, struct params *params)
{
    const struct pgsql_target *target = lookup->target;
    struct buf hosts = {0}, addresses = {0}, ports = {0};
    for (unsigned i = 0; i < lookup->place_count; i++) {
        const struct place *place = &lookup->places[(i + target->rotation) % lookup->place_count];
        const char *comma = i ? "," : "";
        buf_printf(&hosts, "%s%s", comma, place->host->name);
        buf_printf(&addresses, "%s%s", comma, place->address);
        buf_printf(&ports, "%s%s", comma, place->host->port);
    }
    add_param(params, "host", buf_cstr(&hosts));
    add_param(params, "hostaddr", buf_cstr(&addresses));
    add_param(params, "port", buf_cstr(&ports));
    lookup->done(lookup->owner, R_OK, params->keywords, params->values, NULL);
    buf_free(&hosts);
    buf_free(&addresses);
    buf_free(&ports);
}

/* Answers came in any order; the URI's order is the one people meant. Stable, so a host's addresses
 * keep theirs. */
static void sort_places(struct pgsql_lookup *lookup)
{
    for (unsigned i = 1; i < lookup->place_count; i++) {
        struct place place = lookup->places[i];
        unsigned at = i;
        for (; at > 0 && lookup->places[at - 1].host > place.host; at--)
            lookup->places[at] = lookup->places[at - 1];
        lookup->places[at] = place;
    }
}

static void on_located(void *owner)
{
    struct pgsql_lookup *lookup = owner;
    if (lookup->place_count > 0) {
        struct params params = {0};
        sort_places(lookup);
        add_settings(&params, lookup->target);
        tell(lookup, &params);
    } else {
        struct failure why;
        fail(&why, R_UNAVAILABLE, "no address found for database host %s",
             lookup->target->hosts[0].name);
        lookup->done(lookup->owner, R_UNAVAILABLE, NULL, NULL, &why);
    }
    free(lookup);
}

/* ---- names to addresses ---- */

static void add_place(struct pgsql_lookup *lookup, const struct host *host, const char *address)
{
    if (lookup->place_count == PLACES_MAX)
        return;
    struct place *place = &lookup->places[lookup->place_count++];
    place->host = host;
    snprintf(place->address, sizeof place->address, "%s", address);
}

static void on_name_resolved(void *owner, enum result rc, const struct resolve_address *addresses,
                             unsigned count)
{
    struct lookup_name *name = owner;
    struct pgsql_lookup *lookup = name->lookup;
    name->question = NULL;
    for (unsigned i = 0; rc == R_OK && i < count; i++) {
        char text[INET6_ADDRSTRLEN] = "";
        const struct sockaddr_storage *storage = &addresses[i].storage;
        const void *bytes = storage->ss_family == AF_INET6
                                ? (const void *)&((const struct sockaddr_in6 *)storage)->sin6_addr
                                : (const void *)&((const struct sockaddr_in *)storage)->sin_addr;
        inet_ntop(storage->ss_family, bytes, text, sizeof text);
        add_place(lookup, name->host, text);
    }
    if (--lookup->unanswered == 0)
        loop_later(lookup->target->loop, &lookup->later, on_located, lookup);
}

static bool is_name(const struct host *host)
{
    return !host->address[0] && host->name[0] && host->name[0] != '/' && host->name[0] != '@';
}

struct pgsql_lookup *pgsql_target_locate(struct pgsql_target *target, pgsql_located *done,
                                         void *owner)
{
    struct pgsql_lookup *lookup = mem_new(struct pgsql_lookup);
    lookup->target = target;
    lookup->done = done;
    lookup->owner = owner;
    for (unsigned i = 0; i < target->host_count; i++) {
        const struct host *host = &target->hosts[i];
        struct lookup_name *name = &lookup->names[i];
        if (!is_name(host)) {
            add_place(lookup, host, host->address);
            continue;
        }
        name->lookup = lookup;
        name->host = host;
        lookup->unanswered++;
        name->question = resolve_ask(target->resolve, host->name, 0, on_name_resolved, name);
    }
    if (lookup->unanswered == 0)
        loop_later(target->loop, &lookup->later, on_located, lookup);
    return lookup;
}

void pgsql_lookup_forget(struct pgsql_lookup *lookup)
{
    for (unsigned i = 0; i < lookup->target->host_count; i++)
        if (lookup->names[i].question)
            resolve_forget(lookup->names[i].question);
    loop_later_cancel(&lookup->later);
    free(lookup);
}
