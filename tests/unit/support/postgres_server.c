/* postgres_server.c: see postgres_server.h. Root cannot run PostgreSQL, so as root it runs as user
 * postgres. */
#include "support/postgres_server.h"
#include "base/mem.h"

#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000, POLL_MS = 20 };

struct postgres_server {
    char folder[64], url[160], bin[128];
    char answer[4096];
    pid_t postmaster;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "postgres_server: %s\n", what);
    exit(1);
}

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
}

static void drop_root(void)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (user && (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
                 setuid(user->pw_uid) != 0))
        _exit(126);
}

static pid_t spawn(const struct postgres_server *server, const char *const argv[])
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char path[256];
    drop_root();
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    snprintf(path, sizeof path, "%s/log", server->folder);
    if (chdir(server->folder) != 0 || !freopen(path, "a", stdout) || dup2(1, 2) < 0)
        _exit(126);
    snprintf(path, sizeof path, "%s/%s", server->bin, argv[0]);
    execv(path, (char *const *)(unsigned long)argv);
    _exit(127);
}

static void find_programs(struct postgres_server *server)
{
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
        die("no /usr/lib/postgresql/*/bin");
    snprintf(server->bin, sizeof server->bin, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

static void make_folder(struct postgres_server *server)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
    snprintf(server->folder, sizeof server->folder, "/tmp/fura-pg-XXXXXX");
    if (!mkdtemp(server->folder))
        die("mkdtemp failed");
    if (user && chown(server->folder, user->pw_uid, user->pw_gid) != 0)
        die("chown failed");
}

static void configure(const struct postgres_server *server, const char *more)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data/postgresql.conf", server->folder);
    FILE *file = fopen(path, "a");
    if (!file)
        die("initdb failed");
    fprintf(file,
            "listen_addresses = ''\nunix_socket_directories = '%s'\nfsync = off\n"
            "shared_buffers = 16MB\nmax_connections = 40\n%s\n",
            server->folder, more ? more : "");
    fclose(file);
}

static void run_postmaster(struct postgres_server *server)
{
    server->postmaster = spawn(server, (const char *const[]){"postgres", "-D", "data", NULL});
}

static void await_ready(struct postgres_server *server)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += POLL_MS) {
        if (PQping(server->url) == PQPING_OK)
            return;
        if (waitpid(server->postmaster, NULL, WNOHANG) == server->postmaster)
            run_postmaster(server); /* backends of a killed postmaster held it up */
        pause_a_little();
    }
    die("the server did not come up");
}

void postgres_server_resume(struct postgres_server *server)
{
    run_postmaster(server);
    await_ready(server);
}

struct postgres_server *postgres_server_start(const char *more)
{
    int status;
    struct postgres_server *server = mem_new(struct postgres_server);
    find_programs(server);
    make_folder(server);
    snprintf(server->url, sizeof server->url, "postgresql://fura@/postgres?host=%s",
             server->folder);
    pid_t init =
        spawn(server, (const char *const[]){"initdb", "-D", "data", "-U", "fura", "-A", "trust",
                                            "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", NULL});
    if (waitpid(init, &status, 0) != init || status != 0)
        die("initdb failed");
    configure(server, more);
    postgres_server_resume(server);
    return server;
}

static void end_postmaster(struct postgres_server *server, int signal)
{
    kill(server->postmaster, signal);
    waitpid(server->postmaster, NULL, 0);
}

void postgres_server_kill(struct postgres_server *server)
{
    end_postmaster(server, SIGKILL);
}

void postgres_server_stop(struct postgres_server *server)
{
    end_postmaster(server, SIGINT);
}

void postgres_server_end(struct postgres_server *server)
{
    char command[128];
    end_postmaster(server, SIGQUIT);
    snprintf(command, sizeof command, "rm -rf '%s'", server->folder);
    if (system(command) != 0)
        fprintf(stderr, "postgres_server: %s stays behind\n", server->folder);
    free(server);
}

const char *postgres_server_url(const struct postgres_server *server)
{
    return server->url;
}

const char *postgres_server_folder(const struct postgres_server *server)
{
    return server->folder;
}

static void on_notice(void *owner, const PGresult *notice)
{
    (void)owner, (void)notice;
}

const char *postgres_server_ask(struct postgres_server *server, const char *sql)
{
    PGconn *conn = PQconnectdb(server->url);
    PQsetNoticeReceiver(conn, on_notice, NULL);
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        die(PQerrorMessage(conn));
    bool some = PQntuples(result) > 0 && PQnfields(result) > 0;
    snprintf(server->answer, sizeof server->answer, "%s", some ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(conn);
    return server->answer;
}
