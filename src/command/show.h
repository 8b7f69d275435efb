/*
 * show.h - the output of one job, written to a stream of ours.
 */
#ifndef CMD_SHOW_H
#define CMD_SHOW_H

#include "job.h"
#include "sink.h"

#include <stdio.h>

/* All that is left of it: as it is, or line by line, whole lines only, each behind the job's tag.
 * 0, or -errno of reading it back. */
int cmd_show_rest(struct cmd_sink *sink, struct cmd_job *job, enum cmd_stream stream, bool lines,
                  bool tag);
/* The lines that are whole by now. */
int cmd_show_lines(struct cmd_sink *sink, struct cmd_job *job, enum cmd_stream stream, bool tag);
/* Is there a whole line that was not shown? */
bool cmd_show_has_line(struct cmd_job *job, enum cmd_stream stream);
/* A function's result becomes the job's standard output: a string as it is, null not at all, the
 * rest as JSON - or everything as JSON.  0 or -ENOMEM. */
int cmd_show_value(struct cmd_job *job, bool as_json);

#endif
