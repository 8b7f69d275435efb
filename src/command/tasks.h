/*
 * tasks.h - the tasks of a run: how they begin, how they end, and the early end of all of them.
 */
#ifndef CMD_TASKS_H
#define CMD_TASKS_H

#include "gate.h"
#include "inputs.h"
#include "joblog.h"
#include "options.h"
#include "report.h"
#include "signals.h"
#include "template.h"

enum { CMD_JOB_TABLE = 1024 };

struct cmd_run {
    const struct cmd_options *options;
    pp_pool                  *pool;
    pp_callable               callable;
    pp_task_options           task_options;
    char                     *plugin_name;
    struct cmd_template       command;
    struct cmd_words          words; /* of the task that is being made */
    struct cmd_inputs         inputs;
    struct cmd_input          input; /* if `pending`: the next to be started */
    struct cmd_done           done;  /* by an earlier run */
    struct cmd_gate           gate;
    struct cmd_signals        signals;
    struct cmd_sink           out, err;
    struct cmd_progress       progress;
    struct cmd_report         report;
    struct cmd_meanwhile      meanwhile;
    bool                      behind;       /* something was taken meanwhile that was to be shown */
    uint64_t                  queued_bytes; /* of the inputs of jobs that have not ended */
    struct cmd_job           *jobs;         /* those that have not ended */
    struct cmd_job           *ended, **ended_tail;  /* those whose output may not be all here */
    struct cmd_job           *table[CMD_JOB_TABLE]; /* all of them, by ordinal */
    uint64_t                  in_flight;            /* their number */
    uint64_t                  started;              /* jobs made: the next ordinal */
    uint64_t                  limit;
    bool                      pending, keep_words;
    bool                      told_of_wait;
    bool                      told_of_change; /* the log is of other commands */
    bool                      hungry;         /* an input could be used and there is none */
    bool                      no_more;        /* nothing is started any more */
    bool     ending;    /* nothing is started or tried again, whatever inputs there are */
    bool     exhausted; /* ... because there is no more input */
    bool     halted;    /* ... because of --halt */
    unsigned heeded;    /* signals that have been acted upon */
    bool     trouble;   /* the run could not be done: exit status 3 */
    double   begun;
};

/* Say how tasks are made: run->options and run->callable are set. */
void cmd_tasks_init(struct cmd_run *run);
/* The job of that number that has not been reported, or NULL; and one that is being. */
struct cmd_job *cmd_tasks_find(struct cmd_run *run, uint64_t ordinal);
void            cmd_tasks_forget(struct cmd_run *run, struct cmd_job *job);
/* collect.c: how what workers send is taken; by cmd_tasks_init. */
void cmd_collect_init(struct cmd_run *run);
/* Make and queue tasks as long as there are inputs and places. */
void cmd_tasks_start(struct cmd_run *run);
/* Take what workers sent: 0 or -errno. */
int cmd_tasks_take(struct cmd_run *run);
/* The same, and report the jobs that have ended. */
void cmd_tasks_collect(struct cmd_run *run);
/* The run cannot go on: say why, once, and start nothing more. */
void cmd_tasks_break_off(struct cmd_run *run, const char *what, const char *why);
/* Nothing more is begun or tried again.  Writes to no sink. */
void cmd_tasks_stop_starting(struct cmd_run *run);
/* Act upon signals that have been read. */
void cmd_tasks_heed_signals(struct cmd_run *run);
/* Act upon --halt. */
void cmd_tasks_heed_halt(struct cmd_run *run);
/* How many jobs there will be, as far as that is known; 0: no idea. */
uint64_t cmd_tasks_total(const struct cmd_run *run, bool *exact);
/* Print the commands instead. */
void cmd_tasks_print(struct cmd_run *run);

#endif
