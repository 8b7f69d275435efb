/*
 * clock.c - conversions between the seconds of the interface and nanoseconds inside.
 */
#include "base/clock.h"

#include <math.h>

int64_t pp_clock_now(void)
{
    struct timespec now;
    /* cannot fail: the clock exists on every Linux and the address is valid */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * PP_SECOND_NS + now.tv_nsec;
}

int64_t pp_duration_ns(double seconds)
{
    if (seconds < 0 || seconds >= (double)(PP_NEVER / PP_SECOND_NS))
        return PP_NEVER;
    return (int64_t)(seconds * (double)PP_SECOND_NS);
}

int64_t pp_deadline_after(int64_t now, int64_t duration)
{
    return duration >= PP_NEVER - now ? PP_NEVER : now + duration;
}

bool pp_duration_valid(double seconds, bool forever_allowed)
{
    if (isnan(seconds))
        return false;
    return seconds >= 0 || (forever_allowed && seconds == -1.0);
}

struct timespec pp_timespec(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / PP_SECOND_NS, .tv_nsec = ns % PP_SECOND_NS};
}
