/* crew_report.c: what the crew tells: how a worker died, how the living are. */
#include "crew_inside.h"
#include "crash.h"
#include "json.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/state.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

void crew_publish_live(const struct crew *crew)
{
    atomic_store(&crew->options.state->workers_live, crew_live(crew));
    metric_set(
        metrics_find(crew->options.metrics, METRIC_GAUGE, SLICE("fura_workers_live"), SLICE("")),
        crew_live(crew));
}

void crew_take_figures(struct worker *worker, struct slice body)
{
    const struct worker_figures *figures = &worker->figures;
    char label[32];

    if (body.len != sizeof *figures)
        return;
    memcpy(&worker->figures, body.data, body.len);
    const struct {
        const char *name;
        double value;
    } gauges[] = {
        {"fura_worker_memory_bytes", (double)figures->memory_bytes},
        {"fura_worker_script_bytes", (double)figures->script_bytes},
        {"fura_worker_connections", figures->connections},
        {"fura_worker_tasks", figures->tasks},
        {"fura_worker_generations", figures->generations},
        {"fura_worker_cpu_seconds", figures->cpu_seconds},
        {"fura_pg_up", figures->pg_up},
        {"fura_pg_idle", figures->pg_idle},
        {"fura_pg_busy", figures->pg_busy},
        {"fura_pg_waiting", figures->pg_waiting},
        {"fura_redis_up", figures->redis_up},
    };
    snprintf(label, sizeof label, "worker=\"%u\"", worker->number);
    for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++)
        metric_set(metrics_find(worker->crew->options.metrics, METRIC_GAUGE,
                                slice_cstr(gauges[i].name), slice_cstr(label)),
                   gauges[i].value);
}

/* ---- deaths ---- */

void crew_describe_death(const struct worker *worker, int status, struct buf *out)
{
    if (WIFSIGNALED(status))
        buf_printf(out, "killed by signal %d (SIG%s)", WTERMSIG(status),
                   sigabbrev_np(WTERMSIG(status)));
    else
        buf_printf(out, "exited with status %d", WEXITSTATUS(status));
    if (worker->last_words.len > 0)
        buf_printf(out, ": %.*s", (int)worker->last_words.len, worker->last_words.data);
}

bool crew_is_own_fault(const struct worker *worker, int status)
{
    bool by_others =
        WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM);
    return worker->last_words.len > 0 || !by_others;
}

void crew_report_death(const struct worker *worker, pid_t pid, struct slice reason)
{
    struct buf words = {0};
    crash_describe(worker->crash, &words);
    log_error("worker died", LOG_INT("worker", worker->number), LOG_INT("pid", pid),
              LOG_SLICE("reason", reason), LOG_SLICE("last_words", buf_slice(&words)));
    buf_free(&words);
    metric_add(metrics_find(worker->crew->options.metrics, METRIC_COUNTER,
                            SLICE("fura_worker_restarts_total"), SLICE("")),
               1);
}

/* ---- status ---- */

static const char *state_name(const struct worker *worker)
{
    if (!worker->pid)
        return "waiting to restart";
    if (worker->crew->ending)
        return "draining";
    return worker->live ? "live" : "starting";
}

void crew_describe(const struct crew *crew, struct buf *out)
{
    int64_t now_ms = clock_monotonic_ms();

    buf_append_char(out, '[');
    for (unsigned i = 0; i < crew->options.workers; i++) {
        const struct worker *worker = &crew->workers[i];
        json_put_comma(out);
        buf_append_char(out, '{');
        json_put_integer(out, "worker", worker->number);
        json_put_member(out, "state", slice_cstr(state_name(worker)));
        json_put_integer(out, "pid", worker->pid);
        json_put_integer(out, "generation", (int64_t)worker->live);
        json_put_integer(out, "uptime_s", worker->pid ? (now_ms - worker->started_ms) / 1000 : 0);
        json_put_integer(out, "memory_bytes", (int64_t)worker->figures.memory_bytes);
        json_put_integer(out, "script_bytes", (int64_t)worker->figures.script_bytes);
        json_put_integer(out, "connections", worker->figures.connections);
        json_put_integer(out, "tasks", worker->figures.tasks);
        json_put_integer(out, "generations", worker->figures.generations);
        json_put_integer(out, "restarts", worker->restarts);
        buf_append_char(out, '}');
    }
    buf_append_char(out, ']');
}
