/*
 * orphan.h - a worker whose fork server died.
 */
#ifndef PP_WORKER_ORPHAN_H
#define PP_WORKER_ORPHAN_H

#include <stdint.h>
#include <sys/types.h>

/* Be told of the fork server's death.  Takes over the pidfd of the host; `socket` is the
 * worker's, whose other end only the host holds. */
int pp_orphan_watch(int host_pidfd, pid_t host_pid, pid_t fork_server, int socket);

/* Time between SIGTERM and SIGKILL, ns. */
void pp_orphan_grace(int64_t grace);

#endif
