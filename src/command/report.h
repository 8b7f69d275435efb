/*
 * report.h - what the user sees of the tasks: their output, the failures, the summary.
 */
#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include "outcome.h"
#include "progress.h"
#include "sink.h"

enum { CMD_FAILURES_SHOWN = 20 };

struct cmd_report {
    struct cmd_sink     *out, *err;
    struct cmd_progress *progress;
    bool                 is_command; /* results are those of job_exec.h */
    FILE                *json;       /* writes to out */
    struct cmd_counts    counts;
    struct cmd_job     **held;   /* keep-order: ended jobs, by number modulo `window` */
    uint64_t             window; /* 0: output as the tasks end */
    uint64_t             next;   /* keep-order: the number that is written next */
    size_t               held_bytes;
    char                *failures[CMD_FAILURES_SHOWN];
    uint64_t             failure_count;
};

/* keep_order 0: no order; else how many jobs may be ahead of the oldest one.  0 or -errno. */
int cmd_report_open(struct cmd_report *report, struct cmd_sink *out, struct cmd_sink *err,
                    struct cmd_progress *progress, bool is_command, uint64_t keep_order);
/* May a job of that number be started, as far as held results go? */
bool cmd_report_has_room(const struct cmd_report *report, uint64_t number);
/* The job has ended: count it, write it or hold it, and free it. */
void cmd_report_take(struct cmd_report *report, struct cmd_job *job);
/* "procpool: ...\n" on standard error. */
void cmd_report_error(struct cmd_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Write out what is buffered: 0, or the first error of either stream. */
int cmd_report_flush(struct cmd_report *report);
/* The failures and the summary. */
void cmd_report_summary(struct cmd_report *report, double seconds);
void cmd_report_close(struct cmd_report *report);

#endif
