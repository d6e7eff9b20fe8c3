/* preflight.c: see preflight.h. */
#include "preflight.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/metrics.h"

#include <sys/resource.h>
#include <unistd.h>

void preflight_describe_metrics(struct metrics *metrics)
{
    static const char *const helps[][2] = {
        {"fura_generation", "number of the committed generation"},
        {"fura_canary_generation", "number of the generation tried as a canary, 0 without one"},
        {"fura_reloads_total", "reloads by result: applied or rejected"},
        {"fura_workers_live", "workers that serve"},
        {"fura_worker_restarts_total", "workers that died and were replaced"},
        {"fura_worker_memory_bytes", "resident memory of a worker"},
        {"fura_worker_script_bytes", "Lua memory of the live generation"},
        {"fura_worker_connections", "open client connections"},
        {"fura_worker_tasks", "running requests, jobs and timers"},
        {"fura_worker_generations", "generations that live: one, and those still finishing"},
        {"fura_worker_cpu_seconds", "CPU time since the worker's start"},
        {"fura_waits_total", "waits of requests, by what they waited for"},
        {"fura_wait_seconds_total", "time that requests waited, by what they waited for"},
        {"fura_pg_up", "1: a connection of the worker's pool to PostgreSQL is usable"},
        {"fura_pg_idle", "connections of the pool that do nothing"},
        {"fura_pg_busy", "connections of the pool at work"},
        {"fura_pg_waiting", "statements that wait for a connection of the pool"},
        {"fura_redis_up", "1: the worker's connection to Redis is usable"},
    };
    for (size_t i = 0; i < sizeof helps / sizeof *helps; i++)
        metrics_describe(metrics, slice_cstr(helps[i][0]), helps[i][1]);
}

/* The soft limit is low for the sake of programs that use select(). */
void preflight_raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void preflight_advise(const struct conf *conf)
{
    struct slice rest = conf_warnings(conf);

    while (rest.len > 0)
        log_warn("unwise setting", LOG_SLICE("what", slice_cut(&rest, '\n')));
    if (geteuid() == 0 && conf_is_production(conf))
        log_warn("running as root: give the server a user of its own");
}
