/*
 * report.c - jobs that have ended, in the order asked for.
 *
 * What a job wrote is shown when it has ended, in one go: its standard output, then its standard
 * error, so the outputs of two jobs never mix.  With keep-order a job that ended before an older one
 * is held, with its output, in a ring that is indexed by its ordinal; the ring cannot overflow
 * because no job is started that would be `window` ahead of the oldest.
 *
 * With line-buffer whole lines are shown as they come - with keep-order those of the oldest job.
 *
 * The line of the job log is the last thing: a log never has a job whose output is lost.
 */
#define _GNU_SOURCE
#include "report.h"

#include "events.h"
#include "results.h"
#include "show.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Results held for an older job: above this nothing is started until it has ended. */
static const size_t MAX_HELD_BYTES = 256UL * 1024 * 1024;

enum { FORGET = 64 * 1024, KEPT_FOR_SUMMARY = 4096 };

/* ------------------------------------------------------------- open, close */

static void latch(struct cmd_report *report, int error, const char *what)
{
    if (error >= 0 || report->error < 0)
        return;
    report->error = error;
    report->failed = what;
}

static const char *log_trouble(int error)
{
    switch (error) {
    case -EWOULDBLOCK:
        return "another run is writing it, or its jobs have not ended yet";
    case -EBADMSG:
        return "this is no job log, and is left as it is";
    case -ESPIPE:
        return "this is no file that an earlier run's jobs could be read from";
    case -EEXIST:
        return "standard output or standard error goes there";
    default:
        return strerror(-error);
    }
}

static int open_log(struct cmd_report *report)
{
    const struct cmd_options *options = report->options;
    const char               *name = options->joblog;
    bool                      resumes = options->resume || options->resume_failed;
    int                       error = cmd_joblog_open(&report->log, name, !options->retry_failed);
    if (error == 0 && !report->log.regular && (resumes || options->retry_failed))
        error = -ESPIPE;
    if (error == -ENOENT && options->retry_failed)
        cmd_error("run: cannot read --joblog %s: %s", name, strerror(-error));
    else if (error < 0)
        cmd_error("run: --joblog %s: %s", name, log_trouble(error));
    else if (report->log.older && !options->quiet && !resumes && !options->retry_failed)
        cmd_error("run: --joblog %s has an earlier run's jobs, and this one's are added; to go on "
                  "with that run give --resume, to begin anew remove it",
                  name);
    return error;
}

static int open_results(struct cmd_report *report)
{
    report->results = cmd_results_open(report->options->results);
    if (report->results >= 0)
        return 0;
    cmd_error("run: --results %s: %s", report->options->results, strerror(-report->results));
    return report->results;
}

int cmd_report_open(struct cmd_report *report, const struct cmd_options *options)
{
    report->options = options;
    report->is_command = options->plugin == NULL;
    report->results = -1;
    report->log.fd = -1;
    if (options->dry_run)
        return 0;
    int error = options->joblog != NULL ? open_log(report) : 0;
    return error == 0 && options->results != NULL ? open_results(report) : error;
}

int cmd_report_order(struct cmd_report *report, uint64_t window)
{
    report->held = calloc(window, sizeof *report->held);
    if (report->held == NULL) {
        cmd_error("run: no memory");
        return -ENOMEM;
    }
    report->window = window;
    return 0;
}

void cmd_report_close(struct cmd_report *report)
{
    for (uint64_t i = 0; report->held != NULL && i < report->window; i++)
        cmd_job_free(report->held[i]);
    free(report->held);
    report->held = NULL;
    if (report->results >= 0 && report->options != NULL)
        close(report->results);
    cmd_joblog_close(&report->log);
    cmd_summary_free(&report->summary);
}

bool cmd_report_has_room(const struct cmd_report *report, uint64_t ordinal)
{
    return report->window == 0 ||
           (ordinal - report->next < report->window && report->held_bytes <= MAX_HELD_BYTES);
}

/* ----------------------------------------------------------- while jobs run */

/* May lines of it be shown before it has ended? */
static bool is_live(const struct cmd_report *report, const struct cmd_job *job)
{
    return report->options->line_buffer && (report->window == 0 || job->ordinal == report->next);
}

static struct cmd_sink *sink_of(struct cmd_report *report, enum cmd_stream stream)
{
    return stream == CMD_OUT ? report->out : report->err;
}

/* The other stream first: both may be the same terminal or file. */
static struct cmd_sink *turn_to(struct cmd_report *report, enum cmd_stream stream)
{
    struct cmd_sink *sink = sink_of(report, stream);
    if (sink->terminal || stream == CMD_ERR)
        cmd_progress_erase(report->progress);
    cmd_sink_flush(sink_of(report, stream == CMD_OUT ? CMD_ERR : CMD_OUT));
    return sink;
}

static void show_live(struct cmd_report *report, struct cmd_job *job, enum cmd_stream stream)
{
    struct cmd_spool *spool = &job->spools[stream];
    if (report->meanwhile || !is_live(report, job) || !cmd_show_has_line(job, stream))
        return;
    latch(report, cmd_show_lines(turn_to(report, stream), job, stream, report->options->tag),
          "a temporary file");
    if (spool->filed > 0 || job->written[stream] < FORGET || report->results >= 0)
        return;
    size_t shown = (size_t)job->written[stream] - KEPT_FOR_SUMMARY;
    cmd_spool_drop(spool, shown);
    job->written[stream] -= shown;
    job->dropped[stream] += shown;
    job->searched[stream] = job->written[stream];
}

static void show_stream(struct cmd_report *report, struct cmd_job *job, enum cmd_stream stream)
{
    const struct cmd_options *options = report->options;
    if (cmd_spool_size(&job->spools[stream]) == job->written[stream])
        return;
    latch(report,
          cmd_show_rest(turn_to(report, stream), job, stream, options->line_buffer, options->tag),
          "a temporary file");
    if (stream == CMD_ERR)
        cmd_sink_flush(report->err);
}

void cmd_report_attempt(struct cmd_report *report, struct cmd_job *job, unsigned attempt)
{
    for (int i = 0; i < CMD_STREAMS && is_live(report, job) && !report->meanwhile; i++)
        show_stream(report, job, (enum cmd_stream)i); /* the rest of a line that was begun */
    cmd_job_begin_attempt(job, attempt);
}

void cmd_report_began(struct cmd_report *report, struct cmd_job *job)
{
    job->untold = report->meanwhile;
    if (report->options->json && !report->meanwhile)
        latch(report, cmd_event_start(report->out, job), "an event");
}

bool cmd_report_wrote(struct cmd_report *report, struct cmd_job *job, enum cmd_stream stream,
                      const char *data, size_t size)
{
    if (stream == CMD_OUT && report->out->error < 0 && report->results < 0)
        return report->out->error != -EPIPE; /* it can be shown to nobody */
    int error = cmd_spool_add(&job->spools[stream], data, size);
    report->spooled += error == 0 ? size : 0;
    job->taken += error == 0 ? size : 0;
    job->overflowed |= error == -ENOSPC;
    if (error != -ENOSPC)
        latch(report, error, "output in memory");
    show_live(report, job, stream);
    return error == 0;
}

void cmd_report_catch_up(struct cmd_report *report, struct cmd_job *job)
{
    if (job->untold)
        cmd_report_began(report, job);
    for (int i = 0; i < CMD_STREAMS; i++)
        show_live(report, job, (enum cmd_stream)i);
}

/* --------------------------------------------------------------- their ends */

static void keep(struct cmd_report *report, const struct cmd_job *job, const char *reason)
{
    bool ran = job->end != CMD_CANCELLED || job->attempt > 0;
    if (report->results >= 0 && ran)
        latch(report, cmd_results_add(report->results, job, reason), report->options->results);
    if (report->options->json)
        latch(report, cmd_event_end(report->out, job, reason, report->results < 0), "an event");
    if (report->options->joblog == NULL || job->end == CMD_CANCELLED)
        return;
    if (cmd_report_flush(report) < 0 || report->error < 0)
        return; /* what it wrote is lost: it is not done */
    cmd_joblog_add(&report->log, job);
    latch(report, report->log.error, report->log.name);
}

/* Of a function, what it was doing when it crashed or was stopped. */
static const char *backtrace_of(const struct cmd_report *report, const struct cmd_job *job)
{
    bool broken_off = job->end == CMD_LOST || job->end == CMD_TIMED_OUT;
    return broken_off && !report->is_command ? pp_error_backtrace(pp_task_error(job->task)) : "";
}

/* Show and keep a job, in its turn, and free it. */
static void settle(struct cmd_report *report, struct cmd_job *job)
{
    char reason[CMD_MAX_REASON];
    cmd_job_judge(job, report->is_command, reason, sizeof reason);
    if (!report->is_command && job->end == CMD_DONE)
        latch(report, cmd_show_value(job, report->options->json_lines), "output in memory");
    if (!report->options->json) {
        show_stream(report, job, CMD_OUT);
        show_stream(report, job, CMD_ERR);
    }
    if (job->end != CMD_DONE && job->end != CMD_CANCELLED)
        cmd_summary_note(&report->summary, job, reason, backtrace_of(report, job));
    keep(report, job, reason);
    report->spooled -= job->taken;
    cmd_job_free(job);
}

static void count(struct cmd_report *report, struct cmd_job *job)
{
    char reason[CMD_MAX_REASON];
    cmd_job_judge(job, report->is_command, reason, sizeof reason);
    report->counts.ended[job->end]++;
    if (job->end != CMD_CANCELLED && job->task != NULL)
        cmd_stats_add(&report->stats, job->ran);
    cmd_progress_touch(report->progress);
}

static void hold(struct cmd_report *report, struct cmd_job *job)
{
    const pp_value *result = job->task != NULL ? pp_task_result(job->task) : NULL;
    const void     *data = NULL;
    if (result == NULL || pp_value_msgpack(result, &data, &job->held) < 0)
        job->held = 0;
    for (int i = 0; i < CMD_STREAMS; i++)
        job->held += (size_t)cmd_spool_size(&job->spools[i]);
    report->held_bytes += job->held;
    report->held[job->ordinal % report->window] = job;
}

void cmd_report_take(struct cmd_report *report, struct cmd_job *job)
{
    count(report, job);
    if (report->window == 0) {
        settle(report, job);
        return;
    }
    hold(report, job);
    struct cmd_job **oldest;
    while (*(oldest = &report->held[report->next % report->window]) != NULL) {
        report->held_bytes -= (*oldest)->held;
        settle(report, *oldest);
        *oldest = NULL;
        report->next++;
    }
}

/* ------------------------------------------------------------ words of ours */

void cmd_report_error(struct cmd_report *report, const char *format, ...)
{
    char    message[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    cmd_progress_erase(report->progress);
    cmd_sink_flush(report->out);
    cmd_sink_put(report->err, "procpool: ", 10);
    cmd_sink_put(report->err, message, strlen(message));
    cmd_sink_put(report->err, "\n", 1);
    cmd_sink_flush(report->err);
}

bool cmd_report_is_flushed(const struct cmd_report *report)
{
    return report->out->used == 0 && report->err->used == 0;
}

int cmd_report_flush(struct cmd_report *report)
{
    int error = cmd_sink_flush(report->out);
    return error < 0 ? error : cmd_sink_flush(report->err);
}

void cmd_report_end(struct cmd_report *report, uint64_t passed_over, double seconds)
{
    const struct cmd_options *options = report->options;
    cmd_progress_erase(report->progress);
    if (options->json)
        latch(report, cmd_event_summary(report->out, &report->counts, passed_over, seconds),
              "an event");
    cmd_sink_flush(report->out);
    if (report->err->in_line != NULL && *report->err->in_line &&
        (options->stats || !options->quiet))
        cmd_sink_put(report->err, "\n", 1);
    if (options->stats)
        cmd_stats_print(&report->stats, report->err);
    if (!options->quiet)
        cmd_summary_print(&report->summary, report->err, &report->counts, passed_over, seconds);
    cmd_sink_flush(report->err);
}
