/*
 * forkserver.h - the process that makes workers and buries them.
 */
#ifndef PP_SUPERVISE_FORKSERVER_H
#define PP_SUPERVISE_FORKSERVER_H

#include "worker/birth.h"

#include <sys/types.h>

struct pp_forkserver_start {
    int                    socket; /* to the host       */
    int                    host;   /* pidfd of the host */
    pid_t                  host_pid;
    const struct pp_setup *setup;
};

/* Be a fork server, in a process with one thread and all signals blocked; never returns. */
void pp_forkserver_main(const struct pp_forkserver_start *start);

#endif
