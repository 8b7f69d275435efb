/*
 * job.c - from the state of a task to done, failed, timed out, lost or cancelled.
 *
 * A command that ended by itself always has a result, with its status in it; it is this file
 * that calls it a failure.  A failed attempt that was not the last one was an exception.
 */
#define _GNU_SOURCE
#include "job.h"

#include "text.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

const char *const cmd_end_names[CMD_ENDS] = {
    [CMD_DONE] = "done", [CMD_FAILED] = "failed",       [CMD_TIMED_OUT] = "timed out",
    [CMD_LOST] = "lost", [CMD_CANCELLED] = "cancelled",
};

struct cmd_job *cmd_job_new(uint64_t ordinal, uint64_t seq, size_t length)
{
    struct cmd_job *job = malloc(sizeof *job + length + 1);
    if (job == NULL)
        return NULL;
    *job = (struct cmd_job){.ordinal = ordinal, .seq = seq, .length = length};
    job->input[length] = '\0';
    return job;
}

void cmd_job_free(struct cmd_job *job)
{
    if (job == NULL)
        return;
    pp_task_unref(job->task);
    cmd_spool_free(&job->spools[CMD_OUT]);
    cmd_spool_free(&job->spools[CMD_ERR]);
    cmd_words_free(&job->words);
    free(job->command);
    free(job);
}

void cmd_job_begin_attempt(struct cmd_job *job, unsigned attempt)
{
    job->attempt = attempt;
    job->status = 0;
    for (int i = 0; i < CMD_STREAMS; i++) {
        cmd_spool_free(&job->spools[i]);
        job->written[i] = job->searched[i] = job->dropped[i] = 0;
    }
}

static void judge_command(struct cmd_job *job, char *reason, size_t size)
{
    bool softened = false;
    int  error = pp_value_unpack(pp_task_result(job->task), "ib", &job->status, &softened);
    if (error < 0) {
        job->end = CMD_FAILED;
        snprintf(reason, size, "unreadable result: %s", strerror(-error));
        return;
    }
    job->end = job->status == 0 ? CMD_DONE : CMD_FAILED;
    size_t used = softened ? (size_t)snprintf(reason, size, "soft limit passed: ") : 0;
    cmd_describe_status(reason + used, size - used, job->status);
}

static void describe_loss(struct cmd_job *job, const pp_error *error, char *reason, size_t size)
{
    char how[80];
    job->status = error != NULL ? pp_error_wait_status(error) : 0;
    if (job->status != 0) {
        cmd_describe_status(how, sizeof how, job->status);
        snprintf(reason, size, "worker lost: %s", how);
    } else {
        const char *message = error != NULL ? pp_error_message(error) : NULL;
        snprintf(reason, size, "worker lost: %s", message != NULL ? message : "no reason known");
    }
}

static void describe_exception(const pp_error *error, char *reason, size_t size)
{
    const char *name = error != NULL ? pp_error_name(error) : NULL;
    const char *message = error != NULL ? pp_error_message(error) : NULL;
    name = name != NULL && name[0] != '\0' ? name : "exception";
    if (message != NULL && message[0] != '\0')
        snprintf(reason, size, "%s: %s", name, message);
    else
        snprintf(reason, size, "%s", name);
}

static void add_attempts(const struct cmd_job *job, char *reason, size_t size)
{
    unsigned attempts = pp_task_attempts(job->task);
    size_t   used = strlen(reason);
    if (attempts > 1)
        snprintf(reason + used, size - used, ", after %u attempts", attempts);
}

/* Why there could be no task of this input. */
static const char *describe_error(int error)
{
    static const struct {
        int         error;
        const char *words;
    } own[] = {
        {-EILSEQ, "a byte of it cannot be passed on"},
        {-ENOENT, "it lacks a column that the command asks for"},
        {-EBADMSG, "its quotes are wrong, or something stands behind them"},
        {-ENOMSG, "it is not JSON, or has a number or a string that cannot be passed on"},
        {-E2BIG, "it has more values than can be passed on"},
        {-EINVAL, "it cannot be passed on: nested too deep, or a key that is not plain"},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (own[i].error == error)
            return own[i].words;
    }
    return strerror(-error);
}

static void set_times(struct cmd_job *job)
{
    struct timespec now;
    double          queued = 0;
    if (job->started > 0)
        return; /* judged before: it was held meanwhile */
    clock_gettime(CLOCK_REALTIME, &now);
    if (job->task == NULL || pp_task_times(job->task, &queued, &job->ran) < 0 || job->ran < 0)
        job->ran = 0;
    job->started = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - job->ran;
}

/* Unless it was we who cancelled it for what it had done. */
static void judge_cancelled(struct cmd_job *job, char *reason, size_t size)
{
    job->end = job->overflowed || job->gave_up ? CMD_FAILED : CMD_CANCELLED;
    if (job->overflowed)
        snprintf(reason, size, "it wrote more than can be kept: TMPDIR has no room");
    else if (job->gave_up && job->status != 0)
        cmd_describe_status(reason, size, job->status);
    else
        snprintf(reason, size, job->gave_up ? "it failed, and is not tried again" : "cancelled");
}

void cmd_job_judge(struct cmd_job *job, bool is_command, char *reason, size_t size)
{
    reason[0] = '\0';
    job->end = CMD_FAILED;
    set_times(job);
    if (job->task == NULL) {
        snprintf(reason, size, "%s", describe_error(job->error));
        return;
    }
    const pp_error *error = pp_task_error(job->task);
    switch (pp_task_state(job->task)) {
    case PP_DONE:
        job->end = CMD_DONE;
        if (is_command)
            judge_command(job, reason, size);
        break;
    case PP_TIMED_OUT:
        job->end = CMD_TIMED_OUT;
        snprintf(reason, size, "timed out after %g s", pp_task_timeout(job->task));
        break;
    case PP_WORKER_LOST:
        job->end = CMD_LOST;
        describe_loss(job, error, reason, size);
        break;
    case PP_CANCELLED:
        judge_cancelled(job, reason, size);
        break;
    default:
        describe_exception(error, reason, size);
        break;
    }
    if (job->end != CMD_DONE)
        add_attempts(job, reason, size);
}

void cmd_job_codes(const struct cmd_job *job, int *exit_code, int *signal)
{
    *exit_code = 0;
    *signal = 0;
    if (job->end == CMD_TIMED_OUT || job->end == CMD_CANCELLED)
        *signal = SIGKILL;
    else if (WIFSIGNALED(job->status))
        *signal = WTERMSIG(job->status);
    else if (job->end != CMD_DONE)
        *exit_code = job->status != 0 ? WEXITSTATUS(job->status) : 255;
}
