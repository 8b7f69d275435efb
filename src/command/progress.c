/*
 * progress.c - the progress line and its timer.
 *
 * Drawing is led by a timerfd alone.  After each drawing it is set a second ahead, so that the rate
 * goes on; a change moves it to a tenth of a second after the last drawing.  Output of tasks
 * erases the line first, and the line comes back with the timer - but not while a line of theirs has no
 * end yet: it would be overwritten.
 *
 * Where standard error is not a terminal that can rewrite a line, nothing is written unless it was
 * asked for: then a whole line after a second and every ten seconds, for logs.
 */
#include "progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const double REDRAW = 0.1, IDLE_REDRAW = 1.0, FIRST_LINE = 1.0, LINE_INTERVAL = 10.0;

double cmd_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

uint64_t cmd_counts_all(const struct cmd_counts *counts)
{
    uint64_t all = 0;
    for (int i = 0; i < CMD_CANCELLED; i++)
        all += counts->ended[i];
    return all;
}

static void set_timer(const struct cmd_progress *progress, double when)
{
    struct itimerspec at = {.it_value.tv_sec = (time_t)when};
    at.it_value.tv_nsec = (long)((when - (double)at.it_value.tv_sec) * 1e9);
    timerfd_settime(progress->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

void cmd_progress_open(struct cmd_progress *progress, struct cmd_sink *sink, double begun,
                       bool asked)
{
    const char *terminal = getenv("TERM");
    bool        dumb = terminal == NULL || strcmp(terminal, "dumb") == 0 || !sink->terminal;
    *progress = (struct cmd_progress){
        .sink = sink, .timer = -1, .begun = begun, .last = begun, .lines = dumb};
    if (dumb && !asked)
        return;
    progress->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (progress->lines && progress->timer >= 0)
        set_timer(progress, begun + FIRST_LINE);
    cmd_progress_touch(progress);
}

void cmd_progress_touch(struct cmd_progress *progress)
{
    if (progress->timer < 0 || progress->soon || progress->lines)
        return;
    progress->soon = true;
    set_timer(progress, progress->last + REDRAW);
}

static int columns(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

static void put_line(struct cmd_progress *progress, const char *line, int length)
{
    int width = columns(progress->sink->fd) - 1; /* the last column stays free: no wrapping */
    if (progress->lines) {
        cmd_sink_put(progress->sink, line, (size_t)length);
        cmd_sink_put(progress->sink, "\n", 1);
        return;
    }
    cmd_sink_put(progress->sink, "\r", 1);
    cmd_sink_put(progress->sink, line, (size_t)(length < width ? length : width));
    cmd_sink_put(progress->sink, "\033[K", 3);
    *progress->sink->in_line = false;
}

/* ", 42%, ETA 1:05" when the number of inputs is known, and something has ended. */
static void add_eta(char *line, size_t size, uint64_t all, uint64_t total, double rate)
{
    size_t used = strlen(line);
    if (total < all || all == 0 || rate <= 0)
        return;
    uint64_t left = (uint64_t)((double)(total - all) / rate + 0.5);
    unsigned percent = (unsigned)((double)all * 100 / (double)total);
    if (left < 3600)
        snprintf(line + used, size - used, ", %u%%, ETA %u:%02u", percent, (unsigned)left / 60,
                 (unsigned)left % 60);
    else if (left < UINT64_C(1000) * 3600)
        snprintf(line + used, size - used, ", %u%%, ETA %u:%02u:%02u", percent,
                 (unsigned)left / 3600, (unsigned)left / 60 % 60, (unsigned)left % 60);
}

void cmd_progress_draw(struct cmd_progress *progress, const struct cmd_counts *counts,
                       unsigned running, uint64_t total)
{
    uint64_t        expirations;
    ssize_t         n = read(progress->timer, &expirations, sizeof expirations);
    const uint64_t *ended = counts->ended;
    double          now = cmd_now();
    uint64_t        all = cmd_counts_all(counts);
    double          rate = (double)all / (now - progress->begun);
    char            line[256];
    (void)n; /* drawn without the timer: it has not rung */
    snprintf(line, sizeof line,
             "%llu done, %llu failed, %llu timed out, %llu lost, %u running, %.*f tasks/s",
             (unsigned long long)ended[CMD_DONE], (unsigned long long)ended[CMD_FAILED],
             (unsigned long long)ended[CMD_TIMED_OUT], (unsigned long long)ended[CMD_LOST], running,
             rate < 100 ? 1 : 0, rate);
    add_eta(line, sizeof line, all, total, rate);
    if (progress->lines || progress->drawn || !*progress->sink->in_line) {
        put_line(progress, line, (int)strlen(line));
        cmd_sink_flush(progress->sink);
        progress->drawn = !progress->lines;
    }
    progress->soon = false;
    progress->last = now;
    set_timer(progress, now + (progress->lines ? LINE_INTERVAL : IDLE_REDRAW));
}

void cmd_progress_erase(struct cmd_progress *progress)
{
    if (!progress->drawn)
        return;
    cmd_sink_put(progress->sink, "\r\033[K", 4);
    *progress->sink->in_line = false;
    cmd_sink_flush(progress->sink);
    progress->drawn = false;
    cmd_progress_touch(progress);
}

void cmd_progress_close(struct cmd_progress *progress)
{
    cmd_progress_erase(progress);
    if (progress->timer >= 0)
        close(progress->timer);
    progress->timer = -1;
}
