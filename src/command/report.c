/*
 * report.c - results to standard output and standard error, whole and in the order asked for.
 *
 * What a task wrote is written when the task has ended, in one go: its standard output, then its
 * standard error, so the outputs of two tasks never mix.  With keep-order a job that ended before
 * an older one is held, with its result, in a ring that is indexed by its number; the ring
 * cannot overflow because no job is started that would be `window` ahead of the oldest.
 */
#define _GNU_SOURCE
#include "report.h"

#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Results held for an older job: above this nothing is started until it has ended. */
static const size_t MAX_HELD_BYTES = 256UL * 1024 * 1024;

enum { MAX_REASON = 512, MAX_SHOWN_INPUT = 160 };

static ssize_t write_to_sink(void *sink, const char *data, size_t size)
{
    cmd_sink_put(sink, data, size); /* latches its error */
    return (ssize_t)size;
}

int cmd_report_open(struct cmd_report *report, struct cmd_sink *out, struct cmd_sink *err,
                    struct cmd_progress *progress, bool is_command, uint64_t keep_order)
{
    *report = (struct cmd_report){.out = out,
                                  .err = err,
                                  .progress = progress,
                                  .is_command = is_command,
                                  .window = keep_order};
    report->json = fopencookie(out, "w", (cookie_io_functions_t){.write = write_to_sink});
    if (report->json == NULL)
        return -ENOMEM;
    if (keep_order == 0)
        return 0;
    report->held = calloc(keep_order, sizeof *report->held);
    if (report->held != NULL)
        return 0;
    cmd_report_close(report);
    return -ENOMEM;
}

bool cmd_report_has_room(const struct cmd_report *report, uint64_t number)
{
    return report->window == 0 ||
           (number - report->next < report->window && report->held_bytes <= MAX_HELD_BYTES);
}

static bool is_null(const pp_value *value)
{
    const void *data = NULL;
    size_t      size = 0;
    return value == NULL || (pp_value_msgpack(value, &data, &size) == 0 && size == 1 &&
                             *(const unsigned char *)data == 0xc0);
}

/* The result of a function, one line: a string as it is, null not at all, the rest as JSON. */
static void write_value(struct cmd_report *report, const pp_value *value)
{
    const char *string = NULL;
    if (is_null(value))
        return;
    if (pp_value_unpack(value, "s", &string) == 0) {
        cmd_sink_put(report->out, string, strlen(string));
    } else {
        int error = pp_value_print(value, report->json);
        if (fflush(report->json) != 0 || error < 0)
            report->out->error = report->out->error < 0 ? report->out->error : -EIO;
    }
    cmd_sink_put(report->out, "\n", 1);
}

static void write_job(struct cmd_report *report, const struct cmd_job *job, enum cmd_end end,
                      const struct cmd_output *output)
{
    bool writes = report->is_command ? output->out_size > 0 : end == CMD_DONE;
    if (output->err_size > 0 || (writes && report->out->terminal))
        cmd_progress_erase(report->progress);
    if (report->is_command) {
        cmd_sink_put(report->out, output->out, output->out_size);
        if (output->err_size > 0) {
            cmd_sink_flush(report->out); /* both may be the same terminal or file */
            cmd_sink_put(report->err, output->err, output->err_size);
            cmd_sink_flush(report->err);
        }
    } else if (end == CMD_DONE) {
        write_value(report, pp_task_result(job->task));
    }
}

static void note_failure(struct cmd_report *report, const struct cmd_job *job, const char *reason)
{
    if (report->failure_count++ >= CMD_FAILURES_SHOWN)
        return;
    char input[MAX_SHOWN_INPUT];
    char why[MAX_REASON];
    cmd_quote(input, sizeof input, job->input, job->length);
    cmd_printable(why, sizeof why, reason, strlen(reason));
    char *line = NULL;
    if (asprintf(&line, "%s: %s", input, why) >= 0)
        report->failures[report->failure_count - 1] = line;
}

static enum cmd_end count(struct cmd_report *report, const struct cmd_job *job,
                          struct cmd_output *output)
{
    char         reason[MAX_REASON];
    enum cmd_end end = cmd_outcome(job, report->is_command, output, reason, sizeof reason);
    report->counts.ended[end]++;
    if (end != CMD_DONE && end != CMD_CANCELLED)
        note_failure(report, job, reason);
    cmd_progress_touch(report->progress);
    return end;
}

static void hold(struct cmd_report *report, struct cmd_job *job)
{
    const pp_value *result = job->task != NULL ? pp_task_result(job->task) : NULL;
    const void     *data = NULL;
    if (result == NULL || pp_value_msgpack(result, &data, &job->held) < 0)
        job->held = 0;
    report->held_bytes += job->held;
    report->held[job->number % report->window] = job;
}

void cmd_report_take(struct cmd_report *report, struct cmd_job *job)
{
    struct cmd_output output;
    enum cmd_end      end = count(report, job, &output);
    if (report->window == 0) {
        write_job(report, job, end, &output);
        cmd_job_free(job);
        return;
    }
    hold(report, job);
    struct cmd_job **oldest;
    while (*(oldest = &report->held[report->next % report->window]) != NULL) {
        char reason[MAX_REASON];
        end = cmd_outcome(*oldest, report->is_command, &output, reason, sizeof reason);
        write_job(report, *oldest, end, &output);
        report->held_bytes -= (*oldest)->held;
        cmd_job_free(*oldest);
        *oldest = NULL;
        report->next++;
    }
}

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

int cmd_report_flush(struct cmd_report *report)
{
    int error = cmd_sink_flush(report->out);
    return error < 0 ? error : cmd_sink_flush(report->err);
}

static void put_line(struct cmd_report *report, const char *line)
{
    cmd_sink_put(report->err, line, strlen(line));
    cmd_sink_put(report->err, "\n", 1);
}

void cmd_report_summary(struct cmd_report *report, double seconds)
{
    const uint64_t *ended = report->counts.ended;
    char            line[256], cancelled[48] = "";
    cmd_progress_erase(report->progress);
    for (int i = 0; i < CMD_FAILURES_SHOWN && report->failures[i] != NULL; i++)
        put_line(report, report->failures[i]);
    if (report->failure_count > CMD_FAILURES_SHOWN) {
        snprintf(line, sizeof line, "... and %llu more",
                 (unsigned long long)(report->failure_count - CMD_FAILURES_SHOWN));
        put_line(report, line);
    }
    if (ended[CMD_CANCELLED] > 0)
        snprintf(cancelled, sizeof cancelled, ", %llu cancelled",
                 (unsigned long long)ended[CMD_CANCELLED]);
    double rate = seconds > 0 ? (double)cmd_counts_all(&report->counts) / seconds : 0;
    snprintf(line, sizeof line,
             "%llu done, %llu failed, %llu timed out, %llu lost%s, in %.2f s (%.*f tasks/s)",
             (unsigned long long)ended[CMD_DONE], (unsigned long long)ended[CMD_FAILED],
             (unsigned long long)ended[CMD_TIMED_OUT], (unsigned long long)ended[CMD_LOST],
             cancelled, seconds, rate < 100 ? 1 : 0, rate);
    put_line(report, line);
    cmd_sink_flush(report->err);
}

void cmd_report_close(struct cmd_report *report)
{
    if (report->json != NULL)
        fclose(report->json);
    for (uint64_t i = 0; report->held != NULL && i < report->window; i++)
        cmd_job_free(report->held[i]);
    free(report->held);
    for (int i = 0; i < CMD_FAILURES_SHOWN; i++)
        free(report->failures[i]);
    *report = (struct cmd_report){0};
}
