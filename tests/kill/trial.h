/*
 * trial.h - one kill at one boundary of one region, in one cell of the matrix.
 */
#ifndef PP_TESTS_KILL_TRIAL_H
#define PP_TESTS_KILL_TRIAL_H

#include "trace.h"
#include "work.h"

/* A cell; the compiler and its options are those of this program. */
struct cell {
    bool     awake;  /* the host polls and submits, or sleeps in pp_pool_process_all_results */
    bool     active; /* the peer runs a task; of one worker: another task waits in its tray  */
    unsigned workers;
};

enum region_kind {
    REGION_TASK,  /* a worker: woken, claims, decodes, calls, publishes, rings, waits again */
    REGION_START, /* a worker: from its first instruction to its first wait                 */
    REGION_SERVER /* the fork server: reaps, reports, forks, reports                        */
};

struct region {
    const char      *name;
    enum region_kind kind;
    enum work_kind   work;
    bool             warm; /* the worker has executed tasks before, the last of this kind: */
    enum work_kind   warm_work;
};

/* Trials in one pool, at most. */
enum { TRIALS_IN_POOL = 32 };

/* Start the threads that a trial needs: once in a process.  `alone`: each trial has a pool of its own. */
void trial_prepare(const struct cell *cell, bool alone);

/* Step through the region once; with NULL a trial for nothing, which brings the host's heap into the
 * state that it will have. */
void trial_record(struct trace *trace, const struct cell *cell, const struct region *region);

/* Does the next one begin with a new pool? */
bool trial_is_first(void);

/* Kill at a boundary; `trace->count` is inside of the last wait.  False: the process took another way
 * and was killed elsewhere, at the end at the latest; everything was checked all the same. */
bool trial_run(const struct trace *trace, const struct cell *cell, const struct region *region,
               size_t boundary);

/* The pool that trials have left is finalized. */
void trial_end_pool(void);

#endif
