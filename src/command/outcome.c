/*
 * outcome.c - from the state of a task to done, failed, timed out, lost or cancelled.
 *
 * A command that ended by itself always has a result, with its status in it; it is this file
 * that calls it a failure.  A failed attempt that was not the last one was an exception.
 */
#include "outcome.h"

#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct cmd_job *cmd_job_new(uint64_t number, const char *input, size_t length)
{
    struct cmd_job *job = malloc(sizeof *job + length + 1);
    if (job == NULL)
        return NULL;
    *job = (struct cmd_job){.number = number, .length = length};
    if (length > 0)
        memcpy(job->input, input, length);
    job->input[length] = '\0';
    return job;
}

void cmd_job_free(struct cmd_job *job)
{
    if (job == NULL)
        return;
    pp_task_unref(job->task);
    free(job);
}

static enum cmd_end command_ended(const pp_value *result, struct cmd_output *output, char *reason,
                                  size_t size)
{
    int status = 0;
    int error = pp_value_unpack(result, "iyy", &status, &output->out, &output->out_size,
                                &output->err, &output->err_size);
    if (error < 0) {
        *output = (struct cmd_output){0};
        snprintf(reason, size, "unreadable result: %s", strerror(-error));
        return CMD_FAILED;
    }
    if (status == 0)
        return CMD_DONE;
    cmd_describe_status(reason, size, status);
    return CMD_FAILED;
}

static void describe_loss(const pp_error *error, char *reason, size_t size)
{
    char how[80];
    int  status = error != NULL ? pp_error_wait_status(error) : 0;
    if (status != 0) {
        cmd_describe_status(how, sizeof how, status);
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
    return error == -EILSEQ ? "a byte of it cannot be passed on" : strerror(-error);
}

enum cmd_end cmd_outcome(const struct cmd_job *job, bool is_command, struct cmd_output *output,
                         char *reason, size_t size)
{
    *output = (struct cmd_output){0};
    reason[0] = '\0';
    if (job->task == NULL) {
        snprintf(reason, size, "%s", describe_error(job->error));
        return CMD_FAILED;
    }
    const pp_error *error = pp_task_error(job->task);
    enum cmd_end    end = CMD_FAILED;
    switch (pp_task_state(job->task)) {
    case PP_DONE:
        end = CMD_DONE;
        if (is_command)
            end = command_ended(pp_task_result(job->task), output, reason, size);
        break;
    case PP_TIMED_OUT:
        end = CMD_TIMED_OUT;
        snprintf(reason, size, "timed out after %g s", pp_task_timeout(job->task));
        break;
    case PP_WORKER_LOST:
        end = CMD_LOST;
        describe_loss(error, reason, size);
        break;
    case PP_CANCELLED:
        end = CMD_CANCELLED;
        snprintf(reason, size, "cancelled");
        break;
    default:
        describe_exception(error, reason, size);
        break;
    }
    if (end != CMD_DONE)
        add_attempts(job, reason, size);
    return end;
}
