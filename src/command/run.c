/*
 * run.c - `procpool run`: set up, the loop, the exit status.
 *
 * One thread, one poll: on the pool, the inputs, the signals and the timer of the progress line.
 *
 * The run ends early, starting nothing more, at a signal, when the inputs cannot be read or
 * the results cannot be written.  What is running may finish; a second signal ends it at once.
 */
#include "run.h"

#include "job_exec.h"
#include "plugin.h"
#include "tasks.h"
#include "text.h"
#include "workers.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check_outputs(struct cmd_run *run)
{
    const struct cmd_sink *failed = run->out.error < 0 ? &run->out : &run->err;
    char                   what[64];
    if (failed->error >= 0 || failed->error == -EINTR)
        return;
    snprintf(what, sizeof what, "cannot write %s", failed->name);
    cmd_tasks_break_off(run, what, strerror(-failed->error));
}

static void read_inputs(struct cmd_run *run)
{
    int error = cmd_inputs_read(&run->inputs);
    if (error == -EMSGSIZE)
        cmd_tasks_break_off(run, "cannot read standard input", "a line is longer than 64 MiB");
    else if (error < 0)
        cmd_tasks_break_off(run, "cannot read standard input", strerror(-error));
}

enum { ON_POOL, ON_SIGNALS, ON_TIMER, ON_INPUTS, WAITS };

/* Every wait ends by an event: an outcome (the pool watches its workers), an input or its end, a
 * signal, or the timer.  Output is written out before the process sleeps. */
static void wait_for_something(struct cmd_run *run)
{
    struct pollfd fds[WAITS] = {
        [ON_POOL] = {.fd = pp_pool_fd(run->pool), .events = POLLIN},
        [ON_SIGNALS] = {.fd = run->signals.fd, .events = POLLIN},
        [ON_TIMER] = {.fd = run->progress.timer, .events = POLLIN},
        [ON_INPUTS] = {.fd = run->hungry ? run->inputs.fd : -1, .events = POLLIN},
    };
    int ready = poll(fds, WAITS, 0);
    if (ready == 0) {
        bool no_more = run->no_more;
        cmd_report_flush(&run->report);
        check_outputs(run);
        if (run->no_more != no_more || run->signals.count != run->heeded)
            return; /* while it was written, something has changed */
        ready = poll(fds, WAITS, -1);
    }
    if (ready <= 0)
        return;
    if (fds[ON_SIGNALS].revents != 0)
        cmd_signals_read(&run->signals);
    if (fds[ON_TIMER].revents != 0) {
        cmd_report_flush(&run->report); /* or it would come to stand behind the line */
        cmd_progress_draw(&run->progress, &run->report.counts,
                          pp_pool_num_working_processes(run->pool));
    }
    if (fds[ON_INPUTS].revents != 0)
        read_inputs(run);
}

static void loop(struct cmd_run *run)
{
    for (;;) {
        int error = pp_pool_process_results(run->pool);
        if (error < 0) {
            cmd_tasks_break_off(run, "cannot collect results", strerror(-error));
            break;
        }
        cmd_tasks_heed_signals(run);
        check_outputs(run);
        cmd_tasks_start(run);
        if (run->in_flight == 0 && run->no_more)
            break;
        wait_for_something(run);
    }
}

/* ----------------------------------------------------- beginning and end */

static int prepare_callable(struct cmd_run *run)
{
    const struct cmd_options *options = run->options;
    if (options->plugin != NULL) {
        run->plugin_name = cmd_plugin_name(options->plugin, options->function);
        run->callable = PP_NAMED(run->plugin_name);
        return run->plugin_name != NULL ? 0 : CMD_EXIT_USAGE;
    }
    cmd_template_init(&run->command, options->command, options->command_count);
    run->callable = PP_FUNCTION(cmd_job_exec);
    int error = cmd_template_check(&run->command);
    if (error == 0)
        return 0;
    cmd_error("run: '%s': %s", options->command[0],
              error == -ENOENT ? "command not found" : strerror(-error));
    return error == -ENOENT ? CMD_EXIT_NOT_FOUND : CMD_EXIT_NOT_EXECUTABLE;
}

/* What is left open or allocated when this fails is given back by finish(). */
static int prepare(struct cmd_run *run)
{
    const struct cmd_options *options = run->options;
    unsigned                  workers = options->jobs;
    if (options->inputs != NULL && options->input_count < workers)
        workers = (unsigned)options->input_count;
    int error = cmd_workers_create(&run->pool, &run->limit, workers);
    if (error < 0)
        return CMD_EXIT_TROUBLE;
    error = cmd_signals_open(&run->signals);
    if (error == 0)
        error = cmd_sink_open(&run->out, STDOUT_FILENO, "standard output", &run->signals);
    if (error == 0)
        error = cmd_sink_open(&run->err, STDERR_FILENO, "standard error", &run->signals);
    if (error == 0)
        cmd_progress_open(&run->progress, &run->err, run->begun);
    if (error == 0)
        error = cmd_report_open(&run->report, &run->out, &run->err, &run->progress,
                                options->plugin == NULL, options->keep_order ? run->limit * 16 : 0);
    if (error < 0) {
        cmd_error("run: cannot begin: %s", strerror(-error));
        return CMD_EXIT_TROUBLE;
    }
    if (options->inputs != NULL)
        cmd_inputs_from_list(&run->inputs, options->inputs, options->input_count);
    else
        cmd_inputs_from_fd(&run->inputs, STDIN_FILENO);
    return 0;
}

static int exit_status(struct cmd_run *run)
{
    const uint64_t *ended = run->report.counts.ended;
    if (run->signals.first != 0)
        return CMD_EXIT_SIGNAL + run->signals.first;
    if (run->trouble)
        return CMD_EXIT_TROUBLE;
    for (int i = 0; i < CMD_ENDS; i++) {
        if (i != CMD_DONE && ended[i] > 0)
            return CMD_EXIT_SOME_FAILED;
    }
    return CMD_EXIT_OK;
}

static void finish(struct cmd_run *run)
{
    pp_pool_destroy(run->pool);
    cmd_progress_close(&run->progress);
    cmd_report_close(&run->report);
    cmd_sink_close(&run->out);
    cmd_sink_close(&run->err);
    cmd_inputs_close(&run->inputs);
    cmd_signals_close(&run->signals);
    cmd_words_free(&run->words);
    free(run->plugin_name);
}

int cmd_run(const struct cmd_options *options)
{
    struct cmd_run run = {
        .options = options,
        .inputs.fd = -1,
        .signals.fd = -1,
        .progress.timer = -1,
        .begun = cmd_now(),
    };
    cmd_tasks_init(&run);
    int status = prepare_callable(&run);
    if (status == 0)
        status = prepare(&run);
    if (status == 0) {
        if (options->inputs == NULL && isatty(STDIN_FILENO))
            cmd_report_error(&run.report, "run: reading inputs from the terminal, one a line");
        loop(&run);
        cmd_report_flush(&run.report);
        check_outputs(&run);
        cmd_report_summary(&run.report, cmd_now() - run.begun);
        check_outputs(&run);
        status = exit_status(&run);
    }
    finish(&run);
    return status;
}
