/*
 * signals.h - INT, TERM and HUP as something to poll for, and the terminal's change of size.
 */
#ifndef CMD_SIGNALS_H
#define CMD_SIGNALS_H

#include <stdbool.h>

struct cmd_signals {
    int      fd;
    int      first;   /* the number of the first one that came, or 0 */
    unsigned count;   /* how many came */
    bool     resized; /* WINCH came, which is not one of them */
};

/* Block the signals and open the descriptor; ignore SIGPIPE.  To be called after the pool has been
 * made, so that the workers keep the dispositions that the user gave.  0 or -errno. */
int cmd_signals_open(struct cmd_signals *signals);
/* Take what has come, without waiting. */
void cmd_signals_read(struct cmd_signals *signals);
void cmd_signals_close(struct cmd_signals *signals);

#endif
