/*
 * ending.c - when the whole run ends early: by signals, by --halt, because it cannot go on.
 *
 * Invariant: what was started and is not stopped here ends as in any run, and is reported.
 */
#define _GNU_SOURCE
#include "halt.h"
#include "job_exec.h"
#include "tasks.h"

#include <string.h>

/* Start nothing more.  A task that a worker takes in the moment between the look at its
 * state and the cancel is stopped at its very beginning, and reported as cancelled.  One that waits for
 * its next attempt has failed. */
void cmd_tasks_stop_starting(struct cmd_run *run)
{
    run->no_more = run->ending = true;
    if (cmd_job_settings.ends != NULL)
        atomic_store_explicit(cmd_job_settings.ends, true, memory_order_relaxed);
    struct cmd_job *next;
    for (struct cmd_job *job = run->jobs; job != NULL; job = next) {
        next = job->next;
        if (pp_task_state(job->task) != PP_QUEUED)
            continue;
        job->gave_up = pp_task_attempts(job->task) > 0;
        pp_task_cancel(job->task);
    }
}

static void stop_starting(struct cmd_run *run)
{
    (void)cmd_tasks_take(run); /* which attempts had begun by now; an error comes again */
    cmd_tasks_stop_starting(run);
}

/* Stop what runs, too. */
static void stop_all(struct cmd_run *run)
{
    run->no_more = true;
    pp_pool_finalize(run->pool, 0); /* runs the callbacks of all that was left */
}

void cmd_tasks_break_off(struct cmd_run *run, const char *what, const char *why)
{
    if (run->trouble)
        return;
    run->trouble = true;
    cmd_report_error(&run->report, "run: %s: %s; starting nothing more", what, why);
    stop_starting(run);
}

void cmd_tasks_heed_signals(struct cmd_run *run)
{
    unsigned before = run->heeded;
    run->heeded = run->signals.count;
    if (before < 1 && run->heeded >= 1) {
        stop_starting(run);
        if (run->heeded == 1 && run->in_flight > 0)
            cmd_report_error(&run->report,
                             "run: %s: waiting for what runs; a second signal ends it",
                             sigdescr_np(run->signals.first));
    }
    if (before < 2 && run->heeded >= 2)
        stop_all(run);
}

uint64_t cmd_tasks_total(const struct cmd_run *run, bool *exact)
{
    if (run->exhausted) {
        *exact = true;
        return run->started;
    }
    uint64_t total = cmd_inputs_total(&run->inputs, exact);
    return total > run->done.passed_over ? total - run->done.passed_over : 0;
}

void cmd_tasks_heed_halt(struct cmd_run *run)
{
    const struct cmd_halt *halt = &run->options->halt;
    bool                   exact = false;
    if (halt->when == CMD_HALT_NEVER || run->halted)
        return;
    uint64_t total = cmd_tasks_total(run, &exact);
    if (!cmd_halt_reached(halt, &run->report.counts, total, exact))
        return;
    run->halted = true;
    if (run->in_flight > 0 && !run->options->quiet)
        cmd_report_error(&run->report, "run: --halt: %s",
                         halt->when == CMD_HALT_NOW ? "stopping what runs"
                                                    : "waiting for what runs");
    if (halt->when == CMD_HALT_NOW)
        stop_all(run);
    else
        stop_starting(run);
}
