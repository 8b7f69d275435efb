/*
 * stats.c - a histogram of run times in steps of 1, 2, 5, 10: a millisecond to a quarter of an hour.
 */
#include "stats.h"

#include <stdio.h>
#include <string.h>

/* Where each bucket but the last ends. */
static const double bounds[CMD_STATS_BUCKETS - 1] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,
                                                     0.2,   0.5,   1,     2,    5,    10,   20,
                                                     50,    100,   200,   500,  1000};

enum { BAR = 40 };

void cmd_stats_add(struct cmd_stats *stats, double seconds)
{
    int bucket = 0;
    while (bucket < CMD_STATS_BUCKETS - 1 && seconds >= bounds[bucket])
        bucket++;
    stats->buckets[bucket]++;
    if (stats->count == 0 || seconds < stats->min)
        stats->min = seconds;
    if (stats->count == 0 || seconds > stats->max)
        stats->max = seconds;
    stats->sum += seconds;
    stats->count++;
}

double cmd_stats_quantile(const struct cmd_stats *stats, double share)
{
    uint64_t seen = 0;
    for (int i = 0; i < CMD_STATS_BUCKETS - 1; i++) {
        seen += stats->buckets[i];
        if ((double)seen >= share * (double)stats->count)
            return bounds[i] < stats->max ? bounds[i] : stats->max;
    }
    return stats->max;
}

static void put(struct cmd_sink *sink, const char *line)
{
    cmd_sink_put(sink, line, strlen(line));
}

static void name_bound(char *out, size_t size, int bucket)
{
    if (bucket == CMD_STATS_BUCKETS - 1)
        snprintf(out, size, "more");
    else if (bounds[bucket] < 1)
        snprintf(out, size, "< %g ms", bounds[bucket] * 1000);
    else
        snprintf(out, size, "< %g s", bounds[bucket]);
}

void cmd_stats_print(const struct cmd_stats *stats, struct cmd_sink *sink)
{
    static const char bar[BAR + 1] = "########################################";
    char              line[160], bound[24];
    uint64_t          most = 1;
    int               first = CMD_STATS_BUCKETS, last = -1;
    for (int i = 0; i < CMD_STATS_BUCKETS; i++) {
        if (stats->buckets[i] == 0)
            continue;
        first = i < first ? i : first;
        last = i;
        most = stats->buckets[i] > most ? stats->buckets[i] : most;
    }
    snprintf(line, sizeof line,
             "run times of %llu: mean %.3f s, least %.3f, most %.3f, half below %.3f, 99%% below "
             "%.3f\n",
             (unsigned long long)stats->count,
             stats->count > 0 ? stats->sum / (double)stats->count : 0, stats->min, stats->max,
             cmd_stats_quantile(stats, 0.5), cmd_stats_quantile(stats, 0.99));
    put(sink, line);
    for (int i = first; i <= last; i++) {
        name_bound(bound, sizeof bound, i);
        int length = (int)((stats->buckets[i] * BAR + most - 1) / most);
        snprintf(line, sizeof line, "%10s %10llu %.*s\n", bound,
                 (unsigned long long)stats->buckets[i], length, bar);
        put(sink, line);
    }
}
