/* main.c: the table of contents of the command line. */
#include "command/command.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the usage line cannot say. */
static const char reload_manual[] =
    "  --canary 10%          only a tenth of the drivers meets the new generation at first\n"
    "  --canary drivers:7,8  only these drivers do\n"
    "  --for 5m              how long: 1s to 24h, 5m when left out. Then it goes live for all. "
    "As\n"
    "                        soon as it fails more often or is slower than the live one, it is "
    "gone\n"
    "  --wait                wait for that end; exit status 0: it went live, 1: it is gone\n"
    "  --promote             end the canary now: live for all\n"
    "  --withdraw            end the canary now: nobody meets it any more\n";
static const char profile_manual[] =
    "Takes 100 samples for each second of CPU time in all workers, prints the rules and routes\n"
    "that used most, and writes PREFIX.folded (stacks, one a line) and PREFIX.svg (a flame graph\n"
    "for any browser).\n\n"
    "  --seconds N   how long: 1 to 300, 10 when left out\n"
    "  --out PREFIX  where the files go; «profile» in this folder when left out\n"
    "  --json        {ok, seconds, workers, lost, sample_ms, scripts, core, rules, routes,\n"
    "                 folded, svg}\n\n"
    "Refused (exit status 1) when no script ran (no_samples) or while another profile is being\n"
    "taken (profile_running).\n";
static const char replay_manual[] =
    "Answers recorded requests of late twice, with what runs and with the sources on disk, and\n"
    "prints what differs. Nothing goes live, nothing is written, nobody outside is asked.\n\n"
    "  --last N      only the last N of them\n"
    "  --route TEXT  only routes that contain it: \"GET /api/v1/cargos\"\n"
    "  --driver ID   only those of one driver\n"
    "  --limit N     print at most N changes: 50 when left out, 0 for all\n"
    "  --json        {ok, compared, differ, items, more, failures, errors, skipped,\n"
    "                incomparable, lines,\n"
    "                changes: [{where, what, old, new, kind, count, answers}]}\n\n"
    "Exit status: 0 compared, whether or not something differs; 1 the sources on disk do not\n"
    "load, or raise or log errors where those that run do not; 2 wrong usage.\n";
static const char test_manual[] =
    "Runs the specs (*_spec.lua) of files and folders; without any, those of plugins/ and "
    "tests/spec.\n"
    "Those of rules and plugins need no services. Those that do are left out, and named, when "
    "there\n"
    "are none: `node tests/support/with_services.js build/fura test` gives them private ones.\n\n"
    "  --filter TEXT  only specs whose name contains it\n"
    "  --json         {passed, failed, skipped, ms, left_out,\n"
    "                 specs: [{file, line, name, status, ms, message}]}\n\n"
    "Exit status: 0 all passed, 1 some failed or need services, 2 there is nothing to run.\n";
static const char run_manual[] =
    "No limit of CPU time holds for it. Ctrl-C or SIGTERM ends it and prints where it was; one\n"
    "more kills it at once.\n\n"
    "Exit status: the number it returns, else 0; 1 it failed; 130 or 143 after a signal.\n";
static const char console_manual[] =
    "Ctrl-C stops the line that runs, or the console at its prompt; Ctrl-D ends it.\n";

static const struct command commands[] = {
    {"serve", "serve", "master and workers in the foreground; logs to stderr", serve_run, false,
     NULL},
    {"check", "check", "everything a reload would do, without serving", check_run, false, NULL},
    {"reload", "reload [--canary SHARE [--for TIME] [--wait] | --promote | --withdraw]",
     "bring edited sources and settings live, or say why not", reload_run, false, reload_manual},
    {"replay", "replay [--last N] [--route TEXT] [--driver ID] [--limit N]",
     "what the sources on disk would answer to the requests of late, compared with what runs",
     replay_run, false, replay_manual},
    {"status", "status", "workers, generation, uptime, memory, connections", status_run, false,
     NULL},
    {"ps", "ps", "requests and jobs that run now, and what they wait for", ps_run, false, NULL},
    {"kill", "kill ID", "end one of them", kill_run, false, NULL},
    {"profile", "profile [--seconds N] [--out PREFIX]",
     "where the running server's scripts spend CPU time, by rule, route and function", profile_run,
     false, profile_manual},
    {"stop", "stop", "drain and stop the running server", stop_run, false, NULL},
    {"migrate", "migrate up|status|new NAME", "the numbered SQL of migrations/", migrate_run, false,
     NULL},
    {"routes", "routes", "method, path, access and limits of every route", routes_run, false, NULL},
    {"config", "config", "the settings in force and where each comes from", config_run, false,
     NULL},
    {"test", "test [PATH…] [--filter TEXT]", "specs inside the runtime", test_run, false,
     test_manual},
    {"run", "run FILE [ARGS…]", "one script in the runtime, with I/O", run_run, true, run_manual},
    {"console", "console", "a prompt inside the runtime", console_run, false, console_manual},
    {"call", "call NAME [JSON]", "ask a function of the running application", call_run, false,
     NULL},
    {"version", "version", "versions and build flags", version_run, false, NULL},
};
enum { COUNT = sizeof commands / sizeof *commands };

static void print_entry(void *owner, const char *name, const char *about)
{
    (void)owner;
    printf("  %-10s %s\n", name, about);
}

static int print_menu(const struct conf_source *source)
{
    printf("usage: fura COMMAND [-c conf/FILE.lua] [--json] …\n\n");
    for (int i = 0; i < COUNT; i++)
        print_entry(NULL, commands[i].name, commands[i].about);
    extension_each(source, print_entry, NULL);
    printf("\n`fura COMMAND --help` says more.\n");
    return EXIT_OK;
}

static int print_help(const struct invocation *invocation)
{
    if (!invocation->command)
        return extension_help(invocation);
    printf("usage: fura %s [-c conf/FILE.lua] [--json]\n\n%s\n", invocation->command->usage,
           invocation->command->about);
    if (invocation->command->manual)
        printf("\n%s", invocation->command->manual);
    return EXIT_OK;
}

static const struct command *find_command(const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void suggest(const char *word)
{
    const char *names[COUNT];

    for (int i = 0; i < COUNT; i++)
        names[i] = commands[i].name;
    const char *nearest = conf_nearest_of(names, COUNT, word);
    fprintf(stderr, "fura: there is no command %s%s%s%s\n", word, nearest ? "; did you mean " : "",
            nearest ? nearest : "", nearest ? "?" : " (`fura` alone lists them)");
}

/* Take the shared options out of the arguments. False: one of them is not right. */
static bool take_options(struct invocation *invocation, char **words, bool *help)
{
    bool options = true;

    for (; *words; words++) {
        const char *word = *words;
        bool verbatim =
            invocation->command && invocation->command->verbatim && invocation->argc > 0;
        if (!options || verbatim || word[0] != '-' || word[1] == '\0') {
            invocation->argv[invocation->argc++] = *words;
        } else if (strcmp(word, "--") == 0) {
            options = false;
        } else if (strcmp(word, "--json") == 0) {
            invocation->json = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            *help = true;
        } else if (strcmp(word, "-c") == 0 && words[1]) {
            invocation->source.conf_path = *++words;
        } else if (invocation->command && !strstr(invocation->command->usage, word)) {
            fprintf(stderr, "fura: unknown option %s\n", word);
            return false;
        } else {
            invocation->argv[invocation->argc++] =
                *words; /* the command's own, or the application's */
        }
    }
    return true;
}

static int run_command(struct invocation *invocation, char **words)
{
    bool help = false;

    invocation->command = find_command(invocation->word);
    if (!take_options(invocation, words, &help))
        return EXIT_USAGE;
    command_locate(&invocation->source);
    if (!invocation->command && !extension_exists(&invocation->source, invocation->word)) {
        suggest(invocation->word);
        return EXIT_USAGE;
    }
    if (help)
        return print_help(invocation);
    /* A word that nobody reads may have been meant for another command. */
    if (invocation->command && invocation->argc > 0 && !strchr(invocation->command->usage, ' '))
        return command_usage(invocation);
    return invocation->command ? invocation->command->run(invocation) : extension_run(invocation);
}

int main(int argc, char **argv)
{
    struct invocation invocation = {.all = argv};
    int status;

    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        command_locate(&invocation.source);
        status = print_menu(&invocation.source);
    } else {
        invocation.word = argv[1];
        invocation.argv = mem_zalloc((size_t)argc * sizeof *invocation.argv);
        status = run_command(&invocation, argv + 2);
        free(invocation.argv);
    }
    free((char *)invocation.source.root);
    return status;
}
