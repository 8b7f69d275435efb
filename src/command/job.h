/*
 * job.h - one input on its way, and what became of it.
 */
#ifndef CMD_JOB_H
#define CMD_JOB_H

#include "procpool.h"
#include "spool.h"
#include "words.h"

enum cmd_stream { CMD_OUT, CMD_ERR, CMD_STREAMS };

enum cmd_end { CMD_DONE, CMD_FAILED, CMD_TIMED_OUT, CMD_LOST, CMD_CANCELLED, CMD_ENDS };

enum { CMD_MAX_REASON = 512 };

struct cmd_job {
    struct cmd_job  *previous, *next; /* tasks.c: the list of those that have not ended */
    struct cmd_job  *chained;         /* tasks.c: the next with the same hash of its ordinal */
    pp_task         *task;            /* our reference; NULL: there could be none, see error */
    int              error;           /* negative errno */
    uint64_t         ordinal;         /* 0, 1, ...: the order of making */
    uint64_t         seq;             /* 1, 2, ...: the number of the input */
    unsigned         attempt, slot;   /* as the worker told; 0: not yet */
    pid_t            pid;
    struct cmd_spool spools[CMD_STREAMS];
    uint64_t         written[CMD_STREAMS];  /* line-buffer: how much of it was shown */
    uint64_t         searched[CMD_STREAMS]; /* ... behind that no line ends up to here */
    uint64_t         dropped[CMD_STREAMS];  /* ... and forgotten */
    bool             untold;                /* that it began */
    uint64_t         taken;                 /* report.c: bytes that it wrote, in all attempts */
    bool             overflowed;            /* it wrote more than can be kept */
    bool             gave_up; /* it failed, and the run ends before it is tried again */
    size_t           held;    /* report.c: bytes that wait to be shown */
    struct cmd_words words;   /* a copy of the command, where it is wanted; else empty */
    char            *command; /* as a shell line, once it has ended; or NULL */
    size_t           length;
    /* set by cmd_job_judge */
    enum cmd_end end;
    int          status;       /* of waitpid, if there is one */
    double       started, ran; /* wall clock; seconds of the last attempt */
    char         input[];      /* its columns, with blanks between; `length` bytes and a NUL */
};

/* `input` is for the caller to fill in.  NULL: no memory. */
struct cmd_job *cmd_job_new(uint64_t ordinal, uint64_t seq, size_t length);
void            cmd_job_free(struct cmd_job *job);
/* What an earlier attempt wrote does not count. */
void cmd_job_begin_attempt(struct cmd_job *job, unsigned attempt);

/* The job has ended: set how, and why in words unless it is done.  `is_command`: the result is one
 * of job_exec.h. */
void cmd_job_judge(struct cmd_job *job, bool is_command, char *reason, size_t size);
/* Exit status and signal for a log: as a shell would see it; what has no status gets 255. */
void cmd_job_codes(const struct cmd_job *job, int *exit_code, int *signal);

extern const char *const cmd_end_names[CMD_ENDS];

#endif
