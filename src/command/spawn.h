/*
 * spawn.h - start the process of a job.
 */
#ifndef CMD_SPAWN_H
#define CMD_SPAWN_H

#include "options.h"

#include <sys/types.h>

struct cmd_spawn {
    const char              *path;     /* of the program, found already */
    char                   **vector;   /* behind a free place, for a script without #! */
    int                      out, err; /* above 2; become 1 and 2 */
    const struct cmd_limits *limits;
};

/* 0, the process and a pidfd of it; or a positive errno: of exec too. */
int cmd_spawn(pid_t *pid, int *pidfd, const struct cmd_spawn *what);

#endif
