/*
 * outcome.h - one input on its way, and what became of it.
 */
#ifndef CMD_OUTCOME_H
#define CMD_OUTCOME_H

#include "procpool.h"

struct cmd_job {
    struct cmd_job *previous, *next; /* run.c: the list of those that have not ended */
    pp_task        *task;            /* our reference; NULL: there could be none, see error */
    int             error;           /* negative errno */
    uint64_t        number;          /* 0, 1, ... in the order of the inputs */
    size_t          held;            /* report.c: bytes that wait to be written */
    size_t          length;
    char            input[]; /* length bytes and a NUL */
};

enum cmd_end { CMD_DONE, CMD_FAILED, CMD_TIMED_OUT, CMD_LOST, CMD_CANCELLED, CMD_ENDS };

struct cmd_output { /* points into the task's result */
    const void *out, *err;
    size_t      out_size, err_size;
};

struct cmd_job *cmd_job_new(uint64_t number, const char *input, size_t length);
void            cmd_job_free(struct cmd_job *job);

/* How the job ended, and why in words unless it is done. `is_command`: the result is one of
 * job_exec.h, and `output` is filled from it. */
enum cmd_end cmd_outcome(const struct cmd_job *job, bool is_command, struct cmd_output *output,
                         char *reason, size_t size);

#endif
