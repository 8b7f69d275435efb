/*
 * calls.h - what the callables of several benchmarks share.
 */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include <errno.h>
#include <procpool.h>
#include <string.h>

/* The payload of a call, which is a number of that size: 0 or -errno. */
static inline int take_number(pp_call *call, void *number, size_t size)
{
    const void *data = NULL;
    size_t      given = 0;
    int         error = pp_call_bytes(call, &data, &given);
    if (error < 0 || given != size)
        return error < 0 ? error : -EINVAL;
    memcpy(number, data, size);
    return 0;
}

#endif
