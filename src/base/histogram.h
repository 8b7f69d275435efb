/*
 * histogram.h - counts of durations in log-linear buckets: any quantile within 1/16 of its value,
 * in constant memory.  The owner's lock protects it.
 */
#ifndef PP_BASE_HISTOGRAM_H
#define PP_BASE_HISTOGRAM_H

#include <stdint.h>

enum {
    PP_HISTOGRAM_FINE = 16, /* buckets in each power of two */
    PP_HISTOGRAM_BUCKETS = PP_HISTOGRAM_FINE * 60
};

struct pp_histogram {
    uint64_t total;
    uint64_t count[PP_HISTOGRAM_BUCKETS];
};

void pp_histogram_add(struct pp_histogram *histogram, int64_t value);

/* A value that at least `fraction` of those added do not exceed; 0 when there are none. */
int64_t pp_histogram_quantile(const struct pp_histogram *histogram, double fraction);

#endif
