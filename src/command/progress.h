/*
 * progress.h - one line on a terminal, rewritten at most ten times a second; elsewhere, if asked for,
 * a line now and then.
 */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include "job.h"
#include "sink.h"

struct cmd_progress {
    struct cmd_sink *sink;  /* standard error */
    int              timer; /* readable when it is time to draw; -1: no progress line */
    bool             drawn; /* the line stands on the terminal now */
    bool             lines; /* no terminal: whole lines, and seldom */
    bool             soon;  /* the timer is set to the nearest moment that is allowed */
    double           last;  /* when it was drawn last */
    double           begun;
};

struct cmd_counts {
    uint64_t ended[CMD_ENDS];
};

/* `asked`: even where there is no terminal. */
void cmd_progress_open(struct cmd_progress *progress, struct cmd_sink *sink, double begun,
                       bool asked);
/* Something has changed: draw before long, where there is a terminal. */
void cmd_progress_touch(struct cmd_progress *progress);
/* The timer was readable, or the terminal has another size: draw.  `total` inputs, 0: not known. */
void cmd_progress_draw(struct cmd_progress *progress, const struct cmd_counts *counts,
                       unsigned running, uint64_t total);
/* Make way for other output. */
void cmd_progress_erase(struct cmd_progress *progress);
void cmd_progress_close(struct cmd_progress *progress);

double cmd_now(void);
/* How many ran to an end: all but the cancelled ones. */
uint64_t cmd_counts_all(const struct cmd_counts *counts);

#endif
