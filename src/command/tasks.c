/*
 * tasks.c - inputs become tasks.
 *
 * Nothing is queued without bound: at most `limit` jobs have not ended, which is what the pool's
 * queue holds, so queueing never blocks; and no input is taken before a task can be made of it.
 * Where starts are held back, or --halt may forbid them at any moment, the limit is the number of
 * workers: nothing is queued ahead of its start.
 *
 * Callbacks run in pp_pool_process_results, which run.c calls.  They only note which jobs ended: the
 * rest is collect.c's.
 */
#define _GNU_SOURCE
#include "tasks.h"

#include "command_line.h"
#include "json_call.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Inputs may be long: above this nothing more is queued ahead. */
enum { MOST_QUEUED_BYTES = 16 * 1024 * 1024 };

/* -------------------------------------------------------------- the jobs */

static struct cmd_job **chain(struct cmd_run *run, uint64_t ordinal)
{
    return &run->table[ordinal % CMD_JOB_TABLE];
}

static void link_job(struct cmd_run *run, struct cmd_job *job)
{
    struct cmd_job **first = chain(run, job->ordinal);
    job->chained = *first;
    *first = job;
    job->next = run->jobs;
    if (job->next != NULL)
        job->next->previous = job;
    run->jobs = job;
    run->in_flight++;
    run->queued_bytes += job->length;
}

/* It is not among those that may be cancelled any more. */
static void unlink_running(struct cmd_run *run, struct cmd_job *job)
{
    if (job->next != NULL)
        job->next->previous = job->previous;
    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        run->jobs = job->next;
    job->next = job->previous = NULL;
}

void cmd_tasks_forget(struct cmd_run *run, struct cmd_job *job)
{
    struct cmd_job **at = chain(run, job->ordinal);
    while (*at != job)
        at = &(*at)->chained;
    *at = job->chained;
    run->in_flight--;
    run->queued_bytes -= job->length;
}

struct cmd_job *cmd_tasks_find(struct cmd_run *run, uint64_t ordinal)
{
    struct cmd_job *job = *chain(run, ordinal);
    while (job != NULL && job->ordinal != ordinal)
        job = job->chained;
    return job;
}

/* ------------------------------------------------------------ begin and end */

static void job_ended(struct cmd_job *job, struct cmd_run *run)
{
    unlink_running(run, job);
    *run->ended_tail = job;
    run->ended_tail = &job->next;
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
    const struct cmd_options *options = run->options;
    current = run;
    run->ended_tail = &run->ended;
    cmd_collect_init(run);
    run->keep_words = options->joblog != NULL || options->json;
    run->task_options = (pp_task_options)PP_TASK_OPTIONS_INIT;
    run->task_options.callback = on_result;
    run->task_options.exception_callback = on_exception;
    run->task_options.timeout = options->timeout;
    run->task_options.soft_timeout = options->soft_timeout.seconds;
    run->task_options.max_retries = options->retries;
    run->task_options.retry_delay = options->retry_delay;
}

/* ------------------------------------------------------------- making tasks */

static bool has_nul(const struct cmd_input *input)
{
    for (size_t i = 0; i < input->count; i++) {
        const struct cmd_text *column = &input->columns[i];
        if (column->length > 0 && memchr(column->data, '\0', column->length) != NULL)
            return true;
    }
    return false;
}

static int make_call(struct cmd_run *run, struct cmd_job *job)
{
    const struct cmd_options *options = run->options;
    const struct cmd_input   *input = &run->input;
    if (has_nul(input))
        return -EILSEQ;
    int error =
        run->keep_words ? cmd_line_of_call(&run->words, options, run->plugin_name, input) : 0;
    if (error < 0)
        return error;
    if (options->json_lines)
        return cmd_json_task(&job->task, run->callable, &run->task_options, input->columns[0]);
    if (input->count == 1)
        return pp_task_create(&job->task, run->callable, &run->task_options, "s", job->input);
    return cmd_text_task(&job->task, run->callable, &run->task_options, input->columns,
                         input->count);
}

static int make_task(struct cmd_run *run, struct cmd_job *job)
{
    struct cmd_words *words = &run->words;
    run->task_options.userdata = job;
    if (run->input.error < 0)
        return run->input.error;
    if (run->options->plugin != NULL)
        return make_call(run, job);
    int error = cmd_template_expand(&run->command, &run->input, words);
    if (error < 0)
        return error;
    return pp_task_create(&job->task, run->callable, &run->task_options, "Uuyy", job->ordinal,
                          run->options->retries + 1, words->data, words->size, words->slots,
                          words->slot_count * sizeof *words->slots);
}

/* For the job log and events: the words that are of this task now. */
static int keep_words(struct cmd_run *run, struct cmd_job *job)
{
    const struct cmd_words *words = &run->words;
    int                     error = 0;
    if (!run->keep_words || job->error < 0)
        return 0;
    error = cmd_words_append(&job->words, words->data, words->size);
    job->words.slots =
        words->slot_count > 0 ? calloc(words->slot_count, sizeof *words->slots) : NULL;
    if (error < 0 || (words->slot_count > 0 && job->words.slots == NULL))
        return -ENOMEM;
    if (words->slot_count > 0)
        memcpy(job->words.slots, words->slots, words->slot_count * sizeof *words->slots);
    job->words.slot_count = words->slot_count;
    return 0;
}

/* A job of run->input, which is shown as its columns with blanks between. */
static struct cmd_job *new_job(struct cmd_run *run)
{
    const struct cmd_input *input = &run->input;
    size_t                  length = input->count > 0 ? input->count - 1 : 0;
    for (size_t i = 0; i < input->count; i++)
        length += input->columns[i].length;
    struct cmd_job *job = cmd_job_new(run->started, input->seq, length);
    if (job == NULL)
        return NULL;
    char *out = job->input;
    for (size_t i = 0; i < input->count; i++) {
        if (i > 0)
            *out++ = ' ';
        if (input->columns[i].length > 0)
            out = mempcpy(out, input->columns[i].data, input->columns[i].length);
    }
    run->started++;
    return job;
}

/* 0, or -errno when no task can be had at all.  What is wrong with this input alone is its
 * own failure. */
static int start_job(struct cmd_run *run)
{
    struct cmd_job *job = new_job(run);
    if (job == NULL)
        return -ENOMEM;
    int fatal = 0;
    job->error = make_task(run, job);
    if (keep_words(run, job) < 0)
        job->error = -ENOMEM;
    if (job->error == 0) {
        link_job(run, job);
        fatal = pp_pool_queue_task(run->pool, job->task);
        if (fatal == 0)
            return 0;
        unlink_running(run, job);
        cmd_tasks_forget(run, job);
        job->error = fatal;
    } else if (job->error == -ENOMEM) {
        fatal = job->error;
    }
    pp_task_unref(job->task);
    job->task = NULL;
    cmd_report_take(&run->report, job); /* keep-order counts on every ordinal */
    return fatal;
}

static int name_words(struct cmd_run *run, struct cmd_words *words)
{
    return run->options->plugin != NULL
               ? cmd_line_of_call(words, run->options, run->plugin_name, &run->input)
               : cmd_template_expand(&run->command, &run->input, words);
}

/* Jobs are told by their numbers.  Say so, once, when a number means another command than in the log: inputs
 * were added in front, or it is the wrong log. */
static void pass_over(struct cmd_run *run)
{
    const struct cmd_options *options = run->options;
    run->done.passed_over++;
    if (run->done.passed_over > CMD_DONE_SAMPLES || run->told_of_change || options->quiet ||
        run->command.has_slot || run->input.error < 0 || name_words(run, &run->words) < 0)
        return;
    char *line = cmd_line_of_words(&run->words, options->shell, 1);
    char  shown[160];
    if (line != NULL && cmd_done_differs(&run->done, run->input.seq, line)) {
        run->told_of_change = true;
        cmd_quote(shown, sizeof shown, line, strlen(line));
        cmd_report_error(
            &run->report,
            "run: --joblog %s: job %llu is another command there than %s now; jobs are told "
            "by their numbers, and those that it has are passed over",
            options->joblog, (unsigned long long)run->input.seq, shown);
    }
    free(line);
}

/* As cmd_inputs_next, into run->input, passing over what is done. */
static int next_input(struct cmd_run *run)
{
    while (!run->pending) {
        int got = cmd_inputs_next(&run->inputs, &run->input);
        if (got <= 0)
            return got;
        if (cmd_done_has(&run->done, run->input.seq))
            pass_over(run);
        else
            run->pending = true;
    }
    return 1;
}

/* What an answer of next_input other than 1 means. */
static void no_input(struct cmd_run *run, int got)
{
    char what[256];
    if (got == -EAGAIN) {
        run->hungry = true;
        return;
    }
    run->no_more = true;
    run->exhausted = got == 0;
    if (got == 0)
        return;
    snprintf(what, sizeof what, "cannot read %s behind input %llu", cmd_inputs_failed(&run->inputs),
             (unsigned long long)run->inputs.seq);
    cmd_tasks_break_off(run, what, cmd_inputs_error(got));
}

/* Nothing runs, and nothing will until the machine has come to rest: say so once. */
static void tell_of_wait(struct cmd_run *run)
{
    if (!run->gate.held || run->in_flight > 0 || run->told_of_wait || run->options->quiet)
        return;
    run->told_of_wait = true;
    cmd_report_error(&run->report, "run: waiting for less load or more memory (--load, --memfree)");
}

/* There was nothing to wait for, so the loop has not looked at what may end the run. */
static void heed_failed_start(struct cmd_run *run)
{
    cmd_signals_read(&run->signals);
    cmd_tasks_heed_signals(run);
    cmd_tasks_heed_halt(run);
}

void cmd_tasks_start(struct cmd_run *run)
{
    run->hungry = false;
    while (!run->no_more && run->in_flight < run->limit && run->queued_bytes < MOST_QUEUED_BYTES &&
           cmd_report_has_room(&run->report, run->started)) {
        int got = next_input(run);
        if (got <= 0) {
            no_input(run, got);
            return;
        }
        if (!cmd_gate_pass(&run->gate)) {
            tell_of_wait(run);
            return;
        }
        run->pending = false;
        uint64_t in_flight = run->in_flight;
        int      error = start_job(run);
        if (error < 0)
            cmd_tasks_break_off(run, "cannot start a task", strerror(-error));
        else if (run->in_flight == in_flight)
            heed_failed_start(run);
    }
}

/* ------------------------------------------------------------------- --dry-run */

static void print_command(struct cmd_run *run)
{
    int   error = run->input.error < 0 ? run->input.error
                                       : cmd_template_expand(&run->command, &run->input, &run->words);
    char *line = error == 0 ? cmd_line_of_words(&run->words, run->options->shell, 1) : NULL;
    if (line != NULL) {
        cmd_sink_put(&run->out, line, strlen(line));
        cmd_sink_put(&run->out, "\n", 1);
        free(line);
        return;
    }
    struct cmd_job *job = new_job(run);
    if (job == NULL) {
        cmd_tasks_break_off(run, "cannot make a command", strerror(ENOMEM));
        return;
    }
    job->error = error < 0 ? error : -ENOMEM;
    cmd_report_take(&run->report, job);
}

void cmd_tasks_print(struct cmd_run *run)
{
    while (!run->no_more && run->out.error == 0) {
        int got = next_input(run);
        if (got == -EAGAIN) {
            int error = cmd_inputs_await(&run->inputs);
            if (error == 0)
                error = cmd_inputs_read(&run->inputs);
            if (error < 0)
                no_input(run, error);
            continue;
        }
        if (got <= 0) {
            no_input(run, got);
            continue;
        }
        run->pending = false;
        print_command(run);
    }
}
