/*
 * trace.h - the boundaries of a region, found by stepping through all of it once.
 */
#ifndef PP_TESTS_KILL_TRACE_H
#define PP_TESTS_KILL_TRACE_H

#include "stepper.h"

#include <stddef.h>

enum end_kind {
    END_IDLE_WAIT, /* before the system call in which a worker waits for its bell      */
    END_POLL,      /* before the second ppoll: the fork server has nothing to do again */
    END_TAKE       /* at pp_worker_take: the next task's turn                          */
};

/* Boundaries in a region, at most. */
enum { TRACE_MOST = 200000 };

struct trace {
    uint64_t  *at; /* address of the next instruction at each boundary */
    uint32_t  *occurrence;
    size_t     count;
    struct end end;
};

/* An empty one, which this process and its children share. */
struct trace *trace_create(void);
/* Step a stopped process to the end of its region.  False: it died on the way. */
bool trace_record(struct trace *trace, pid_t pid, enum end_kind kind);

/* The cheapest way to a boundary. */
struct way trace_way(const struct trace *trace, size_t boundary);

/* "function+0x12", in a buffer of its own that the next call overwrites. */
const char *trace_symbol(uint64_t address);

/* How many boundaries lie in each function, the most first. */
void trace_print(const struct trace *trace);

#endif
