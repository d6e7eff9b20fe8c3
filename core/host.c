/* host.c: see host.h. */
#include "host.h"
#include "base/conf.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/shm.h"
#include "net/fetch.h"
#include "net/offload.h"
#include "net/pgsql.h"
#include "net/redis.h"

#include <stdlib.h>
#include <string.h>

enum { METRIC_SERIES_MAX = 8192, DIRECT_POOL_SIZE = 3, TOOL_SHM_BYTES = 16 << 20 };

struct owned_host {
    struct host host; /* first: callers hold a pointer to it */
    struct shm *own_shm;
    struct metrics *own_metrics;
};

static unsigned setting(const struct conf *conf, const char *key)
{
    return (unsigned)conf_integer(conf, key);
}

static enum result open_redis(struct host *host, struct failure *why)
{
    const struct conf *conf = host->conf;
    struct redis_options options = {
        .url = conf_string(conf, "redis.url"),
        .connect_timeout_ms = setting(conf, "redis.connect_timeout_ms"),
        .max_in_flight = setting(conf, "redis.max_in_flight"),
        .tls_ca_file = conf_string(conf, "redis.ca_file"),
        .quiet = strcmp(host->role, "serve") != 0,
    };
    return options.url ? redis_open(host->loop, &options, &host->redis, why) : R_OK;
}

static enum result open_database(struct host *host, const char *url_key, unsigned pool_size,
                                 struct pgsql **out, struct failure *why)
{
    const struct conf *conf = host->conf;
    struct pgsql_options options = {
        .url = conf_string(conf, url_key),
        .pool_size = pool_size,
        .max_waiting = setting(conf, "database.max_waiting"),
        .connect_timeout_ms = setting(conf, "database.connect_timeout_ms"),
        .application_name = "fura",
    };
    if (!options.url)
        options.url = conf_string(conf, "database.url");
    return options.url ? pgsql_open(host->loop, &options, out, why) : R_OK;
}

static struct fetch *open_fetch(const struct host *host)
{
    const struct conf *conf = host->conf;
    return fetch_open(host->loop, &(struct fetch_options){
                                      .max_per_host = setting(conf, "fetch.max_per_host"),
                                      .max_in_flight = setting(conf, "fetch.max_in_flight"),
                                      .ca_file = conf_string(conf, "fetch.ca_file"),
                                      .user_agent = "fura/" FURA_VERSION,
                                  });
}

/* The pool's size is the node's: each worker has its share, and at least two, since a transaction holds one. */
static unsigned pool_share(const struct host_options *options)
{
    unsigned size = setting(options->conf, "database.pool_size");
    unsigned share = options->workers ? size / options->workers : size;
    return share < 2 ? 2 : share;
}

enum result host_open(const struct host_options *options, struct host **out, struct failure *why)
{
    struct owned_host *owned = mem_new(struct owned_host);
    struct host *host = &owned->host;

    host->loop = options->loop;
    host->conf = options->conf;
    host->role = options->role;
    host->query_timeout_ms = setting(options->conf, "database.statement_timeout_ms");
    if (!options->shm)
        owned->own_shm = shm_create(TOOL_SHM_BYTES);
    if (!options->metrics)
        owned->own_metrics = metrics_create(METRIC_SERIES_MAX);
    host->shm = options->shm ? options->shm : owned->own_shm;
    host->metrics = options->metrics ? options->metrics : owned->own_metrics;

    enum result rc = open_redis(host, why);
    if (rc == R_OK)
        rc = open_database(host, "database.url", pool_share(options), &host->pgsql, why);
    if (rc == R_OK)
        rc = open_database(host, "database.direct_url", DIRECT_POOL_SIZE, &host->pgsql_direct, why);
    if (rc != R_OK) {
        host_close(host);
        return rc;
    }
    host->fetch = open_fetch(host);
    host->offload = offload_new(host->loop);
    *out = host;
    return R_OK;
}

void host_close(struct host *host)
{
    struct owned_host *owned = (struct owned_host *)host;

    if (!host)
        return;
    if (host->fetch)
        fetch_close(host->fetch);
    if (host->offload)
        offload_free(host->offload);
    if (host->pgsql_direct)
        pgsql_close(host->pgsql_direct);
    if (host->pgsql)
        pgsql_close(host->pgsql);
    if (host->redis)
        redis_close(host->redis);
    if (owned->own_metrics)
        metrics_free(owned->own_metrics);
    if (owned->own_shm)
        shm_free(owned->own_shm);
    free(owned);
}
