/*
 * collect.c - what workers send, and jobs that have ended, become output.
 *
 * Callbacks only note which jobs ended (tasks.c); those are reported when what the workers had sent by
 * then has been taken, and what killed workers had not sent.
 *
 * While a sink waits for its reader the relay is read all the same, into the jobs' spools and up to a
 * limit: nothing is written then, and what was to be told or shown is made up for.  Where lines or
 * events are shown as they come there is no such taking ahead.
 */
#define _GNU_SOURCE
#include "tasks.h"

#include "command_line.h"
#include "outlets.h"
#include "relay.h"

#include <errno.h>
#include <string.h>

/* Output that is taken while nobody reads ours. */
enum { MOST_SPOOLED = 64 * 1024 * 1024 };

static void take_begin(struct cmd_run *run, struct cmd_job *job,
                       const struct cmd_relay_record *record)
{
    struct cmd_relay_begin begin;
    if (record->head.length != sizeof begin)
        return;
    memcpy(&begin, record->data, sizeof begin);
    job->pid = begin.pid;
    job->slot = begin.slot;
    cmd_report_began(&run->report, job);
    if (run->ending && record->head.attempt > 1) { /* the one before ran out of time, or was lost */
        job->gave_up = true;
        (void)pp_task_cancel(job->task);
    }
}

static void take_record(const struct cmd_relay_record *record, void *argument)
{
    struct cmd_run *run = argument;
    struct cmd_job *job = cmd_tasks_find(run, record->head.ordinal);
    cmd_outlets_heard(record);
    if (job == NULL || record->head.attempt < job->attempt)
        return;
    if (record->head.attempt > job->attempt)
        cmd_report_attempt(&run->report, job, record->head.attempt);
    switch (record->head.kind) {
    case CMD_RELAY_BEGIN:
        take_begin(run, job, record);
        break;
    case CMD_RELAY_FAILED:
        if (record->head.length == sizeof job->status)
            memcpy(&job->status, record->data, sizeof job->status);
        break;
    default:
        if (!cmd_report_wrote(&run->report, job,
                              record->head.kind == CMD_RELAY_OUT ? CMD_OUT : CMD_ERR, record->data,
                              record->head.length))
            (void)pp_task_cancel(job->task); /* -EALREADY: it has ended */
        break;
    }
}

/* The command line of a job, now that its worker is known. */
static void name_command(struct cmd_run *run, struct cmd_job *job)
{
    if (job->words.size > 0)
        job->command =
            cmd_line_of_words(&job->words, run->options->shell, job->slot > 0 ? job->slot : 1);
}

/* A sink waits for its reader: jobs need not.  What is wrong with the relay is said when it is read the next
 * time. */
static void take_meanwhile(void *argument)
{
    struct cmd_run *run = argument;
    run->report.meanwhile = true;
    (void)cmd_relay_read(take_record, run);
    run->report.meanwhile = false;
    run->behind = true;
    run->meanwhile.busy = run->report.spooled > MOST_SPOOLED; /* then the jobs wait, too */
}

/* Lines are shown as they come, and each event in its turn: nothing is taken ahead then. */
static bool takes_ahead(const struct cmd_options *options)
{
    return !options->line_buffer && !(options->json && options->retries > 0);
}

/* A signal while a sink waits: what waits to be begun is not.  The rest is done when the sink is. */
static void heed_meanwhile(void *argument)
{
    cmd_tasks_stop_starting(argument);
}

static void catch_up(struct cmd_run *run)
{
    struct cmd_job *const lists[] = {run->jobs, run->ended};
    run->behind = false;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (struct cmd_job *job = lists[i]; job != NULL; job = job->next)
            cmd_report_catch_up(&run->report, job);
    }
}

/* What shows it must not be read into meanwhile. */
int cmd_tasks_take(struct cmd_run *run)
{
    run->meanwhile.busy = true;
    int error = cmd_relay_read(take_record, run);
    if (run->behind)
        catch_up(run);
    for (struct cmd_job *job = run->ended; job != NULL; job = job->next) {
        if (pp_task_error(job->task) != NULL || pp_task_attempts(job->task) > 1)
            cmd_outlets_salvage(job->ordinal, take_record, run);
    }
    run->meanwhile.busy = !takes_ahead(run->options) || run->report.spooled > MOST_SPOOLED;
    return error;
}

/* With keep-order and line-buffer, another job may be the oldest now. */
static void show_oldest(struct cmd_run *run)
{
    struct cmd_job *oldest = run->report.window > 0 && run->options->line_buffer
                                 ? cmd_tasks_find(run, run->report.next)
                                 : NULL;
    run->meanwhile.busy = true;
    if (oldest != NULL)
        cmd_report_catch_up(&run->report, oldest);
    run->meanwhile.busy = !takes_ahead(run->options);
}

void cmd_tasks_collect(struct cmd_run *run)
{
    int error = cmd_tasks_take(run);
    if (error < 0)
        cmd_tasks_break_off(run, "cannot read what jobs write",
                            error == -EBADMSG ? "a worker wrote garbage" : strerror(-error));
    bool            some = run->ended != NULL;
    struct cmd_job *next;
    for (struct cmd_job *job = run->ended; job != NULL; job = next) {
        next = job->next;
        cmd_tasks_forget(run, job);
        name_command(run, job);
        cmd_report_take(&run->report, job);
    }
    run->ended = NULL;
    run->ended_tail = &run->ended;
    if (some)
        show_oldest(run);
}

void cmd_collect_init(struct cmd_run *run)
{
    run->meanwhile = (struct cmd_meanwhile){.fd = -1,
                                            .busy = !takes_ahead(run->options),
                                            .take = take_meanwhile,
                                            .heed = heed_meanwhile,
                                            .argument = run};
}
