/*
 * joblog.h - a line for each job that has ended, in the columns of GNU parallel; and what such a
 * file says about an earlier run.
 */
#ifndef CMD_JOBLOG_H
#define CMD_JOBLOG_H

#include "job.h"
#include "options.h"

#include <stdio.h>

struct cmd_joblog {
    const char *name;
    int         fd;
    int         error;   /* latch: negative errno */
    bool        regular; /* a file, not a pipe */
    bool        older;   /* it had lines of an earlier run */
    char        host[65];
    char       *line; /* reused */
    size_t      room;
    FILE       *stream;
};

/* Open for appending, with a header if it is empty; made if `create`.  What a dead writer left as a torn
 * last line is cut off.  0 or -errno; -EWOULDBLOCK: another run writes it, or its jobs have not ended;
 * -EBADMSG: it is something else; -EEXIST: our output goes there. */
int  cmd_joblog_open(struct cmd_joblog *log, const char *name, bool create);
void cmd_joblog_add(struct cmd_joblog *log, const struct cmd_job *job);
void cmd_joblog_close(struct cmd_joblog *log);

/* ------------------------------------------------------------------ reading */

enum { CMD_DONE_SAMPLES = 64 };

/* What is to be passed over, and what is to be run again. */
struct cmd_done {
    uint64_t *bits;  /* by number */
    uint64_t  count; /* of bits there is room for */
    uint64_t  passed_over;
    char    **commands; /* --retry-failed: failed ones, in order of their numbers */
    uint64_t *numbers;
    size_t    failed, room;
    struct {
        uint64_t seq;
        uint64_t hash;           /* of the command, without blanks and quotes */
    } samples[CMD_DONE_SAMPLES]; /* the first jobs of the log */
    size_t sampled;
};

/* Nothing is done when there is no such file.  0, or -1 after a message. */
int  cmd_done_read(struct cmd_done *done, const struct cmd_options *options);
bool cmd_done_has(const struct cmd_done *done, uint64_t seq);
/* Is job `seq` another command in the log than this one?  Known of the first jobs only. */
bool cmd_done_differs(const struct cmd_done *done, uint64_t seq, const char *command);
void cmd_done_free(struct cmd_done *done);

#endif
