/* serve.c: `fura serve`: master and workers in the foreground. */
#include "command/command.h"
#include "master.h"

int serve_run(const struct invocation *invocation)
{
    struct conf *conf;

    if (invocation->argc > 0)
        return command_usage(invocation);
    conf = command_conf(invocation);
    if (!conf)
        return EXIT_REFUSED;
    return master_run(&(struct master_options){
        .source = invocation->source, .conf = conf, .argv = invocation->all});
}
