/*
 * job_exec.h - the callable that runs one command in a worker.
 */
#ifndef CMD_JOB_EXEC_H
#define CMD_JOB_EXEC_H

#include "procpool.h"

/* Arguments "uy": the number of attempts that the task has, the words (template.h).
 * Result "iyy": status of waitpid, what stood on standard output, and on standard error.
 * Exceptions: an attempt that failed and is not the last one; no process or no memory. */
int cmd_job_exec(pp_call *call);

#endif
