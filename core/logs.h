/* logs.h: the log as the settings want it. */
#pragma once

struct conf;

/* `process`: "master", "worker 1", a command's name. */
void logs_open(const struct conf *conf, const char *process);
