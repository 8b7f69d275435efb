/*
 * signals.c - the signals that end a run, read from a signalfd.
 *
 * The workers are in a session of their own, so Ctrl-C on the terminal reaches this process alone:
 * it decides what becomes of the tasks.
 */
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A signal that was ignored when the command began stays so: nohup, or `&` in a script. */
static void add_unless_ignored(sigset_t *set, int number)
{
    struct sigaction action;
    if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
        sigaddset(set, number);
}

int cmd_signals_open(struct cmd_signals *signals)
{
    sigset_t set;
    sigemptyset(&set);
    add_unless_ignored(&set, SIGINT);
    add_unless_ignored(&set, SIGTERM);
    add_unless_ignored(&set, SIGHUP);
    sigaddset(&set, SIGWINCH);

    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (sigaction(SIGPIPE, &ignore, NULL) < 0 || sigaction(SIGXFSZ, &ignore, NULL) < 0 ||
        sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    *signals = (struct cmd_signals){.fd = fd};
    return 0;
}

void cmd_signals_read(struct cmd_signals *signals)
{
    struct signalfd_siginfo info;
    while (read(signals->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGWINCH)
            signals->resized = true;
        else if (signals->count++ == 0)
            signals->first = (int)info.ssi_signo;
    }
}

void cmd_signals_close(struct cmd_signals *signals)
{
    if (signals->fd >= 0)
        close(signals->fd);
    signals->fd = -1;
}
