/*
 * halt.h - --halt: has enough failed, succeeded or ended?
 */
#ifndef CMD_HALT_H
#define CMD_HALT_H

#include "options.h"
#include "progress.h"

/* `total` inputs; not exact: there may be more. */
bool cmd_halt_reached(const struct cmd_halt *halt, const struct cmd_counts *counts, uint64_t total,
                      bool exact);

#endif
