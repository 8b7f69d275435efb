/*
 * stats.h - how long jobs ran.
 */
#ifndef CMD_STATS_H
#define CMD_STATS_H

#include "sink.h"

#include <stdint.h>

enum { CMD_STATS_BUCKETS = 20 };

struct cmd_stats {
    uint64_t count, buckets[CMD_STATS_BUCKETS];
    double   sum, min, max;
};

void cmd_stats_add(struct cmd_stats *stats, double seconds);
/* The time that a share of the jobs, 0 to 1, ran at most: the end of its bucket, or the maximum. */
double cmd_stats_quantile(const struct cmd_stats *stats, double share);
void   cmd_stats_print(const struct cmd_stats *stats, struct cmd_sink *sink);

#endif
