/*
 * clock.h - time as signed nanoseconds of CLOCK_MONOTONIC; the end of time is PP_NEVER.
 */
#ifndef PP_BASE_CLOCK_H
#define PP_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define PP_NEVER     INT64_MAX
#define PP_SECOND_NS INT64_C(1000000000)

int64_t pp_clock_now(void);

/* A duration of the public interface: seconds, saturating; any negative one is PP_NEVER. */
int64_t pp_duration_ns(double seconds);

/* The moment `duration` from now; saturates at PP_NEVER. */
int64_t pp_deadline_after(int64_t now, int64_t duration);

/* A duration that the public interface accepts: a number, and PP_FOREVER or not negative. */
bool pp_duration_valid(double seconds, bool forever_allowed);

struct timespec pp_timespec(int64_t ns);

static inline double pp_seconds(int64_t ns)
{
    return (double)ns / (double)PP_SECOND_NS;
}

#endif
