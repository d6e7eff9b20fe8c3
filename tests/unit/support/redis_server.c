/* redis_server.c: see redis_server.h. */
#include "support/redis_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_TRIES = 1000, TRY_PAUSE_MS = 10 };

static void die(const char *what)
{
    fprintf(stderr, "redis_server: %s: %s\n", what, strerror(errno));
    abort();
}

uint16_t redis_server_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&address, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        die("no free port");
    close(fd);
    return ntohs(address.sin_port);
}

void redis_server_init(struct redis_server *server)
{
    *server = (struct redis_server){.folder = "/tmp/fura-redis-XXXXXX"};
    if (!mkdtemp(server->folder))
        die("mkdtemp");
    snprintf(server->socket, sizeof server->socket, "%s/redis.sock", server->folder);
}

void redis_server_add(struct redis_server *server, const char *name, const char *value)
{
    if (server->arg_count + 2 > sizeof server->args / sizeof server->args[0])
        die("too many options");
    server->args[server->arg_count++] = name;
    server->args[server->arg_count++] = value;
}

void redis_server_use_tcp(struct redis_server *server, const char *option)
{
    static char ports[16][8];
    static unsigned used;
    char *text = ports[used++ % 16];
    server->port = redis_server_free_port();
    snprintf(text, sizeof ports[0], "%u", server->port);
    redis_server_add(server, option, text);
}

static void become_server(const struct redis_server *server)
{
    const char *argv[64] = {"redis-server",
                            "--unixsocket",
                            server->socket,
                            "--dir",
                            server->folder,
                            "--save",
                            "",
                            "--loglevel",
                            "warning",
                            "--logfile",
                            "redis.log",
                            "--bind",
                            "127.0.0.1 -::1",
                            "--enable-debug-command",
                            "yes"};
    unsigned argc = 15;
    if (server->port == 0 || strcmp(server->args[0], "--port") != 0) {
        argv[argc++] = "--port";
        argv[argc++] = "0";
    }
    memcpy(argv + argc, server->args, server->arg_count * sizeof *argv);
    execvp(argv[0], (char *const *)argv);
}

static int answers(const struct redis_server *server)
{
    static const char ping[] = "PING\r\n";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 1};
    char reply[8];
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
             send(fd, ping, sizeof ping - 1, MSG_NOSIGNAL) > 0 &&
             recv(fd, reply, sizeof reply, 0) > 0;
    close(fd);
    return ok;
}

static void start(struct redis_server *server)
{
    unlink(server->socket);
    server->pid = fork();
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        server->run(server);
        _exit(127);
    }
    for (int i = 0; i < START_TRIES; i++) {
        if (answers(server))
            return;
        if (waitpid(server->pid, NULL, WNOHANG) != 0)
            die("redis-server ended at once");
        poll(NULL, 0, TRY_PAUSE_MS);
    }
    die("redis-server does not answer");
}

void redis_server_start(struct redis_server *server)
{
    server->run = become_server;
    start(server);
}

static void become_sentinel(const struct redis_server *server)
{
    if (chdir(server->folder) == 0)
        execlp("redis-server", "redis-server", "sentinel.conf", "--sentinel", (char *)NULL);
}

void redis_server_start_sentinel(struct redis_server *sentinel, const struct redis_server *master,
                                 const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/sentinel.conf", sentinel->folder);
    sentinel->port = redis_server_free_port();
    FILE *file = fopen(path, "w");
    fprintf(file,
            "port %u\nunixsocket %s\ndir %s\nlogfile sentinel.log\n"
            "sentinel monitor %s 127.0.0.1 %u 1\n"
            "sentinel down-after-milliseconds %s 300\n"
            "sentinel failover-timeout %s 3000\n",
            sentinel->port, sentinel->socket, sentinel->folder, name, master->port, name, name);
    fclose(file);
    sentinel->run = become_sentinel;
    start(sentinel);
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static int on_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void redis_server_end(struct redis_server *server)
{
    redis_server_kill(server);
    nftw(server->folder, on_entry, 16, FTW_DEPTH | FTW_PHYS);
}
