/*
 * report.h - what the user sees of the jobs, and what is kept of them: output, results, job log,
 * events, summary.
 */
#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include "job.h"
#include "joblog.h"
#include "options.h"
#include "progress.h"
#include "sink.h"
#include "stats.h"
#include "summary.h"

struct cmd_report {
    const struct cmd_options *options;
    struct cmd_sink          *out, *err;
    struct cmd_progress      *progress;
    bool                      is_command; /* results are those of job_exec.h */
    struct cmd_joblog         log;
    bool                      meanwhile; /* a sink waits: nothing may be written */
    int                       results;   /* descriptor of the folder, or -1 */
    int                       error;     /* latch: something that was to be kept is not */
    const char               *failed;    /* ... its name */
    struct cmd_counts         counts;
    struct cmd_stats          stats;
    struct cmd_summary        summary;
    struct cmd_job          **held;   /* keep-order: ended jobs, by ordinal modulo `window` */
    uint64_t                  window; /* 0: output as the jobs end */
    uint64_t                  next;   /* keep-order: the ordinal that is written next */
    size_t                    held_bytes;
    uint64_t                  spooled; /* bytes that jobs wrote and that are not settled */
};

/* The job log and the folder of results, before anything else is: 0, or -errno after a message. */
int cmd_report_open(struct cmd_report *report, const struct cmd_options *options);
/* keep-order: `window` jobs may be ahead of the oldest one.  0, or -ENOMEM after a message. */
int cmd_report_order(struct cmd_report *report, uint64_t window);
/* May a job of that ordinal be started, as far as held results go? */
bool cmd_report_has_room(const struct cmd_report *report, uint64_t ordinal);
/* Something of a later attempt has arrived: the earlier one's output is not the job's. */
void cmd_report_attempt(struct cmd_report *report, struct cmd_job *job, unsigned attempt);
/* A worker says that an attempt has begun. */
void cmd_report_began(struct cmd_report *report, struct cmd_job *job);
/* It has written something.  False: nobody can get that, and the job is to be ended, as SIGPIPE would. */
bool cmd_report_wrote(struct cmd_report *report, struct cmd_job *job, enum cmd_stream stream,
                      const char *data, size_t size);
/* Tell and show what could not be while a sink waited. */
void cmd_report_catch_up(struct cmd_report *report, struct cmd_job *job);
/* It has ended: count it, write it or hold it, and free it. */
void cmd_report_take(struct cmd_report *report, struct cmd_job *job);
/* "procpool: ...\n" on standard error. */
void cmd_report_error(struct cmd_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Nothing is buffered. */
bool cmd_report_is_flushed(const struct cmd_report *report);
/* Write out what is buffered: 0, or the first error of either stream. */
int cmd_report_flush(struct cmd_report *report);
/* The failures, the statistics and the summary. */
void cmd_report_end(struct cmd_report *report, uint64_t passed_over, double seconds);
void cmd_report_close(struct cmd_report *report);

#endif
