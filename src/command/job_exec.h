/*
 * job_exec.h - the callable that runs one command in a worker.
 */
#ifndef CMD_JOB_EXEC_H
#define CMD_JOB_EXEC_H

#include "options.h"
#include "procpool.h"

#include <stdatomic.h>

/* What is the same for all jobs: set before the pool is made, and copied into its workers. */
struct cmd_job_settings {
    struct cmd_limits limits;
    int               soft_signal;
    bool              announce; /* send CMD_RELAY_BEGIN */
    /* Shared with the workers, written by the host, or NULL: the run ends, and what fails is not tried
     * again.  Nothing else is ordered by it. */
    _Atomic bool *ends;
};

extern struct cmd_job_settings cmd_job_settings;

/* Arguments "Uuyy": the job's ordinal, the number of attempts that the task has, the words (words.h)
 * and where the number of the worker goes.
 * Result "ib": status of waitpid; was the soft signal sent?  The output goes by relay.h.
 * Exceptions: an attempt that failed and is not the last one; no process or no memory. */
int cmd_job_exec(pp_call *call);

#endif
