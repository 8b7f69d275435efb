/*
 * events.h - --json: what happens, one JSON object a line, on standard output.
 */
#ifndef CMD_EVENTS_H
#define CMD_EVENTS_H

#include "job.h"
#include "progress.h"
#include "sink.h"

/* Each returns 0 or -ENOMEM. */
int cmd_event_begin(struct cmd_sink *sink, unsigned jobs);
int cmd_event_start(struct cmd_sink *sink, const struct cmd_job *job);
/* `output`: with what the job wrote. */
int cmd_event_end(struct cmd_sink *sink, const struct cmd_job *job, const char *reason,
                  bool output);
int cmd_event_summary(struct cmd_sink *sink, const struct cmd_counts *counts, uint64_t passed_over,
                      double seconds);

#endif
