/*
 * tasks.h - the tasks of a run: how they begin, how they end, and the early end of all of them.
 */
#ifndef CMD_TASKS_H
#define CMD_TASKS_H

#include "inputs.h"
#include "options.h"
#include "report.h"
#include "signals.h"
#include "template.h"

struct cmd_run {
    const struct cmd_options *options;
    pp_pool                  *pool;
    pp_callable               callable;
    pp_task_options           task_options;
    char                     *plugin_name;
    struct cmd_template       command;
    struct cmd_words          words; /* of the task that is being made */
    struct cmd_inputs         inputs;
    struct cmd_signals        signals;
    struct cmd_sink           out, err;
    struct cmd_progress       progress;
    struct cmd_report         report;
    struct cmd_job           *jobs;      /* those that have not ended */
    uint64_t                  in_flight; /* their number */
    uint64_t                  limit;
    bool                      hungry;  /* an input could be used and there is none */
    bool                      no_more; /* nothing is started any more */
    unsigned                  heeded;  /* signals that have been acted upon */
    bool                      trouble; /* the run could not be done: exit status 3 */
    double                    begun;
};

/* Say how tasks are made: run->options and run->callable are set. */
void cmd_tasks_init(struct cmd_run *run);
/* Make and queue tasks as long as there are inputs and places. */
void cmd_tasks_start(struct cmd_run *run);
/* The run cannot go on: say why, once, and start nothing more. */
void cmd_tasks_break_off(struct cmd_run *run, const char *what, const char *why);
/* Act upon signals that have been read. */
void cmd_tasks_heed_signals(struct cmd_run *run);

#endif
