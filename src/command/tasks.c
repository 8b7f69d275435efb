/*
 * tasks.c - inputs become tasks, and tasks that have ended become output.
 *
 * Nothing is queued without bound: at most `limit` tasks have not ended, which is what the pool's
 * queue holds, so queueing never blocks; and no input is taken before a task can be made of it.
 *
 * Callbacks run in pp_pool_process_results, which run.c calls, so all of this happens in turn.
 */
#define _GNU_SOURCE
#include "tasks.h"

#include <errno.h>
#include <string.h>

static void link_job(struct cmd_run *run, struct cmd_job *job)
{
    job->next = run->jobs;
    if (job->next != NULL)
        job->next->previous = job;
    run->jobs = job;
    run->in_flight++;
}

static void unlink_job(struct cmd_run *run, struct cmd_job *job)
{
    if (job->next != NULL)
        job->next->previous = job->previous;
    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        run->jobs = job->next;
    run->in_flight--;
}

/* ------------------------------------------------------------ early end */

/* Start nothing more.  A task that a worker takes in the moment between the look at its
 * state and the cancel is stopped at its very beginning, and reported as cancelled. */
static void stop_starting(struct cmd_run *run)
{
    run->no_more = true;
    struct cmd_job *next;
    for (struct cmd_job *job = run->jobs; job != NULL; job = next) {
        next = job->next;
        if (pp_task_state(job->task) == PP_QUEUED)
            pp_task_cancel(job->task);
    }
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
        pp_pool_finalize(run->pool, 0); /* runs the callbacks of all that was left */
}

/* ------------------------------------------------------- begin and end */

static void job_ended(struct cmd_job *job, struct cmd_run *run)
{
    unlink_job(run, job);
    cmd_report_take(&run->report, job);
}

/* The userdata of a task is its job; there is one run per process. */
static struct cmd_run *current;

static void on_result(pp_task *task, const pp_value *result, void *job)
{
    (void)task, (void)result;
    job_ended(job, current);
}

static void on_exception(pp_task *task, const pp_error *error, void *job)
{
    (void)task, (void)error;
    job_ended(job, current);
}

void cmd_tasks_init(struct cmd_run *run)
{
    current = run;
    run->task_options = (pp_task_options)PP_TASK_OPTIONS_INIT;
    run->task_options.callback = on_result;
    run->task_options.exception_callback = on_exception;
    run->task_options.timeout = run->options->timeout;
    run->task_options.max_retries = run->options->retries;
}

static int make_task(struct cmd_run *run, struct cmd_job *job)
{
    run->task_options.userdata = job;
    if (memchr(job->input, '\0', job->length) != NULL)
        return -EILSEQ;
    if (run->options->plugin != NULL)
        return pp_task_create(&job->task, run->callable, &run->task_options, "s", job->input);
    int error = cmd_template_expand(&run->command, job->input, job->length, &run->words);
    if (error < 0)
        return error;
    return pp_task_create(&job->task, run->callable, &run->task_options, "uy",
                          run->options->retries + 1, run->words.data, run->words.size);
}

/* 0, or -errno when no task can be had at all.  What is wrong with this input alone is its
 * own failure. */
static int start_job(struct cmd_run *run, const char *input, size_t length)
{
    struct cmd_job *job = cmd_job_new(run->inputs.count - 1, input, length);
    if (job == NULL)
        return -ENOMEM;
    int fatal = 0;
    job->error = make_task(run, job);
    if (job->error == 0) {
        link_job(run, job);
        fatal = pp_pool_queue_task(run->pool, job->task);
        if (fatal == 0)
            return 0;
        unlink_job(run, job);
        job->error = fatal;
        pp_task_unref(job->task);
        job->task = NULL;
    } else if (job->error == -ENOMEM) {
        fatal = job->error;
    }
    cmd_report_take(&run->report, job); /* keep-order counts on every number */
    return fatal;
}

void cmd_tasks_start(struct cmd_run *run)
{
    run->hungry = false;
    while (!run->no_more && run->in_flight < run->limit &&
           cmd_report_has_room(&run->report, run->inputs.count)) {
        const char *input = NULL;
        size_t      length = 0;
        int         got = cmd_inputs_next(&run->inputs, &input, &length);
        if (got == 0)
            run->no_more = true;
        if (got == -EAGAIN)
            run->hungry = true;
        if (got <= 0)
            return;
        int error = start_job(run, input, length);
        if (error < 0)
            cmd_tasks_break_off(run, "cannot start a task", strerror(-error));
    }
}
