/*
 * json_call.h - a task whose argument is a JSON value.
 */
#ifndef CMD_JSON_CALL_H
#define CMD_JSON_CALL_H

#include "procpool.h"
#include "source.h"

/* As pp_task_create, with the value that `text` is as the one argument.  0, -ENOMEM, -ENOMSG: it is not
 * JSON; -E2BIG: more values than can be passed on; -EINVAL: a key with a quote or a backslash, or
 * nested too deep. */
int cmd_json_task(pp_task **task, pp_callable callable, const pp_task_options *options,
                  struct cmd_text text);

/* As pp_task_create, with each text as an argument of its own, a string. */
int cmd_text_task(pp_task **task, pp_callable callable, const pp_task_options *options,
                  const struct cmd_text *texts, size_t count);

#endif
