/* logs.c: see logs.h. */
#include "logs.h"
#include "base/conf.h"
#include "base/log.h"

#include <string.h>

void logs_open(const struct conf *conf, const char *process)
{
    static const char *const names[] = {
        [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};
    const char *wanted = conf_string(conf, "log_level");
    enum log_level level = LOG_ERROR;

    while (level > LOG_DEBUG && strcmp(wanted, names[level]) != 0)
        level--;
    log_open(conf_string(conf, "log_file"), level, process);
}
