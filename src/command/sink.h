/*
 * sink.h - an output stream of the command that loses nothing silently.
 */
#ifndef CMD_SINK_H
#define CMD_SINK_H

#include "signals.h"

#include <stdbool.h>
#include <stddef.h>

/* What is done while a sink waits for its reader: `take` is called when `fd` is readable, and writes to no
 * sink. */
struct cmd_meanwhile {
    int  fd;
    bool busy; /* not now */
    void (*take)(void *argument);
    void (*heed)(void *argument); /* a signal to end came */
    void *argument;
};

struct cmd_sink {
    int         fd;
    const char *name;    /* for messages: "standard output" */
    int         error;   /* latch: negative errno of the write that failed first */
    bool        regular; /* a file: never waited for */
    bool        pipe;    /* its reader may go */
    bool        terminal;
    bool       *in_line; /* a terminal: a line was begun there, by whichever sink writes to it */
    struct cmd_signals   *signals;   /* a wait for the reader ends at the second signal */
    struct cmd_meanwhile *meanwhile; /* or NULL */
    size_t                used;
    char                 *buffer;
};

/* 0 or -errno. */
int  cmd_sink_open(struct cmd_sink *sink, int fd, const char *name, struct cmd_signals *signals);
void cmd_sink_put(struct cmd_sink *sink, const void *data, size_t size);
/* Write what is buffered.  0, or the error that is latched; then nothing is written any more. */
int cmd_sink_flush(struct cmd_sink *sink);
/* What to poll, for POLLERR alone, to hear that nobody reads it any more; -1: nothing. */
int cmd_sink_reader(const struct cmd_sink *sink);
/* It was heard. */
void cmd_sink_unread(struct cmd_sink *sink);
/* A terminal that can show colours, and the user has not set NO_COLOR. */
bool cmd_sink_has_colour(const struct cmd_sink *sink);
void cmd_sink_close(struct cmd_sink *sink);

#endif
