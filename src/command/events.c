/*
 * events.c - events in JSON.
 *
 *     {"event": "begin", "version": "0.1.0", "jobs": 8}
 *     {"event": "start", "seq": 1, "attempt": 1, "slot": 2, "pid": 4711, "input": "a"}
 *     {"event": "end", "seq": 1, "input": "a", "state": "done", "exit": 0, "signal": 0, ...
 *      "stdout": "...", "stderr": "..."}
 *     {"event": "summary", "done": 1, ...}
 *
 * Bytes that are no UTF-8, or have a NUL among them, are a member whose name ends in _base64.
 */
#include "events.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 15 }; /* times are exact to a microsecond */

static int put(struct cmd_sink *sink, json_t *event)
{
    char *text =
        event != NULL ? json_dumps(event, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS)) : NULL;
    json_decref(event);
    if (text == NULL)
        return -ENOMEM;
    cmd_sink_put(sink, text, strlen(text));
    cmd_sink_put(sink, "\n", 1);
    free(text);
    return 0;
}

static json_t *base64(const char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char             *text = malloc((size + 2) / 3 * 4 + 1);
    char             *out = text;
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < size; i += 3) {
        size_t   left = size - i;
        unsigned group = (unsigned)(unsigned char)data[i] << 16;
        group |= left > 1 ? (unsigned)(unsigned char)data[i + 1] << 8 : 0;
        group |= left > 2 ? (unsigned)(unsigned char)data[i + 2] : 0;
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[group & 63] : '=';
    }
    json_t *string = json_stringn_nocheck(text, (size_t)(out - text));
    free(text);
    return string;
}

/* name or name_base64. */
static int set_bytes(json_t *event, const char *name, const char *data, size_t size)
{
    char    long_name[32];
    json_t *string = NULL;
    if (size == 0 || memchr(data, '\0', size) == NULL)
        string = json_stringn(data, size); /* NULL when it is not UTF-8 */
    if (string != NULL)
        return json_object_set_new(event, name, string);
    snprintf(long_name, sizeof long_name, "%s_base64", name);
    return json_object_set_new(event, long_name, base64(data, size));
}

struct collected {
    char  *data;
    size_t used;
};

static void collect(void *argument, const char *data, size_t size)
{
    struct collected *all = argument;
    memcpy(all->data + all->used, data, size);
    all->used += size;
}

static int set_spool(json_t *event, const char *name, const struct cmd_spool *spool)
{
    struct collected all = {.data = malloc((size_t)cmd_spool_size(spool) + 1)};
    if (all.data == NULL)
        return -1;
    int error = cmd_spool_each(spool, 0, collect, &all);
    if (error == 0)
        error = set_bytes(event, name, all.data, all.used);
    free(all.data);
    return error;
}

int cmd_event_begin(struct cmd_sink *sink, unsigned jobs)
{
    return put(sink, json_pack("{s:s, s:s, s:I}", "event", "begin", "version", pp_version(), "jobs",
                               (json_int_t)jobs));
}

int cmd_event_start(struct cmd_sink *sink, const struct cmd_job *job)
{
    json_t *event = json_pack("{s:s, s:I, s:I, s:I, s:I}", "event", "start", "seq",
                              (json_int_t)job->seq, "attempt", (json_int_t)job->attempt, "slot",
                              (json_int_t)job->slot, "pid", (json_int_t)job->pid);
    if (event == NULL || set_bytes(event, "input", job->input, job->length) < 0) {
        json_decref(event);
        return -ENOMEM;
    }
    return put(sink, event);
}

static int fill_end(json_t *event, const struct cmd_job *job, const char *reason, bool output)
{
    if (set_bytes(event, "input", job->input, job->length) < 0)
        return -1;
    if (job->command != NULL && set_bytes(event, "command", job->command, strlen(job->command)) < 0)
        return -1;
    if (job->end != CMD_DONE && set_bytes(event, "reason", reason, strlen(reason)) < 0)
        return -1;
    if (!output)
        return 0;
    return set_spool(event, "stdout", &job->spools[CMD_OUT]) < 0
               ? -1
               : set_spool(event, "stderr", &job->spools[CMD_ERR]);
}

int cmd_event_end(struct cmd_sink *sink, const struct cmd_job *job, const char *reason, bool output)
{
    int exit_code, signal;
    cmd_job_codes(job, &exit_code, &signal);
    unsigned attempts = job->task != NULL ? pp_task_attempts(job->task) : 0;
    json_t  *event = json_pack("{s:s, s:I, s:s, s:i, s:i, s:f, s:f, s:I}", "event", "end", "seq",
                               (json_int_t)job->seq, "state", cmd_end_names[job->end], "exit",
                               exit_code, "signal", signal, "started", job->started, "seconds",
                               job->ran, "attempts", (json_int_t)attempts);
    if (event == NULL || fill_end(event, job, reason, output) < 0) {
        json_decref(event);
        return -ENOMEM;
    }
    return put(sink, event);
}

int cmd_event_summary(struct cmd_sink *sink, const struct cmd_counts *counts, uint64_t passed_over,
                      double seconds)
{
    const uint64_t *ended = counts->ended;
    return put(sink,
               json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "event", "summary", "done",
                         (json_int_t)ended[CMD_DONE], "failed", (json_int_t)ended[CMD_FAILED],
                         "timed_out", (json_int_t)ended[CMD_TIMED_OUT], "lost",
                         (json_int_t)ended[CMD_LOST], "cancelled", (json_int_t)ended[CMD_CANCELLED],
                         "passed_over", (json_int_t)passed_over, "seconds", seconds));
}
