/* preflight.h: what the master does once, before anything runs. */
#pragma once

struct conf;
struct metrics;

/* Help texts of the metrics that master and workers keep themselves. */
void preflight_describe_metrics(struct metrics *metrics);
/* As many descriptors as the system allows: each connection is one. */
void preflight_raise_limits(void);
/* Log what is legal but unwise in the settings. */
void preflight_advise(const struct conf *conf);
