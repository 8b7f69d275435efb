/*
 * run.c - `procpool run`: set up, the loop, the exit status.
 *
 * One thread, one poll: on the pool, what jobs write, the inputs, the signals, two timers, and on
 * whether standard output still has a reader.
 *
 * The run ends early, starting nothing more, at a signal, when --halt is reached, when the inputs
 * cannot be read or the results cannot be written.  What is running may finish; a second signal, or
 * --halt now, ends it at once.
 */
#define _GNU_SOURCE
#include "run.h"

#include "events.h"
#include "job_exec.h"
#include "outlets.h"
#include "plugin.h"
#include "program.h"
#include "relay.h"
#include "tasks.h"
#include "text.h"
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void check_outputs(struct cmd_run *run)
{
    const struct cmd_sink *failed = run->out.error < 0 ? &run->out : &run->err;
    char                   what[512];
    if (run->report.error < 0) {
        snprintf(what, sizeof what, "cannot write %s", run->report.failed);
        cmd_tasks_break_off(run, what, strerror(-run->report.error));
    }
    if (failed->error >= 0 || failed->error == -EINTR)
        return;
    snprintf(what, sizeof what, "cannot write %s", failed->name);
    cmd_tasks_break_off(run, what, strerror(-failed->error));
}

static void read_inputs(struct cmd_run *run)
{
    char what[512];
    int  error = cmd_inputs_read(&run->inputs);
    if (error >= 0)
        return;
    snprintf(what, sizeof what, "cannot read %s", cmd_inputs_failed(&run->inputs));
    cmd_tasks_break_off(run, what, cmd_inputs_error(error));
}

static void draw_progress(struct cmd_run *run)
{
    bool exact = false;
    cmd_report_flush(&run->report); /* or it would come to stand behind the line */
    cmd_progress_draw(&run->progress, &run->report.counts, pp_pool_num_working_processes(run->pool),
                      cmd_tasks_total(run, &exact));
}

enum { ON_POOL, ON_RELAY, ON_SIGNALS, ON_TIMER, ON_GATE, ON_INPUTS, ON_READER, WAITS };

static void heed(struct cmd_run *run, const struct pollfd *fds)
{
    if (fds[ON_SIGNALS].revents != 0)
        cmd_signals_read(&run->signals);
    if (fds[ON_TIMER].revents != 0 || (run->signals.resized && run->progress.drawn))
        draw_progress(run);
    run->signals.resized = false;
    if (fds[ON_GATE].revents != 0)
        cmd_gate_rung(&run->gate);
    if (fds[ON_INPUTS].revents != 0)
        read_inputs(run);
    if ((fds[ON_READER].revents & (POLLERR | POLLHUP)) != 0)
        cmd_sink_unread(&run->out);
}

/* Every wait ends by an event: an outcome (the pool watches its workers), something that a job wrote,
 * an input or its end, a signal, a timer, or the reader of the output leaving.  Output is written out
 * before the process sleeps. */
static void wait_for_something(struct cmd_run *run)
{
    struct pollfd fds[WAITS] = {
        [ON_POOL] = {.fd = pp_pool_fd(run->pool), .events = POLLIN},
        [ON_RELAY] = {.fd = cmd_relay_fd(), .events = POLLIN},
        [ON_SIGNALS] = {.fd = run->signals.fd, .events = POLLIN},
        [ON_TIMER] = {.fd = run->progress.timer, .events = POLLIN},
        [ON_GATE] = {.fd = run->gate.timer, .events = POLLIN},
        [ON_INPUTS] = {.fd = run->hungry ? cmd_inputs_fd(&run->inputs) : -1, .events = POLLIN},
        [ON_READER] = {.fd = cmd_sink_reader(&run->out)},
    };
    int ready = cmd_report_is_flushed(&run->report) ? 0 : poll(fds, WAITS, 0);
    if (ready == 0) {
        bool no_more = run->no_more;
        cmd_report_flush(&run->report);
        check_outputs(run);
        if (run->no_more != no_more || run->signals.count != run->heeded)
            return; /* while it was written, something has changed */
        ready = poll(fds, WAITS, -1);
    }
    if (ready > 0)
        heed(run, fds);
}

static void loop(struct cmd_run *run)
{
    for (;;) {
        int error = pp_pool_process_results(run->pool);
        cmd_tasks_collect(run);
        if (error < 0) {
            cmd_tasks_break_off(run, "cannot collect results", strerror(-error));
            break;
        }
        cmd_tasks_heed_signals(run);
        check_outputs(run);
        cmd_tasks_heed_halt(run);
        cmd_tasks_start(run);
        if (run->in_flight == 0 && run->no_more)
            break;
        if (run->ended == NULL)
            wait_for_something(run);
    }
}

/* ----------------------------------------------------- beginning and end */

static int open_inputs(struct cmd_run *run)
{
    if (cmd_done_read(&run->done, run->options) < 0)
        return CMD_EXIT_TROUBLE;
    if (!run->options->retry_failed)
        return cmd_inputs_open(&run->inputs, run->options) < 0 ? CMD_EXIT_TROUBLE : 0;
    int error =
        cmd_inputs_numbered(&run->inputs, run->done.commands, run->done.numbers, run->done.failed);
    if (error < 0)
        cmd_error("run: %s", strerror(-error));
    return error < 0 ? CMD_EXIT_TROUBLE : 0;
}

static int prepare_template(struct cmd_run *run)
{
    const struct cmd_options *options = run->options;
    int error = cmd_template_init(&run->command, options->command, options->command_count,
                                  options->shell, &run->inputs);
    if (error == -EINVAL)
        cmd_error(
            "run: --shell: no mark like {} may stand where the shell calculates, as in $((...)), "
            "behind a backslash, '$' or '<<', or where quotes cannot be followed; a variable can "
            "carry the input: x={}; ... (but calculate with it once it is known to be a number)");
    else if (error == -ENOKEY)
        cmd_error("run: no column is called %.*s; did you mean {%s}?",
                  (int)(strcspn(run->command.misspelt, "}") + 1), run->command.misspelt,
                  run->command.meant);
    else if (error < 0)
        cmd_error("run: %s", strerror(-error));
    void *page =
        mmap(NULL, sizeof(_Atomic bool), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    run->callable = PP_FUNCTION(cmd_job_exec);
    cmd_job_settings = (struct cmd_job_settings){
        .limits = options->limits,
        .ends = page != MAP_FAILED ? page : NULL,
        .soft_signal = options->soft_timeout.signal,
        .announce = options->retries > 0 || options->json || run->command.has_slot,
    };
    bool mistake = error == -EINVAL || error == -ENOKEY;
    return error == 0 ? 0 : mistake ? CMD_EXIT_USAGE : CMD_EXIT_TROUBLE;
}

static int prepare_callable(struct cmd_run *run)
{
    const struct cmd_options *options = run->options;
    if (options->plugin == NULL)
        return prepare_template(run);
    run->plugin_name = cmd_plugin_name(options->plugin, options->function);
    run->callable = PP_NAMED(run->plugin_name);
    return run->plugin_name != NULL ? 0 : CMD_EXIT_USAGE;
}

static int say_not_found(const struct cmd_options *options, int error)
{
    const char *name = options->shell ? "/bin/sh" : options->command[0];
    const char *hint =
        cmd_program_is_for_shell(name) ? "; a line for a shell needs --shell, in front of it" : "";
    cmd_error("run: '%s': %s%s", name, error == -ENOENT ? "command not found" : strerror(-error),
              hint);
    return error == -ENOENT ? CMD_EXIT_NOT_FOUND : CMD_EXIT_NOT_EXECUTABLE;
}

static int check_command(struct cmd_run *run)
{
    int error = run->options->plugin == NULL ? cmd_template_check(&run->command) : 0;
    if (error == 0)
        return 0;
    return say_not_found(run->options, error);
}

static int make_pool(struct cmd_run *run)
{
    bool     exact = false;
    uint64_t total = cmd_inputs_total(&run->inputs, &exact);
    int      status = check_command(run);
    if (status != 0)
        return status;
    int error = cmd_relay_open();
    if (error < 0) {
        cmd_error("run: cannot open a pipe: %s", strerror(-error));
        return CMD_EXIT_TROUBLE;
    }
    error = cmd_workers_create(&run->pool, &run->limit, run->options, exact ? total : UINT64_MAX);
    cmd_relay_only_read();
    if (error < 0)
        return CMD_EXIT_TROUBLE;
    if (cmd_gate_is_used(&run->gate) || run->options->halt.when != CMD_HALT_NEVER)
        run->limit = pp_pool_max_size(run->pool);
    return 0;
}

/* Workers start in --workdir; we stay where we are. */
static int make_pool_there(struct cmd_run *run)
{
    const char *folder = run->options->workdir;
    if (folder == NULL)
        return run->options->dry_run ? 0 : make_pool(run);
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (here < 0 || chdir(folder) < 0) {
        cmd_error("run: --workdir %s: %s", folder, strerror(errno));
        if (here >= 0)
            close(here);
        return CMD_EXIT_TROUBLE;
    }
    int status = run->options->dry_run ? 0 : make_pool(run);
    if (fchdir(here) < 0) {
        cmd_error("run: cannot go back from --workdir %s: %s", folder, strerror(errno));
        status = CMD_EXIT_TROUBLE;
    }
    close(here);
    return status;
}

static int set_environment(const struct cmd_options *options)
{
    for (size_t i = 0; i < options->environment.count; i++) {
        char *variable = options->environment.items[i];
        char *equals = strchr(variable, '=');
        char *name = strndup(variable, (size_t)(equals - variable));
        int   failed = name == NULL || setenv(name, equals + 1, 1) < 0;
        free(name);
        if (failed) {
            cmd_error("run: --env %s: %s", variable, strerror(errno));
            return CMD_EXIT_TROUBLE;
        }
    }
    return 0;
}

static int open_streams(struct cmd_run *run)
{
    const struct cmd_options *options = run->options;
    int                       error = options->dry_run ? 0 : cmd_signals_open(&run->signals);
    if (error == 0)
        error = cmd_sink_open(&run->out, STDOUT_FILENO, "standard output", &run->signals);
    if (error == 0)
        error = cmd_sink_open(&run->err, STDERR_FILENO, "standard error", &run->signals);
    if (error < 0) {
        cmd_error("run: cannot begin: %s", strerror(-error));
        return CMD_EXIT_TROUBLE;
    }
    run->meanwhile.fd = cmd_relay_fd();
    run->out.meanwhile = run->err.meanwhile = &run->meanwhile;
    run->report.out = &run->out;
    run->report.err = &run->err;
    run->report.progress = &run->progress;
    run->progress.sink = &run->err;
    if (!options->quiet && !options->dry_run)
        cmd_progress_open(&run->progress, &run->err, run->begun, options->progress);
    return options->keep_order && !options->dry_run &&
                   cmd_report_order(&run->report, run->limit * 16) < 0
               ? CMD_EXIT_TROUBLE
               : 0;
}

/* A name that nothing is put into is looked for before anything is opened. */
static int check_name(const struct cmd_options *options)
{
    char path[PATH_MAX];
    bool known = options->plugin == NULL && !options->shell && !options->dry_run &&
                 options->workdir == NULL && strchr(options->command[0], '{') == NULL;
    int error = known ? cmd_program_find(path, sizeof path, options->command[0]) : 0;
    return error < 0 ? say_not_found(options, error) : 0;
}

static int open_report(struct cmd_run *run)
{
    int status = check_name(run->options);
    if (status != 0)
        return status;
    return cmd_report_open(&run->report, run->options) < 0 ? CMD_EXIT_TROUBLE : 0;
}

static int open_gate(struct cmd_run *run)
{
    int error = cmd_gate_open(&run->gate, run->options);
    if (error == -ERANGE)
        cmd_error("run: --memfree: this machine has less memory than that");
    else if (error < 0)
        cmd_error("run: cannot make a timer: %s", strerror(-error));
    return error == 0 ? 0 : error == -ERANGE ? CMD_EXIT_USAGE : CMD_EXIT_TROUBLE;
}

/* What is left open or allocated when this fails is given back by finish(). */
static int prepare(struct cmd_run *run)
{
    static int (*const steps[])(struct cmd_run *) = {open_report, open_inputs, prepare_callable,
                                                     make_pool_there, open_streams};
    int status = set_environment(run->options);
    if (status == 0)
        status = open_gate(run);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == 0; i++)
        status = steps[i](run);
    return status;
}

static int exit_status(const struct cmd_run *run)
{
    const uint64_t *ended = run->report.counts.ended;
    if (run->signals.first != 0)
        return CMD_EXIT_SIGNAL + run->signals.first;
    if (run->trouble)
        return CMD_EXIT_TROUBLE;
    if (run->halted && run->options->halt.what == CMD_HALT_SUCCESS)
        return CMD_EXIT_OK;
    for (int i = 0; i < CMD_CANCELLED; i++) {
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
    cmd_template_free(&run->command);
    cmd_inputs_close(&run->inputs);
    cmd_done_free(&run->done);
    cmd_gate_close(&run->gate);
    cmd_relay_close();
    cmd_outlets_close();
    if (cmd_job_settings.ends != NULL)
        munmap((void *)cmd_job_settings.ends, sizeof *cmd_job_settings.ends);
    cmd_job_settings.ends = NULL;
    cmd_signals_close(&run->signals);
    cmd_words_free(&run->words);
    free(run->plugin_name);
}

static int work(struct cmd_run *run)
{
    const struct cmd_options *options = run->options;
    if (options->source_count == 0 && !options->retry_failed && isatty(STDIN_FILENO))
        cmd_report_error(&run->report, "run: reading inputs from the terminal, one a line");
    if (options->dry_run) {
        cmd_tasks_print(run);
    } else {
        if (options->json)
            cmd_event_begin(&run->out, pp_pool_max_size(run->pool));
        loop(run);
    }
    cmd_report_flush(&run->report);
    check_outputs(run);
    if (!options->dry_run || run->report.summary.count > 0)
        cmd_report_end(&run->report, run->done.passed_over, cmd_now() - run->begun);
    run->err.error = 0; /* who does not hear the summary has the exit status */
    check_outputs(run);
    return exit_status(run);
}

int cmd_run(const struct cmd_options *options)
{
    struct cmd_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        cmd_error("run: no memory");
        return CMD_EXIT_TROUBLE;
    }
    run->options = options;
    cmd_spool_init();
    run->signals.fd = run->progress.timer = run->gate.timer = run->report.log.fd = -1;
    run->report.results = -1;
    run->begun = cmd_now();
    cmd_tasks_init(run);
    int status = prepare(run);
    if (status == 0)
        status = work(run);
    finish(run);
    free(run);
    return status;
}
