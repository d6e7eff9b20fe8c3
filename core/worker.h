/* worker.h: one worker process: builds loop, drivers, runtime and listeners, and wires them
 * together. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct conf;
struct crash_note;
struct metrics;
struct server_state;
struct shm;
struct sockets;

struct worker_setup {
    unsigned number;
    int channel_fd;
    pid_t master_pid;
    struct crash_note *crash;
    const struct sockets *sockets;
    uint8_t tls_secret[32]; /* of session tickets, the same in all workers */
    const struct conf *conf;
    struct shm *shm;
    struct metrics *metrics;
    struct server_state *state;
};

/* What a worker tells with each heartbeat; both ends are the same binary. */
struct worker_figures {
    uint64_t generation, memory_bytes, script_bytes;
    uint32_t connections, tasks, generations;
    uint32_t pg_idle, pg_busy, pg_waiting; /* of the pool */
    bool pg_up, redis_up;
    double cpu_seconds;
};

enum { WORKER_HEARTBEAT_MS = 1000, WORKER_SILENCE_MS = 5000 };

/* Runs in the forked child; gives the exit status. */
int worker_run(const struct worker_setup *setup);
