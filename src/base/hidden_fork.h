/*
 * hidden_fork.h - a forked child that the program's own SIGCHLD and wait(-1) never see.
 */
#ifndef PP_BASE_HIDDEN_FORK_H
#define PP_BASE_HIDDEN_FORK_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Run child(argument) in a copy of this process; it must not return.  The child starts with every
 * signal blocked, and may call pp_own_close_inherited.  Returns the pid with *pidfd, or -errno.
 *
 * May be called with threads running: the C library's locks are in order in the child.
 */
pid_t pp_hidden_fork(void (*child)(void *argument), void *argument, int *pidfd);

/* Collect the child if it is ours to collect; never blocks.  False: it is ours, and has not ended. */
bool pp_hidden_reap(int pidfd);

#endif
