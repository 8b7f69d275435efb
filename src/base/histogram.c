/*
 * histogram.c - buckets: value v < 16 has its own; above, the four bits behind the leading one
 * choose among sixteen buckets of that power of two.
 */
#include "base/histogram.h"

static unsigned bucket_of(uint64_t value)
{
    if (value < PP_HISTOGRAM_FINE)
        return (unsigned)value;
    unsigned power = 63U - (unsigned)__builtin_clzll(value); /* 4 .. 62 */
    unsigned fine = (unsigned)(value >> (power - 4)) & (PP_HISTOGRAM_FINE - 1);
    return (power - 3) * PP_HISTOGRAM_FINE + fine;
}

/* The largest value of a bucket. */
static int64_t bucket_top(unsigned bucket)
{
    if (bucket < PP_HISTOGRAM_FINE)
        return bucket;
    unsigned power = bucket / PP_HISTOGRAM_FINE + 3;
    uint64_t fine = bucket % PP_HISTOGRAM_FINE + PP_HISTOGRAM_FINE;
    return (int64_t)(((fine + 1) << (power - 4)) - 1);
}

_Static_assert((62 - 3) * PP_HISTOGRAM_FINE + PP_HISTOGRAM_FINE <= PP_HISTOGRAM_BUCKETS,
               "every positive int64_t has a bucket");

void pp_histogram_add(struct pp_histogram *histogram, int64_t value)
{
    histogram->count[bucket_of(value > 0 ? (uint64_t)value : 0)]++;
    histogram->total++;
}

int64_t pp_histogram_quantile(const struct pp_histogram *histogram, double fraction)
{
    uint64_t seen = 0;
    uint64_t wanted = (uint64_t)(fraction * (double)histogram->total);
    if (histogram->total == 0)
        return 0;
    for (unsigned i = 0; i < PP_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->count[i];
        if (seen > wanted || seen == histogram->total)
            return bucket_top(i);
    }
    return 0;
}
