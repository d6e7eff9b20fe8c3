/* serve.c: `fura serve`: master and workers in the foreground. */
#include "command/command.h"
#include "master.h"

#include <sys/resource.h>

/* A core file would hold every secret of the process; workers inherit the limit. */
static void write_no_core_files(const struct conf *conf)
{
    if (conf_is_production(conf))
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

int serve_run(const struct invocation *invocation)
{
    struct conf *conf;

    if (invocation->argc > 0)
        return command_usage(invocation);
    conf = command_conf(invocation);
    if (!conf)
        return EXIT_REFUSED;
    write_no_core_files(conf);
    return master_run(&(struct master_options){
        .source = invocation->source, .conf = conf, .argv = invocation->all});
}
