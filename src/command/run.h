/*
 * run.h - `procpool run`.
 */
#ifndef CMD_RUN_H
#define CMD_RUN_H

#include "options.h"

/* The exit status. */
int cmd_run(const struct cmd_options *options);

#endif
