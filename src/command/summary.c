/*
 * summary.c - which jobs failed, why, after how long, where, and the last that they said.
 *
 * A bounded list: with many failures the first ones and their number are what helps; all of them
 * are in the job log.  Colour only where somebody sees it and did not ask for none.
 */
#define _GNU_SOURCE
#include "summary.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHOWN_INPUT = 160, TAIL = 600, TAIL_LINES = 3, MAX_LINE = 160 };

/* The last lines of standard error, each printable, indented. */
static void put_tail(FILE *stream, const struct cmd_job *job)
{
    char        tail[TAIL], line[MAX_LINE];
    size_t      size = cmd_spool_tail(&job->spools[CMD_ERR], tail, sizeof tail);
    const char *end = tail + size;
    if (size > 0 && end[-1] == '\n')
        end--;
    const char *begin = end;
    for (int lines = 0; begin > tail; begin--) {
        if (begin[-1] == '\n' && ++lines == TAIL_LINES)
            break;
    }
    while (begin < end) {
        const char *newline = memchr(begin, '\n', (size_t)(end - begin));
        const char *stop = newline != NULL ? newline : end;
        cmd_printable(line, sizeof line, begin, (size_t)(stop - begin));
        fprintf(stream, "\n    | %s", line);
        begin = stop + 1;
    }
}

/* The innermost function of a backtrace that is not the C library's. */
static void put_place(FILE *stream, const char *backtrace)
{
    char        line[MAX_LINE];
    const char *next = NULL;
    for (const char *at = backtrace; *at != '\0'; at = next) {
        size_t length = strcspn(at, "\n");
        next = at + length + (at[length] == '\n' ? 1 : 0);
        const char *words = memchr(at, ' ', length);
        if (*at != '#' || words == NULL || memmem(at, length, "libc.so", 7) != NULL)
            continue;
        cmd_printable(line, sizeof line, words, length - (size_t)(words - at));
        fprintf(stream, "\n    at%s", line);
        return;
    }
}

void cmd_summary_note(struct cmd_summary *summary, const struct cmd_job *job, const char *reason,
                      const char *backtrace)
{
    char   input[MAX_SHOWN_INPUT], why[CMD_MAX_REASON];
    size_t size = 0;
    if (summary->count++ >= CMD_FAILURES_SHOWN)
        return;
    char **text = &summary->failures[summary->count - 1];
    FILE  *stream = open_memstream(text, &size);
    if (stream == NULL)
        return; /* it is counted */
    cmd_quote(input, sizeof input, job->input, job->length);
    cmd_printable(why, sizeof why, reason, strlen(reason));
    fprintf(stream, "%s: %s", input, why);
    if (job->ran > 0 && job->end != CMD_TIMED_OUT)
        fprintf(stream, " (%.2f s)", job->ran);
    put_place(stream, backtrace);
    put_tail(stream, job);
    if (fclose(stream) != 0) {
        free(*text);
        *text = NULL;
    }
}

static void put(struct cmd_sink *sink, const char *text)
{
    cmd_sink_put(sink, text, strlen(text));
}

static void put_failures(const struct cmd_summary *summary, struct cmd_sink *sink)
{
    bool colour = cmd_sink_has_colour(sink);
    char line[64];
    for (int i = 0; i < CMD_FAILURES_SHOWN; i++) {
        if (summary->failures[i] == NULL)
            continue;
        put(sink, colour ? "\033[31m" : "");
        put(sink, summary->failures[i]);
        put(sink, colour ? "\033[0m\n" : "\n");
    }
    if (summary->count > CMD_FAILURES_SHOWN) {
        snprintf(line, sizeof line, "... and %llu more\n",
                 (unsigned long long)(summary->count - CMD_FAILURES_SHOWN));
        put(sink, line);
    }
}

static void add_count(char *out, size_t size, const char *what, uint64_t count)
{
    size_t used = strlen(out);
    if (count > 0)
        snprintf(out + used, size - used, ", %llu %s", (unsigned long long)count, what);
}

void cmd_summary_print(const struct cmd_summary *summary, struct cmd_sink *sink,
                       const struct cmd_counts *counts, uint64_t passed_over, double seconds)
{
    const uint64_t *ended = counts->ended;
    char            line[256], more[96] = "";
    double          rate = seconds > 0 ? (double)cmd_counts_all(counts) / seconds : 0;
    put_failures(summary, sink);
    add_count(more, sizeof more, "cancelled", ended[CMD_CANCELLED]);
    add_count(more, sizeof more, "passed over", passed_over);
    snprintf(line, sizeof line,
             "%llu done, %llu failed, %llu timed out, %llu lost%s, in %.2f s (%.*f tasks/s)\n",
             (unsigned long long)ended[CMD_DONE], (unsigned long long)ended[CMD_FAILED],
             (unsigned long long)ended[CMD_TIMED_OUT], (unsigned long long)ended[CMD_LOST], more,
             seconds, rate < 100 ? 1 : 0, rate);
    put(sink, line);
}

void cmd_summary_free(struct cmd_summary *summary)
{
    for (int i = 0; i < CMD_FAILURES_SHOWN; i++)
        free(summary->failures[i]);
    *summary = (struct cmd_summary){0};
}
