/*
 * summary.h - the failures and the figures at the end of a run.
 */
#ifndef CMD_SUMMARY_H
#define CMD_SUMMARY_H

#include "job.h"
#include "progress.h"
#include "sink.h"

enum { CMD_FAILURES_SHOWN = 20 };

struct cmd_summary {
    char    *failures[CMD_FAILURES_SHOWN]; /* a line each, below it where and standard error */
    uint64_t count;
};

/* `backtrace`: of what it was doing when it was broken off, or "". */
void cmd_summary_note(struct cmd_summary *summary, const struct cmd_job *job, const char *reason,
                      const char *backtrace);
void cmd_summary_print(const struct cmd_summary *summary, struct cmd_sink *sink,
                       const struct cmd_counts *counts, uint64_t passed_over, double seconds);
void cmd_summary_free(struct cmd_summary *summary);

#endif
