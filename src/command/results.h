/*
 * results.h - --results: a folder for each job, with what it wrote and how it ended.
 */
#ifndef CMD_RESULTS_H
#define CMD_RESULTS_H

#include "job.h"

/* Make the folder where it is missing and open it: a descriptor, or -errno. */
int cmd_results_open(const char *folder);
/* NUMBER/out, NUMBER/err, NUMBER/status: 0 or -errno. */
int cmd_results_add(int folder, const struct cmd_job *job, const char *reason);

#endif
